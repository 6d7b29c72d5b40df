"""Which sampler a run plays with, by its settings."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sepo_envs.protocol import Message
from sepo_trainer.policy.model import LanguageModel
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.processes import count
from sepo_trainer.records import Ids
from sepo_trainer.samplers import Sampler
from sepo_trainer.samplers.published import Engine, PublishedPolicy, PublishedSampler
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.settings.sampler import SamplerConfig

MakeSampler = Callable[[int], Sampler]
"""From the most tokens of a reply to a sampler of the policy; those of one maker share it."""


def sampler_maker(
    settings: SamplerConfig, language: LanguageModel, renderer: Renderer, *, temperature: float
) -> MakeSampler:
    """Samplers of the model that learns, by the engine of ``settings``.

    Raises:
        ValueError: the engine is not installed.
    """
    model, end_ids, pad_id = language.model, renderer.end_ids, renderer.pad_id
    if settings.engine == "transformers":
        return lambda max_new_tokens: TransformersSampler(
            model,
            end_ids=end_ids,
            pad_id=pad_id,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
        )
    policy = PublishedPolicy(
        _engine(settings),
        model,
        end_ids=end_ids,
        pad_id=pad_id,
        temperature=temperature,
        prompts=canary_prompts(renderer),
        most_drift=most_drift(settings, model.dtype),
    )
    return lambda max_new_tokens: PublishedSampler(policy, max_new_tokens=max_new_tokens)


def canary_prompts(renderer: Renderer) -> list[Ids]:
    """What each copy of the weights is tried with: eight questions that begin differently, and are
    long, since an engine keeps what it has read of a prompt in whole blocks of tokens."""
    tens = range(0, 80, 10)
    texts = [
        f"{ten} and on: " + ", ".join(str(number) for number in range(ten, ten + 60))
        for ten in tens
    ]
    return [renderer.prompt((Message("user", text),)) for text in texts]


def most_drift(settings: SamplerConfig, dtype: torch.dtype) -> float:
    """Nats per token that sampler and learner may differ by, in the mean; on moves, some more.

    >>> most_drift(SamplerConfig(), torch.bfloat16)
    0.02
    """
    if settings.most_drift is not None:
        return settings.most_drift
    return 0.001 if dtype == torch.float32 else 0.02


def writes_with_the_learner(
    settings: SamplerConfig, dtype: torch.dtype, device: torch.device
) -> bool:
    """Whether the sampler's log-probs are the learner's but for the last digits: the same weights
    in single precision, on a CPU. In half precision the same weights read token by token round
    otherwise than read at once; and so they do on CUDA, where single precision is not that of all
    kernels (convolutions in TF32, say).

    >>> writes_with_the_learner(SamplerConfig(), torch.float32, torch.device("cpu"))
    True
    >>> writes_with_the_learner(SamplerConfig(), torch.float32, torch.device("cuda"))
    False
    >>> writes_with_the_learner(SamplerConfig(), torch.bfloat16, torch.device("cpu"))
    False
    """
    exact = dtype == torch.float32 and device.type == "cpu"
    return settings.engine == "transformers" and exact


def _engine(settings: SamplerConfig) -> Engine:
    if settings.server is not None and settings.exchange is not None:
        from sepo_trainer.samplers.vllm_server import ServedEngine

        return ServedEngine(settings.server, settings.exchange)
    from sepo_trainer.samplers.vllm import ColocatedEngine

    if count() % settings.tensor_parallel:
        raise ValueError(
            f"sampler.tensor_parallel is {settings.tensor_parallel}, but the run has {count()} "
            f"process{'es' * (count() > 1)}, which cannot form teams of that size. Start a "
            "multiple of it with torchrun --nproc-per-node, or set sampler.tensor_parallel to a "
            "number that divides theirs."
        )
    return ColocatedEngine(
        context=settings.context,
        memory_share=settings.memory_share,
        tensor_parallel=settings.tensor_parallel,
    )
