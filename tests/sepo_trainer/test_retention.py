"""Which checkpoints stay, and which of them is the best."""

import json
from pathlib import Path

import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session
from sepo_trainer.runs.metrics import worth_of
from sepo_trainer.runs.run_folder import read_lines
from sepo_trainer.settings.config import ConfigError

SETTINGS = [
    *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "2", "--warm-start.episodes", "20"),
    *("--learning.iterations", "6", "--checkpoint-every", "1"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--rollout.most-fouls", "1"),
]


@pytest.fixture(scope="module", autouse=True)
def no_report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


def of(game: str, iteration: int, objective: float, exploitability: float = 0.0) -> dict:
    return {
        "iteration": iteration,
        "game": game,
        "objective": objective,
        "exploitability": exploitability,
    }


def test_js_of_a_joint_run_are_weighed_and_half_an_iteration_is_none():
    lines = [of("a", 0, 1.0), of("b", 0, -3.0), of("a", 1, 2.0), of("b", 1, 0.5), of("a", 2, 9.0)]
    assert worth_of(lines, "objective", {"a": 1.0, "b": 2.0}) == {0: -5.0, 1: 3.0}
    assert worth_of(lines, "none", {"a": 1.0, "b": 2.0}) == {}


def test_the_least_exploitable_is_the_best():
    lines = [of("a", 0, 5.0, 0.3), of("a", 1, 0.0, 0.1), of("a", 2, 9.0, 0.2)]
    worth = worth_of(lines, "exploitability", {"a": 1.0})
    assert max(worth, key=worth.__getitem__) == 1


@pytest.mark.parametrize("measure", ["objective", "exploitability"])
def test_a_run_keeps_its_newest_and_the_one_that_was_measured_best(tmp_path, measure):
    folder = tmp_path / "run"
    place = ["--runs", str(tmp_path), "--name", "run", "--keep.last", "1", "--keep.best", measure]
    assert main(["train", *place, *SETTINGS]) == 0
    sign = -1 if measure == "exploitability" else 1
    found = {
        line["iteration"]: sign * line[measure] for line in read_lines(folder / "metrics.jsonl")
    }
    best = max(found, key=found.__getitem__)
    kept = [int(path.name) for path in sorted((folder / "checkpoints").iterdir())]
    assert kept == [best, 6]
    assert len(set(found.values())) == 6, "the policy changed at every iteration"
    for at, number in (("best", best), ("last", 6), (str(best), best)):
        assert session.reopen(folder, at=at)[1].iteration == number
    with pytest.raises(ConfigError, match=rf"no checkpoint '99'. It has: {best}, 6"):
        session.reopen(folder, at="99")


def test_the_best_is_asked_for_where_none_is_known(tmp_path):
    place = ["--runs", str(tmp_path), "--name", "run", "--keep.best", "none"]
    assert main(["train", *place, *SETTINGS, "--learning.iterations", "2"]) == 0
    with pytest.raises(ConfigError, match=r"keep.best is 'none'.* Name one of: 1, 2\."):
        session.reopen(tmp_path / "run", at="best")


def test_an_older_policy_is_evaluated_beside_the_last(tmp_path, capsys):
    """Each evaluation has a file of its own, by checkpoint and episodes."""
    place = ["--runs", str(tmp_path), "--name", "run"]
    assert main(["train", *place, *SETTINGS, "--learning.iterations", "2"]) == 0
    folder = str(tmp_path / "run")
    assert main(["evaluate", folder, "--checkpoint", "1", "--episodes", "12"]) == 0
    assert "evaluation-000001-12-episodes.json" in capsys.readouterr().out
    assert main(["evaluate", folder, "--episodes", "24"]) == 0
    assert main(["evaluate", folder, "--episodes", "12"]) == 0
    assert sorted(path.name for path in Path(folder).glob("evaluation*")) == [
        "evaluation-000001-12-episodes.json",
        "evaluation-000002-12-episodes.json",
        "evaluation-000002-24-episodes.json",
    ]


def test_the_best_by_what_is_not_measured_is_refused_before_anything_is_written(tmp_path, capsys):
    place = ["--runs", str(tmp_path), "--name", "run", "--game.name", "prisoners_dilemma"]
    assert main(["train", *place, "--keep.best", "exploitability"]) == 2
    assert "keep.best is 'exploitability', but a game of this run is too large" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "run").exists()


def test_what_becomes_of_its_records_may_change_when_a_run_is_resumed(tmp_path):
    """Two are kept, then three; the configuration says so afterwards."""
    folder: Path = tmp_path / "run"
    place = ["--runs", str(tmp_path), "--name", "run", "--keep.best", "none"]
    assert main(["train", *place, *SETTINGS]) == 0
    before = {name: (folder / name).read_bytes() for name in ("metrics.jsonl", "config.toml")}
    assert len(list((folder / "checkpoints").iterdir())) == 2
    assert main(["train", "--resume", str(folder), "--keep.last", "3"]) == 0
    assert (folder / "metrics.jsonl").read_bytes() == before["metrics.jsonl"]
    assert b"last = 3" in (folder / "config.toml").read_bytes()
    assert json.loads((folder / "result.json").read_text())["iterations"] == 6
