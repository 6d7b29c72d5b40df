"""A server that outlives the runs it serves, here a stand-in with vLLM's manners.

Like vLLM 0.32.0 it refuses a name that it knows, keeps what it read by the adapter's name and path
whatever becomes of the weights there, and takes from its own defaults what a request leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import pytest
import torch
from safetensors.torch import load_file

from sepo_trainer.learning.importance import DriftError
from sepo_trainer.policy import adapter
from sepo_trainer.policy.model import tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Request
from sepo_trainer.samplers import vllm_server
from sepo_trainer.samplers.choice import canary_prompts
from sepo_trainer.samplers.published import UNBENT, PublishedPolicy
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.samplers.vllm_server import ServedEngine, ServerError

LANGUAGE = tiny(hidden=32, layers=1, heads=2, run_seed=0)
RENDERER = Renderer(LANGUAGE.tokenizer)
BENDING = ("top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
"""What vLLM 0.32.0 reads from a model's `generation_config.json` where a request is silent, besides
the temperature."""


class Server(ThreadingHTTPServer):
    """One model, and the adapters that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.base = deepcopy(LANGUAGE.model)
        self.adapters: dict[str, tuple[str, torch.nn.Module]] = {}
        self.read: dict[tuple[str, str], torch.nn.Module] = {}
        """The weights that a prompt was first read with: they stay, as keys and values do."""
        self.busy = False
        self.lock = Lock()

    def answer(self, route: str, body: dict) -> tuple[int, object]:
        match route:
            case "/v1/models":
                loaded = [{"id": name, "root": at} for name, (at, _) in self.adapters.items()]
                return 200, {"data": [{"id": "served", "root": "models/mine"}, *loaded]}
            case "/v1/load_lora_adapter":
                name, path = body["lora_name"], body["lora_path"]
                if name in self.adapters:
                    return 400, f"The lora adapter '{name}' has already been loaded."
                model = deepcopy(self.base)
                adapter.attach_saved(model, "policy", Path(path))
                adapter.speak(model, "policy")
                self.adapters[name] = path, model
                return 200, "Success"
            case "/v1/unload_lora_adapter":
                return (200, "Success") if self.adapters.pop(body["lora_name"], None) else (404, "")
            case "/collective_rpc":
                at = Path(body["kwargs"]["weights_path"]) / "model.safetensors"
                self.base.load_state_dict(load_file(at), strict=False)
                return 200, {"results": [None]}
            case "/reset_prefix_cache":
                if not self.busy:
                    self.read.clear()
                return 200, {"success": not self.busy}
            case "/v1/completions":
                return 200, self.complete(body)
        return 404, "Not Found"

    def complete(self, body: dict) -> dict:
        path, model = self.adapters.get(body["model"], ("", deepcopy(self.base)))
        bent = any(name not in body for name in BENDING)
        sampler = TransformersSampler(
            self.read.setdefault((body["model"], path), model),
            end_ids=tuple(body["stop_token_ids"]),
            pad_id=RENDERER.pad_id,
            temperature=body["temperature"] * (1.3 if bent else 1.0),
            max_new_tokens=body["max_tokens"],
        )
        [reply] = sampler.generate([Request(tuple(body["prompt"]), body["seed"])])
        told = {"token_logprobs": reply.logprobs}
        return {"choices": [{"token_ids": reply.output_ids, "logprobs": told}]}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        with self.server.lock:
            status, said = self.server.answer(self.path, body)
        told = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def adapted(seed: int) -> torch.nn.Module:
    """The model with an adapter that has learned something; another one for another seed."""
    model = deepcopy(LANGUAGE.model)
    adapter.attach(model, "policy", rank=4, alpha=8, weights_seed=seed)
    adapter.speak(model, "policy")
    adapter.learn(model, "policy")
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in adapter.tensors(model, "policy").values():
            weight.add_(0.1 * torch.randn(weight.shape, generator=rng))
    return model


def policy(engine: ServedEngine, model: torch.nn.Module) -> PublishedPolicy:
    return PublishedPolicy(
        engine,
        model,
        end_ids=RENDERER.end_ids,
        pad_id=RENDERER.pad_id,
        temperature=1.0,
        prompts=canary_prompts(RENDERER)[:4],
        most_drift=1e-3,
    )


def kill(engine: ServedEngine) -> None:
    """What a kill leaves: the lock is free, and nothing is cleared away."""
    engine._held.close()


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_resumed_run_goes_on_with_the_server_that_the_killed_one_used(server, tmp_path):
    """It counts its publishes from 1 again, with other weights."""
    dead = ServedEngine(server.address, tmp_path)
    before = policy(dead, adapted(1))
    before.publish(0)
    before.publish(1)
    [left] = server.adapters
    kill(dead)
    engine = ServedEngine(server.address, tmp_path)
    assert server.adapters == {}
    assert there(tmp_path) == sorted([engine._folder.name, f"{engine._folder.name}.lock"])
    after = policy(engine, adapted(2))
    for version in range(3):
        after.publish(version)
        assert after.try_out("now").drift < 1e-5
        assert len(server.adapters) == 1
    assert left not in server.adapters
    assert len({name for name, _ in server.read}) == 5


def test_two_living_runs_leave_each_other_alone(server, tmp_path):
    """On one server and in one folder."""
    mine, theirs = (
        policy(ServedEngine(server.address, tmp_path), adapted(seed)) for seed in (1, 2)
    )
    for version in range(2):
        mine.publish(version)
        theirs.publish(version)
        ServedEngine(server.address, tmp_path)  # and a third, which is gone at once
        assert mine.try_out("now").drift < 1e-5
        assert theirs.try_out("now").drift < 1e-5
    assert len(server.adapters) == 2


def test_what_others_have_loaded_stays(server, tmp_path):
    """Adapters that were not sent through this folder."""
    elsewhere = ServedEngine(server.address, tmp_path / "elsewhere")
    policy(elsewhere, adapted(1)).publish(0)
    kill(elsewhere)
    ServedEngine(server.address, tmp_path / "here")
    assert len(server.adapters) == 1


def test_a_run_that_ends_leaves_no_weights_behind(server, tmp_path):
    engine = ServedEngine(server.address, tmp_path)
    policy(engine, adapted(1)).publish(0)
    assert len(there(engine._folder)) == 1
    del engine
    assert there(tmp_path) == []
    ServedEngine(server.address, tmp_path)
    assert server.adapters == {}


def test_whole_weights_are_sent_and_what_was_read_before_is_forgotten(server, tmp_path):
    model = deepcopy(LANGUAGE.model)
    shared = policy(ServedEngine(server.address, tmp_path), model)
    for version in range(2):
        shared.publish(version)
        assert shared.try_out("now").drift < 1e-5
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(1.3)
    server.busy = True
    with pytest.raises(ServerError, match="keeps what it read under earlier weights"):
        shared.publish(2)
    assert shared.version is None


@pytest.mark.parametrize("name", BENDING)
def test_nothing_that_bends_the_softmax_is_left_to_the_servers_defaults(
    server, tmp_path, monkeypatch, name
):
    shared = policy(ServedEngine(server.address, tmp_path), deepcopy(LANGUAGE.model))
    shared.publish(0)
    monkeypatch.setattr(
        vllm_server, "UNBENT", {key: value for key, value in UNBENT.items() if key != name}
    )
    with pytest.raises(DriftError):
        shared.publish(1)
