"""Whole runs with an engine that holds a copy: how they end when it fails, and what is left."""

from __future__ import annotations

import json

import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session
from sepo_trainer.samplers import choice, vllm
from sepo_trainer.settings.resolve import read_toml
from tests.sepo_trainer.test_commands import QUICK, told
from tests.sepo_trainer.test_published import CopyEngine

THROUGH_VLLM = ["--sampler.engine", "vllm"]


class FaultyEngine(CopyEngine):
    """Writes twice as hot as it is told to, from its second copy on."""

    def take(self, model, number):
        super().take(model, number)
        self.heat = 1.0 if number == 1 else 2.0


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    """Pictures take longer than an iteration, and `test_report` has its own."""
    monkeypatch.setattr(session, "write_report", lambda folder: None)


def run_through(engine, folder, monkeypatch, *settings: str) -> int:
    monkeypatch.setattr(choice, "_engine", lambda settings: engine)
    place = ["--runs", str(folder.parent), "--name", folder.name]
    return main(["train", *place, *QUICK, *THROUGH_VLLM, *settings])


def test_a_run_whose_engine_went_wrong_is_told_how_to_go_on_and_goes_on_so(
    capsys, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    two = ["--learning.iterations", "2"]
    assert run_through(FaultyEngine(), folder, monkeypatch, *two) == 2
    said = capsys.readouterr().err
    assert "after publish 2, on fixed prompts, " in said
    resume = ["--resume", str(folder)]
    assert said.endswith(f"Then go on with: python -m sepo_trainer train {' '.join(resume)}\n")
    assert "other settings" in told(capsys, "train", *resume, "--sampler.importance-cap", "3")
    assert main(["train", *resume, "--sampler.engine", "transformers"]) == 0
    assert read_toml(folder / "config.toml").sampler.engine == "transformers"
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0, 1]


def test_a_policy_that_learned_through_vllm_is_used_without_it_unless_that_is_asked_for(
    capsys, tmp_path, monkeypatch
):
    assert run_through(CopyEngine(), tmp_path / "run", monkeypatch) == 0
    monkeypatch.undo()
    monkeypatch.setattr(vllm, "find_spec", lambda name: None)  # on this machine it is not installed
    folder, run = session.reopen(tmp_path / "run")
    assert run.iteration == 1
    assert run.config.sampler.engine == "transformers"
    assert read_toml(folder.config).sampler.engine == "vllm"
    for command in ("evaluate", "play"):
        said = told(capsys, command, str(tmp_path / "run"), *THROUGH_VLLM)
        assert "sampler.engine is 'vllm', which is not installed" in said
