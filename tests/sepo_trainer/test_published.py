"""A policy in an engine of its own, which here is transformers with a copy of the weights."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from sepo_trainer.learning.importance import DriftError
from sepo_trainer.learning.readback import Written, read_back
from sepo_trainer.policy.model import tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Request
from sepo_trainer.samplers import choice, vllm
from sepo_trainer.samplers.choice import canary_prompts
from sepo_trainer.samplers.published import (
    PublishedPolicy,
    PublishedSampler,
    adapter_name,
    fresh_name,
)
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.samplers.vllm import ColocatedEngine
from sepo_trainer.samplers.vllm_server import ServedEngine, ServerError
from sepo_trainer.settings.config import ConfigError
from sepo_trainer.settings.resolve import build
from sepo_trainer.train import prepare, train
from tests.sepo_trainer.runs import run_with

RENDERER = Renderer(tiny(hidden=32, layers=1, heads=2, run_seed=0).tokenizer)


class CopyEngine:
    """Writes with a copy of the weights; ``heat`` times as hot as it is told to. A ``raw`` one
    tells the log-probs of what it wrote from before the temperature."""

    def __init__(self, *, heat: float = 1.0, raw: bool = False) -> None:
        self.heat, self.raw = heat, raw
        self.model = None
        self.called: list[str] = []

    def take(self, model, number):
        self.called.append(f"take {number}")
        self.model = deepcopy(model)

    def write(self, requests, sampling):
        self.called.append("write")
        replies = TransformersSampler(
            self.model,
            end_ids=sampling.end_ids,
            pad_id=RENDERER.pad_id,
            temperature=self.heat * sampling.temperature,
            max_new_tokens=sampling.max_new_tokens,
        ).generate(requests)
        if not self.raw:
            return replies
        written = [
            Written(request.prompt_ids, reply.output_ids, (True,) * len(reply.output_ids))
            for request, reply in zip(requests, replies, strict=True)
        ]
        raw = read_back(self.model, written, pad_id=RENDERER.pad_id, temperature=1.0)
        return [reply._replace(logprobs=told) for reply, told in zip(replies, raw, strict=True)]

    def sleep(self):
        self.called.append("sleep")

    def wake(self):
        self.called.append("wake")


def policy(engine, *, temperature=1.0, most_drift=1e-3) -> PublishedPolicy:
    return PublishedPolicy(
        engine,
        tiny(hidden=32, layers=1, heads=2, run_seed=0).model,
        end_ids=RENDERER.end_ids,
        pad_id=RENDERER.pad_id,
        temperature=temperature,
        prompts=canary_prompts(RENDERER),
        most_drift=most_drift,
    )


def asked() -> list[Request]:
    return [Request(canary_prompts(RENDERER)[0], seed) for seed in range(3)]


def shake(model) -> None:
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.3)


def test_there_are_eight_fixed_prompts_longer_than_a_block_of_any_cache():
    """vLLM's blocks hold 16 tokens, on a CPU up to 128; and no two begin alike."""
    prompts = canary_prompts(RENDERER)
    assert len(prompts) == len(set(prompts)) == 8
    assert min(map(len, prompts)) > 128


def test_all_samplers_of_a_policy_publish_it_once_per_version():
    engine = CopyEngine()
    shared = policy(engine)
    first, second = (PublishedSampler(shared, max_new_tokens=4) for _ in range(2))
    for version in (0, 1, 7, 1):
        first.publish(version)
        second.publish(version)
        assert first.version == second.version == version
    takes = [call for call in engine.called if call.startswith("take")]
    assert takes == ["take 1", "take 2", "take 3", "take 4"]


def test_no_adapter_is_called_like_an_earlier_one():
    names = {adapter_name(fresh_name(), number) for _ in range(10) for number in range(100)}
    assert len(names) == 1000


def test_an_engine_with_the_learners_weights_passes_at_any_temperature():
    for temperature in (0.5, 1.0, 2.0):
        shared = policy(CopyEngine(), temperature=temperature)
        shared.publish(0)
        assert shared.try_out("now").drift < 1e-5


def test_an_engine_that_renders_log_probs_at_another_temperature_does_not():
    with pytest.raises(DriftError, match=r"after publish 1 .*, on fixed prompts"):
        policy(CopyEngine(heat=1.1)).publish(0)


@pytest.mark.parametrize("heat", [1.0, 0.3])
def test_an_engine_that_tells_log_probs_from_before_the_temperature_does_not(heat):
    """At temperature 1 they are those that the learner finds, even if what it wrote was drawn at
    0.3: so the first copy is tried at another one, too."""
    engine = CopyEngine(heat=heat, raw=True)
    shared = policy(engine)
    engine.take(shared.model, 1)
    assert shared.try_out("at the run's own temperature").drift < 1e-5
    with pytest.raises(
        DriftError, match=r"after publish 1 and at temperature 2, .*--logprobs-mode"
    ):
        shared.publish(0)


