"""Sampling by a vLLM engine in this process, and the only file that imports vLLM.

The engine starts at the first publish, with weights that mean nothing, and is then given the
learner's: all of them, or, where the model carries adapters, the frozen ones once and then at each
publish the adapters, rank by rank in one, under a name and a number of its own. What it had read
under earlier weights is forgotten each time.

Every reply has a seed of its own, so a run repeats where the engine's arithmetic does: on a CPU. On
CUDA the order of sums depends on what else is in a batch.

Where a run has several processes, each holds an engine of its own, or some neighbours hold one
together: vLLM then works within the processes and groups that a launcher has started.

Source: W. Kwon et al., "Efficient memory management for large language model serving with
PagedAttention", SOSP 2023. Written for vLLM 0.32.0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import torch
from transformers import PreTrainedModel

from sepo_trainer.policy.adapter import SETTINGS, attached, plain_weights, save_adapter
from sepo_trainer.processes import count
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers.published import UNBENT, Sampling, adapter_name

ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",  # a page of advice at every start
    "VLLM_NO_USAGE_STATS": "1",  # nothing about a run leaves the machine
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # or this process is moved to cores of vLLM's choice
}
"""Unless they are set otherwise."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Bounds that vLLM takes for the rank of an adapter."""
CPU_CACHE_BYTES = 2**28
"""Of keys and values on a CPU, where nothing else bounds them: 130 thousand tokens of the embedded
model."""


class ColocatedEngine:
    """A vLLM engine beside the learner, in its process and on its device.

    Args:
        context: most tokens of a prompt and its reply.
        memory_share: of the device's memory, on CUDA, for weights, keys and values.
        tensor_parallel: processes of the run that hold one engine together; they ask it for the
            same and are told the same.

    Raises:
        ValueError: vLLM is not installed.
    """

    def __init__(self, *, context: int, memory_share: float, tensor_parallel: int = 1) -> None:
        if find_spec("vllm") is None:
            raise ValueError(
                "sampler.engine is 'vllm', which is not installed. It needs an environment of its "
                'own, with an older transformers: pip install "sepo[vllm]". Or go on with '
                "--sampler.engine transformers."
            )
        self._context, self._memory_share = context, memory_share
        self._tensor_parallel = tensor_parallel
        self._folder = Path(mkdtemp(prefix="sepo-vllm-"))
        finalize(self, rmtree, self._folder, ignore_errors=True)
        self._llm: Any = None
        self._adapter: Any = None

    def take(self, model: PreTrainedModel, number: int) -> None:
        """Take over the weights of ``model``; frozen ones under adapters only at the first time."""
        adapted = bool(attached(model))
        if self._llm is None:
            rank = self._save_adapter(model, number) if adapted else 0
            self._llm = self._start(model, rank)
            self._reload(model)
        elif adapted:
            self._save_adapter(model, number)
        else:
            self._reload(model)
        if adapted:
            self._exchange_adapter(number)
        if not self._llm.reset_prefix_cache():
            raise RuntimeError("vLLM kept what it had read under earlier weights")

    def write(self, requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        from vllm import SamplingParams

        asked = [{"prompt_token_ids": list(request.prompt_ids)} for request in requests]
        settings = [
            SamplingParams(
                temperature=sampling.temperature,
                **UNBENT,
                max_tokens=sampling.max_new_tokens,
                stop_token_ids=list(sampling.end_ids),
                ignore_eos=True,  # the renderer says what ends a reply, not the model's folder
                logprobs=0,
                flat_logprobs=True,
                seed=request.seed,
                detokenize=False,
            )
            for request in requests
        ]
        written = self._llm.generate(asked, settings, use_tqdm=False, lora_request=self._adapter)
        replies = []
        for found in written:
            [output] = found.outputs
            ids = tuple(output.token_ids)
            replies.append(Reply(ids, tuple(output.logprobs.logprobs), ids[-1] in sampling.end_ids))
        return replies

    def sleep(self) -> None:
        if self._llm.llm_engine.vllm_config.model_config.enable_sleep_mode:
            self._llm.sleep(level=1)  # level 2 drops the weights, and an adapter's base with them

    def wake(self) -> None:
        if self._llm.llm_engine.vllm_config.model_config.enable_sleep_mode:
            self._llm.wake_up()

    def _start(self, model: PreTrainedModel, rank: int) -> Any:
        """A running engine for models like ``model``, with weights that mean nothing."""
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # weights are handed over as tensors
        set_num_threads = torch.set_num_threads
        from vllm import LLM

        config = type(model.config).from_dict(model.config.to_dict())
        config.architectures = [type(model).__name__]
        config.save_pretrained(self._folder)
        limit = getattr(config.get_text_config(), "max_position_embeddings", self._context)
        context = min(self._context, limit)
        engine = LLM(
            model=str(self._folder),
            skip_tokenizer_init=True,
            generation_config="vllm",
            load_format="dummy",
            dtype=str(model.dtype).removeprefix("torch."),
            logprobs_mode="processed_logprobs",
            enable_prefix_caching=True,
            seed=0,
            **arguments(
                model.device.type,
                context=context,
                memory_share=self._memory_share,
                rank=rank,
                tensor_parallel=self._tensor_parallel,
            ),
        )
        torch.set_num_threads = set_num_threads  # vLLM puts one in its place that does nothing
        return engine

    def _reload(self, model: PreTrainedModel) -> None:
        weights = plain_weights(model).items()
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})

    def _place(self, number: int) -> Path:
        return self._folder / adapter_name(self._folder.name, number)

    def _save_adapter(self, model: PreTrainedModel, number: int) -> int:
        """Write the adapters that ``model`` speaks with, as one; returns its rank."""
        save_adapter(model, self._place(number), base=str(self._folder))
        rank: int = json.loads((self._place(number) / SETTINGS).read_text())["r"]
        return rank

    def _exchange_adapter(self, number: int) -> None:
        from vllm.lora.request import LoRARequest

        old, place = self._adapter, self._place(number)
        self._adapter = LoRARequest(place.name, number, str(place))
        if not self._llm.llm_engine.add_lora(self._adapter):
            raise RuntimeError(f"vLLM did not take the adapter in {place}")
        if old is not None:
            self._llm.llm_engine.remove_lora(old.lora_int_id)
            rmtree(old.lora_path)


