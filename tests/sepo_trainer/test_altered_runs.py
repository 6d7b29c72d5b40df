"""A run folder that somebody changed: what it says of its policy has to stay true."""

import json
import re
import shutil
from pathlib import Path

import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session


@pytest.fixture(scope="module")
def finished(warm_model, tmp_path_factory) -> Path:
    """A run of two iterations, each with a checkpoint."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    command = (
        *("train", "--runs", str(folder.parent), "--name", folder.name),
        *("--model.path", str(warm_model("fresh")), "--warm-start.steps", "0"),
        *("--learning.iterations", "2", "--checkpoint-every", "1", "--rollout.group-size", "2"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        assert main(list(command)) == 0
    return folder


@pytest.fixture
def crashed(finished, tmp_path, monkeypatch) -> Path:
    """What it leaves when it is killed in its second iteration."""
    monkeypatch.setattr(session, "write_report", lambda folder: None)
    folder = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints/000002")
    shutil.rmtree(folder / "model")
    (folder / "result.json").unlink()
    return folder


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("seed = 0", "seed = 7", "seed: 0 -> 7"),
        ("iterations = 2", "iterations = 9", "learning.iterations: 2 -> 9"),
    ],
)
@pytest.mark.parametrize("command", [["train", "--resume"], ["evaluate"]])
def test_settings_that_were_edited_since_are_not_taken_for_those_of_the_policy(
    finished, tmp_path, capsys, command, line, instead, told
):
    folder = shutil.copytree(finished, tmp_path / "run")
    config = folder / "config.toml"
    edited = config.read_text().replace(f"{line}\n", f"{instead}\n")
    assert edited != config.read_text()
    config.write_text(edited)
    assert main([*command, str(folder)]) == 2
    said = capsys.readouterr().err
    assert "was changed since the run was saved" in said
    assert told in said
    assert (folder / "result.json").read_bytes() == (finished / "result.json").read_bytes()


def test_a_run_whose_metrics_are_gone_is_not_resumed(crashed, capsys):
    (crashed / "metrics.jsonl").unlink()
    assert main(["train", "--resume", str(crashed)]) == 2
    assert "lacks 1 of the 1 iterations done so far (first: 0)" in capsys.readouterr().err


def test_a_model_that_was_moved_may_be_named_anew(crashed, finished, tmp_path):
    config = crashed / "config.toml"
    (path,) = re.findall(r'^path = "(.*)"$', config.read_text(), flags=re.MULTILINE)
    moved = shutil.copytree(path, tmp_path / "moved")
    config.write_text(config.read_text().replace(path, str(moved)))
    assert main(["train", "--resume", str(crashed)]) == 0
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (crashed / name).read_bytes() == (finished / name).read_bytes()
    assert json.loads((crashed / "result.json").read_text())["iterations"] == 2