def test_an_engine_that_kept_the_old_weights_is_found_out_and_may_try_again():
    engine = CopyEngine()
    shared = policy(engine)
    shared.publish(0)
    stale = engine.model
    shake(shared.model)
    taking, engine.take = engine.take, lambda model, number: setattr(engine, "model", stale)
    with pytest.raises(DriftError):
        shared.publish(1)
    for asking in (
        lambda: shared.write(asked(), 4),
        lambda: PublishedSampler(shared, max_new_tokens=4).version,
    ):
        with pytest.raises(RuntimeError, match="publishes, and with success, before it plays"):
            asking()
    engine.take = taking
    shared.publish(1)
    assert shared.version == 1


def test_after_a_rest_it_is_woken_and_tried_out_before_it_writes():
    engine = CopyEngine()
    shared = policy(engine)
    shared.rest()
    assert engine.called == []  # nothing is in it yet
    shared.publish(0)
    shared.rest()
    shared.rest()
    shared.write(asked(), 4)
    shared.rest()
    shared.publish(1)
    shared.write([], 4)
    assert engine.called == [
        *("take 1", "write", "write", "sleep"),
        *("wake", "write", "write", "sleep"),
        *("wake", "take 2", "write"),
    ]


def test_an_earlier_policy_writes_in_this_process():
    sampler = PublishedSampler(policy(CopyEngine()), max_new_tokens=4)
    sampler.publish(0)
    earlier = deepcopy(sampler.policy.model)
    shake(sampler.policy.model)
    sampler.publish(1)
    theirs = sampler.with_weights_of(earlier).generate(asked())
    assert theirs != sampler.generate(asked())
    assert len(theirs[0].output_ids) <= 4


def learn(warm_model, monkeypatch, engine, **settings) -> dict[str, float]:
    """The statistics of one iteration that ``engine`` played."""
    monkeypatch.setattr(choice, "_engine", lambda settings: engine)
    run = run_with(
        warm_model("fresh"),
        sampler={"engine": "vllm", **settings},
        learning={"iterations": 1},
        warm_start={"steps": 0},
    )
    prepare(run, lambda step, loss: None)
    found = []
    train(run, lambda steps: found.extend(steps))
    [step] = found
    return step.stats


def test_a_run_learns_from_a_faithful_engine_as_from_transformers(warm_model, monkeypatch):
    engine = CopyEngine()
    through = learn(warm_model, monkeypatch, engine)
    run = run_with(warm_model("fresh"), learning={"iterations": 1})
    steps = []
    train(run, lambda done: steps.extend(done))
    plain = steps[0].stats
    assert {name: through[name] for name in plain} == pytest.approx(plain, rel=1e-3, abs=1e-6)
    assert through["sampler_drift"] < 1e-5
    assert through["sampler_capped_share"] == 0
    assert not any(name.startswith("sampler") for name in plain)
    assert engine.called.count("sleep") == 1
    assert [call for call in engine.called if "take" in call] == ["take 1", "take 2"]


def test_a_run_with_a_slightly_hotter_engine_says_so_and_goes_on_only_if_that_is_allowed(
    warm_model, monkeypatch
):
    with pytest.raises(DriftError, match="after publish 1"):
        learn(warm_model, monkeypatch, CopyEngine(heat=1.05))
    found = learn(
        warm_model, monkeypatch, CopyEngine(heat=1.05), most_drift=1.0, importance_cap=1.01
    )
    assert found["sampler_drift"] > 1e-3
    assert found["sampler_ratio_max"] > 1.01
    assert 0 < found["sampler_capped_share"] < 1
    assert found["clipped_share"] == 0  # the loss compares the learner with itself


def test_vllm_that_is_not_there_is_answered_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(vllm, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "sepo\[vllm\]"'):
        ColocatedEngine(context=100, memory_share=0.5)


def test_adapters_beyond_what_vllm_takes_are_refused():
    with pytest.raises(ValueError, match=r"rank 513 together.* at most 512"):
        vllm.rank_bound(513)


def test_a_server_that_is_not_there_is_answered_with_where_to_read_on(tmp_path):
    with pytest.raises(
        ServerError, match=r"no vLLM server answers at http://127\.0\.0\.1:1 .*docs"
    ):
        ServedEngine("http://127.0.0.1:1/", tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"server": "http://x"}, "sampler.server is 'http://x', but the engine is 'transformers'"),
        ({"engine": "vllm", "server": "http://x"}, "sampler.server .* sampler.exchange"),
        ({"importance_cap": 0.5}, "sampler.importance_cap is 0.5"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build({"sampler": settings}, source="test")


def test_settings_go_to_a_file_and_back(tmp_path: Path):
    from sepo_trainer.settings.resolve import read_toml, to_toml

    made = build(
        {"sampler": {"engine": "vllm", "server": "http://x", "exchange": str(tmp_path)}},
        source="test",
    )
    (tmp_path / "run.toml").write_text(to_toml(made))
    assert read_toml(tmp_path / "run.toml") == made
    assert json.loads(made.model_dump_json())["sampler"]["engine"] == "vllm"