def arguments(
    device: str, *, context: int, memory_share: float, rank: int, tensor_parallel: int
) -> dict[str, Any]:
    """What an engine is told besides its model: its bounds, by ``device``; the adapters of at most
    ``rank`` that it will have, if any; and which processes of the run hold it together."""
    found: dict[str, Any] = {"max_model_len": context}
    if device == "cpu":
        found |= {
            "enforce_eager": True,
            "block_size": 32,
            "kv_cache_memory_bytes": CPU_CACHE_BYTES,
            # A prompt that is read in parts ends an engine on a CPU where replies have seeds.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": context,
            # Layers on a CPU keep a packed copy of their weights. That of a tied head is not
            # made anew when the embedding is reloaded, so here the head has its own.
            "hf_overrides": {"tie_word_embeddings": False},
        }
    else:
        found |= {"gpu_memory_utilization": memory_share, "enable_sleep_mode": True}
    if rank:
        found |= {"enable_lora": True, "max_lora_rank": rank_bound(rank), "max_loras": 1}
    if count() > 1:
        found |= {
            "distributed_executor_backend": "external_launcher",
            "tensor_parallel_size": tensor_parallel,
        }
    return found


def rank_bound(rank: int) -> int:
    """The least bound of vLLM's that lets an adapter of ``rank`` in.

    >>> rank_bound(48)
    64

    Raises:
        ValueError: there is none.
    """
    if rank > RANKS[-1]:
        raise ValueError(
            f"the adapters have rank {rank} together, but vLLM takes at most {RANKS[-1]}. Lower "
            "adapter.rank or adapter.warm_rank, or set adapter.warm to 'merged'."
        )
    return next(bound for bound in RANKS if bound >= rank)
