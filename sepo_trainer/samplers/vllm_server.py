"""Sampling by a vLLM server over HTTP: tokens out, token ids and log-probs back.

The server is a stock one on the same model, started by whoever runs it, anywhere that sees one
folder with this process. Adapters are sent through its runtime loading of LoRA; whole weights
through its development routes, which let any method of its workers be called, so such a server must
be reachable for nobody else. How to start one: docs/vllm.md.

A server outlives the runs that use it, and may serve several at once. So each engine object has a
name of its own, which its folder and its adapters bear, and holds a lock on that folder for as long
as it lives: what bears a name whose lock nobody holds was left by a process that died.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any, TextIO
from urllib.error import HTTPError, URLError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen
from weakref import finalize

from safetensors.torch import save_file
from transformers import PreTrainedModel

from sepo_trainer.policy.adapter import attached, plain_weights, save_adapter
from sepo_trainer.processes import from_main
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers.published import UNBENT, Sampling, adapter_name, fresh_name

AT_ONCE = 64
"""Requests on their way. A seed belongs to a request, so each reply is one of its own; the server
batches them."""
PATIENCE = 600.0
"""Seconds without an answer until a server is taken for dead."""


class ServerError(ValueError):
    """The server cannot be reached, or refuses what it is asked."""


class ServedEngine:
    """A vLLM server that holds the policy.

    Args:
        address: such as ``http://localhost:8000``.
        exchange: a folder that both see under the same path, for weights on their way.

    Raises:
        ServerError: no server answers.
    """

    def __init__(self, address: str, exchange: Path) -> None:
        self._address, exchange = address.rstrip("/"), exchange.absolute()
        served = self._ask("/v1/models")["data"]
        self._base: str = served[0]["id"]
        self._policy: str = self._base
        """The name under which the server knows what was published last."""
        exchange.mkdir(parents=True, exist_ok=True)
        with (exchange / ".lock").open("a") as door:
            fcntl.flock(door, fcntl.LOCK_EX)  # or a new folder is taken for one left behind
            self._clear_away(exchange, {each["id"]: Path(each["root"] or "") for each in served})
            self._folder = exchange / fresh_name()
            self._folder.mkdir()
            self._held = _lock_of(self._folder).open("a")
            fcntl.flock(self._held, fcntl.LOCK_EX)
        finalize(self, _leave, self._folder, self._held)
        self._last: Path | None = None

    def take(self, model: PreTrainedModel, number: int) -> None:
        """Send the adapters that ``model`` speaks with or, without any, all of its weights. Of the
        processes of a run the main one sends, and all ask for what it has sent."""
        self._policy = from_main(lambda: self._send(model, number))

    def _send(self, model: PreTrainedModel, number: int) -> str:
        """The same; returns the name under which the server then knows the policy."""
        place = self._folder / adapter_name(self._folder.name, number)
        if attached(model):
            save_adapter(model, place, base=self._base)
            known = {"lora_name": place.name, "lora_path": str(place)}
            self._ask("/v1/load_lora_adapter", known)
            if self._policy != self._base:
                self._ask("/v1/unload_lora_adapter", {"lora_name": self._policy})
            self._policy = place.name  # what was read is kept by name and path, so this has nothing
        else:
            place.mkdir()
            weights = plain_weights(model)
            apart = {name: each.detach().cpu().clone() for name, each in weights.items()}
            save_file(apart, place / "model.safetensors", metadata={"format": "pt"})
            call = {"method": "reload_weights", "kwargs": {"weights_path": str(place)}}
            self._ask("/collective_rpc", call)
            if not self._ask("/reset_prefix_cache", {})["success"]:
                raise ServerError(
                    f"the vLLM server at {self._address} keeps what it read under earlier weights, "
                    "since it is still writing for somebody. All weights are sent to it, so let "
                    "nobody else use it; then try again."
                )
        if self._last is not None:
            shutil.rmtree(self._last)
        self._last = place
        return self._policy

    def write(self, requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        def reply(request: Request) -> Reply:
            [choice] = self._ask("/v1/completions", self._completion(request, sampling))["choices"]
            ids = tuple(choice["token_ids"])
            logprobs = tuple(choice["logprobs"]["token_logprobs"])
            return Reply(ids, logprobs, ids[-1] in sampling.end_ids)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(reply, requests))

    def sleep(self) -> None:
        """The server's memory is its own."""

    def wake(self) -> None:
        """It has not slept."""

    def _clear_away(self, exchange: Path, loaded: Mapping[str, Path]) -> None:
        """Take back what engines of dead processes sent through this folder.

        Args:
            loaded: the adapters that the server knows, and where each lies.
        """
        for name, place in loaded.items():
            if place.parent.parent == exchange and not _is_held(place.parent):
                self._ask("/v1/unload_lora_adapter", {"lora_name": name})
        for lock in exchange.glob("sepo-*.lock"):
            if not _is_held(lock.with_suffix("")):
                _remove(lock.with_suffix(""))

    def _completion(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        return {
            "model": self._policy,
            "prompt": list(request.prompt_ids),
            "temperature": sampling.temperature,
            **UNBENT,
            "max_tokens": sampling.max_new_tokens,
            "stop_token_ids": list(sampling.end_ids),
            "ignore_eos": True,
            "seed": request.seed,
            "logprobs": 0,
            "return_token_ids": True,
        }

    def _ask(self, route: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the server answers, read as JSON where it is JSON; a ``body`` makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        try:
            asked = HttpRequest(self._address + route, data=data, headers=headers)
            with urlopen(asked, timeout=PATIENCE) as answer:
                text = answer.read()
                told = answer.headers.get_content_type() == "application/json"
        except HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")[:400]
            raise ServerError(
                f"the vLLM server at {self._address} answers {route} with {error.code}: {said}. "
                "Has it been started as docs/vllm.md says? Loading adapters needs "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, whole weights need VLLM_SERVER_DEV_MODE=1."
            ) from error
        except (URLError, HTTPException, TimeoutError, ConnectionError, ValueError) as error:
            raise ServerError(
                f"no vLLM server answers at {self._address} ({error}). Start one as docs/vllm.md "
                "says, or correct sampler.server."
            ) from error
        return json.loads(text) if told and text else None


def _lock_of(folder: Path) -> Path:
    """Beside it, so that it can be held until the folder is gone."""
    return folder.with_name(f"{folder.name}.lock")


def _is_held(folder: Path) -> bool:
    """Whether the engine whose folder this is lives."""
    if not _lock_of(folder).exists():
        return False
    with _lock_of(folder).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _leave(folder: Path, held: TextIO) -> None:
    _remove(folder)
    held.close()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)
