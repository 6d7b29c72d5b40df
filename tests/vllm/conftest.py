"""What the tests of the vLLM samplers share: engines are started once, as each takes seconds.

`make test-vllm` collects this folder, in an environment of its own; nothing else does.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from sepo_trainer.learning.readback import Written, read_back
from sepo_trainer.policy.model import LanguageModel, tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers.choice import canary_prompts
from sepo_trainer.samplers.published import Engine, PublishedPolicy
from sepo_trainer.samplers.vllm import ColocatedEngine

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    for warning in (
        # vLLM looks through the attributes of torch.distributed, one of which is deprecated.
        "ignore:`torch.distributed.reduce_op` is deprecated:FutureWarning",
        # torch's own compiler, which vLLM imports for some models, decorates with it.
        "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning",
    ):
        config.addinivalue_line("filterwarnings", warning)


def small(run_seed: int = 0) -> LanguageModel:
    """A tiny model whose logits are far enough apart that no two engines agree by luck."""
    return tiny(hidden=64, layers=2, heads=2, run_seed=run_seed)


def published(engine: Engine, language: LanguageModel, *, temperature=1.0) -> PublishedPolicy:
    renderer = Renderer(language.tokenizer)
    return PublishedPolicy(
        engine,
        language.model,
        end_ids=renderer.end_ids,
        pad_id=renderer.pad_id,
        temperature=temperature,
        prompts=canary_prompts(renderer),
        most_drift=1e-3,
    )


def requests(language: LanguageModel, count: int = 24) -> list[Request]:
    """Prompts of several lengths, with a long beginning in common or none, some asked twice."""
    rng = Random(0)
    rules = "You are playing Kuhn poker. You are dealt the King. You act first. " * 6
    texts = [rules + "Bet or check?", rules + "They bet.", "b b b", "You are dealt the Queen."]
    ids = [tuple(language.tokenizer(text)["input_ids"]) for text in texts]
    return [Request(rng.choice(ids), rng.getrandbits(63)) for _ in range(count)]


def farthest(
    model: PreTrainedModel, asked: list[Request], replies: list[Reply], *, temperature: float
) -> float:
    """The largest difference, in nats, between a log-prob of ``replies`` and the model's own."""
    again = read_back(
        model,
        [
            Written(request.prompt_ids, reply.output_ids, (True,) * len(reply.output_ids))
            for request, reply in zip(asked, replies, strict=True)
        ],
        pad_id=0,
        temperature=temperature,
    )
    sampled = np.concatenate([reply.logprobs for reply in replies])
    return float(np.abs(np.concatenate(again) - sampled).max())


@torch.no_grad()
def shake(model: torch.nn.Module, *, by: float = 0.05, seed: int = 1) -> None:
    """Move every weight that may learn, as an update does, only farther."""
    rng = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.add_(by * torch.randn(weight.shape, generator=rng))


@pytest.fixture(scope="session")
def engine() -> ColocatedEngine:
    """An engine for whole weights."""
    return ColocatedEngine(context=1024, memory_share=0.4)
