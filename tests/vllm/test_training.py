"""A whole run with vLLM's replies learns what a run with transformers' does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """Pictures take longer than an iteration, and `test_report` has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def warm(tmp_path_factory) -> Path:
    """A model after the warm start, whose exploitability is that of its demonstrators."""
    folder = tmp_path_factory.mktemp("models") / "warm"
    shape = ["--model.hidden", "64", "--model.heads", "2"]
    assert main(["warm-start", "--to", str(folder), *shape]) == 0
    return folder


def train(folder: Path, warm: Path, *settings: str) -> int:
    place = ["--runs", str(folder.parent), "--name", folder.name, "--model.path", str(warm)]
    usual = ["--warm-start.steps", "0", "--sampler.engine", "vllm"]
    return main(["train", *place, *usual, *settings])


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def learned(warm, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "learned"
    assert train(folder, warm, "--learning.iterations", "25") == 0
    return folder


def test_exploitability_falls_as_it_does_with_transformers(learned):
    """The bounds are those of the same run with transformers, in `test_learning`."""
    before, after = lines(learned)[0], json.loads((learned / "result.json").read_text())
    assert before["exploitability_low"] > 0.15
    assert after["exploitability_high"] < 0.06
    assert after["objective"] > before["objective"] + 0.2


def test_its_lines_say_how_far_sampler_and_learner_are_apart(learned):
    for line in lines(learned):
        assert 0 < line["sampler_drift"] < 1e-5
        assert line["sampler_ratio_mean"] == pytest.approx(1, abs=1e-5)
        assert 1 <= line["sampler_ratio_max"] < 1 + 1e-3
        assert line["sampler_capped_share"] == 0


def test_a_run_that_is_gone_on_with_is_the_unbroken_one(warm, tmp_path):
    """On a CPU: an iteration begins with an empty cache, and every reply has a seed of its own."""
    folder = tmp_path / "run"
    short = ["--rollout.group-size", "2", "--checkpoint-every", "2", "--learning.iterations", "4"]
    assert train(folder, warm, *short) == 0
    unbroken = (folder / "metrics.jsonl").read_bytes()
    shutil.rmtree(folder / "checkpoints/000004")  # as if it had been killed before it came to that
    assert main(["train", "--resume", str(folder)]) == 0
    assert (folder / "metrics.jsonl").read_bytes() == unbroken


def test_adapters_alone_are_sent_and_learn(warm, tmp_path):
    """One from the warm start stays frozen under the policy's; both speak in the engine."""
    folder = tmp_path / "adapted"
    stages = ["--warm-start.steps", "10", "--warm-start.episodes", "200"]
    ranks = ["--adapter.kind", "lora", "--adapter.warm-rank", "8", "--adapter.rank", "4"]
    short = ["--rollout.group-size", "4", "--learning.iterations", "4"]
    rate = ["--learning.learning-rate", "3e-3"]
    assert train(folder, warm, *stages, *ranks, *short, *rate) == 0
    found = lines(folder)
    assert all(line["sampler_drift"] < 1e-5 for line in found)
    assert found[-1]["exploitability"] < found[0]["exploitability"] - 0.02
