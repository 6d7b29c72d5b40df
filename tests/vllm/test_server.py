"""A real vLLM server on the CPU is sent weights, and writes with them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import torch

from opponents.endpoint import Endpoint, EndpointError, ReplyCache, Settings
from opponents.language_model import ChatRequest
from sepo_envs.protocol import Message
from sepo_trainer.learning.importance import DriftError
from sepo_trainer.policy import adapter
from sepo_trainer.policy.model import LanguageModel
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.samplers.chat import SampledChat
from sepo_trainer.samplers.published import UNBENT
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.samplers.vllm_server import ServedEngine, ServerError
from tests.vllm.conftest import farthest, published, requests, shake, small

MOST = 12


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    """Its head is not tied to its embedding: on a CPU a reload would leave a tied one as it was."""
    made = small(run_seed=4)
    head = made.model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    made.model.config.tie_word_embeddings = False
    return made


@pytest.fixture(scope="module")
def address(language, tmp_path_factory) -> Iterator[str]:
    """Of a server on the model as it was before it learned. Its folder wants replies bent, and the
    server takes that for its default."""
    folder = tmp_path_factory.mktemp("served")
    language.model.save_pretrained(folder)
    language.tokenizer.save_pretrained(folder)
    wanted = {"repetition_penalty": 1.5, "min_p": 0.02, "top_k": 20, "temperature": 0.5}
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True} | wanted))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        **{"--model": folder, "--host": "127.0.0.1", "--port": port, "--dtype": "float32"},
        **{"--max-model-len": 1024, "--max-num-batched-tokens": 1024, "--block-size": 32},
        **{"--logprobs-mode": "processed_logprobs", "--generation-config": "auto"},
        **{"--max-lora-rank": 16, "--max-loras": 1, "--kv-cache-memory-bytes": 2**28},
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    command += ["--no-enable-chunked-prefill", "--enable-lora"]
    command += [str(part) for pair in settings.items() for part in pair]
    also = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_SERVER_DEV_MODE": "1"}
    with (
        (folder / "log.txt").open("w") as log,
        subprocess.Popen(command, env=os.environ | also, stdout=log, stderr=log) as server,
    ):
        try:
            _await(server, port, folder / "log.txt")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _await(server: subprocess.Popen, port: int, log: Path) -> None:
    for _ in range(480):
        assert server.poll() is None, log.read_text()[-4000:]
        try:
            urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(f"no server after four minutes: {log.read_text()[-4000:]}")


def test_as_an_endpoint_it_replies_what_the_same_model_replies_here(address, language, tmp_path):
    """At temperature 0, where both take the likeliest token; before any weights are sent."""
    with urlopen(f"{address}/v1/models", timeout=60) as answer:
        name = json.load(answer)["data"][0]["id"]
    renderer = Renderer(language.tokenizer)
    sampler = TransformersSampler(
        language.model,
        end_ids=renderer.end_ids,
        pad_id=renderer.pad_id,
        temperature=0.0,
        max_new_tokens=MOST,
    )
    here = SampledChat("here", sampler, renderer, style="conversation")
    extra = {**UNBENT, "skip_special_tokens": False}
    settings = Settings(temperature=0.0, max_tokens=MOST, extra=extra, key_variable="")
    cache = ReplyCache(tmp_path / "replies.sqlite")
    there = Endpoint(name, f"{address}/v1", settings, cache=cache)
    ask = Message("user", "You are dealt the King. You act first. [check] or [bet]?")
    again = (ask, Message("assistant", "Hm."), Message("user", "Your reply could not be read."))
    chats = [ChatRequest(messages, seed << 40) for seed, messages in enumerate([(ask,), again])]
    assert there.reply(chats) == here.reply(chats)
    assert there.reply(chats) == here.reply(chats)
    assert there.asked == len(cache) == len(chats)
    with pytest.raises(EndpointError, match=r"answered 404 .*does not exist"):
        Endpoint("another", f"{address}/v1", settings).reply(chats)
    too_long = Settings(max_tokens=2_000, key_variable="")
    with pytest.raises(EndpointError, match="answered 400"):
        Endpoint(name, f"{address}/v1", too_long).reply(chats)
    sampled = Endpoint(name, f"{address}/v1", Settings(max_tokens=MOST, extra=extra))
    drawn = sampled.reply(chats)
    assert sampled.reply(chats) == drawn
    assert sampled.reply([chat._replace(seed=chat.seed + (1 << 32)) for chat in chats]) != drawn


def test_it_writes_with_the_weights_that_it_is_sent_and_then_with_adapters(
    address, language, tmp_path, monkeypatch
):
    """One server, since it takes long to start: whole weights, new ones, stale ones, adapters."""
    engine = ServedEngine(address, tmp_path)
    policy = published(engine, language)
    asked = requests(language)

    def apart() -> float:
        return farthest(language.model, asked, policy.write(asked, MOST), temperature=1.0)

    def sent() -> list[str]:
        return [each.name.rpartition("-")[2] for each in engine._folder.iterdir()]

    policy.publish(0)
    assert apart() < 1e-4
    shake(language.model)
    policy.publish(1)
    assert apart() < 1e-4
    assert policy.write(asked, MOST) == policy.write(asked, MOST)
    assert sent() == ["000002"]

    shake(language.model, seed=2)
    whole = engine._ask
    with monkeypatch.context() as patch:
        patch.setattr(
            engine,
            "_ask",
            lambda route, body=None: {"success": True} if "reset" in route else whole(route, body),
        )
        with pytest.raises(DriftError, match="after publish 3"):
            policy.publish(2)
    policy.publish(2)

    adapter.attach(language.model, "policy", rank=4, alpha=8, weights_seed=0)
    adapter.speak(language.model, "policy")
    adapter.learn(language.model, "policy")
    for number in range(2):
        shake(language.model, seed=3 + number)
        policy.publish(3 + number)
        assert apart() < 1e-4
    assert sent() == ["000006"]

    with pytest.raises(ServerError, match="answers /v1/nothing with 404"):
        engine._ask("/v1/nothing")

    dead = engine
    dead._held.close()  # as the system does for a process that is killed
    engine = ServedEngine(address, tmp_path)
    policy = published(engine, language)
    for number in range(2):  # counted from 1 again, with weights of its own
        shake(language.model, seed=5 + number)
        policy.publish(number)
        assert apart() < 1e-4
    served = [model["id"] for model in engine._ask("/v1/models")["data"]]
    assert served[1:] == [engine._policy]
    assert not dead._folder.exists()
