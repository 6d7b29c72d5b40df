"""The command that a record names measures the same again, and misuse is told in one paragraph."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from benchmarks import credit_ablation, paper_table, quoted, readme, speed, time_to_equilibrium
from benchmarks.command_line import (
    BenchmarkError,
    changed,
    check_writable,
    command,
    config_digest,
    guarded,
    settings,
)
from sepo_trainer.settings.config import RunConfig


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["--learning.iterations", "7", "--learning.learning-rate", "1e-5"],
        ["--rollout.deals", "12", "--objective.scale", "2.5", "--model.path", "models/my warm"],
        ["--game.options.hands", "6", "--reference.kind", "refresh", "--reference.kl-move", "1"],
    ],
)
def test_the_recorded_command_gives_the_same_settings(overrides):
    config = settings(overrides)
    words = shlex.split(command("benchmarks.speed", config, "--step"))
    assert words[:4] == ["python", "-m", "benchmarks.speed", "--step"]
    assert settings(words[4:]) == config


def test_a_file_of_settings_is_written_out_in_the_command(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("[learning]\niterations = 7\n")
    config = settings(["--learning.clip", "0.1"], file=file)
    assert changed(config) == {"learning.iterations": 7, "learning.clip": 0.1}
    assert settings(shlex.split(command("benchmarks.speed", config))[3:]) == config


def test_the_digest_is_of_the_settings_and_not_of_seed_and_place():
    base = config_digest(RunConfig())
    assert config_digest(RunConfig(seed=3, name="x")) == base
    assert config_digest(settings(["--learning.iterations", "7"])) != base
    assert config_digest(settings(["--threads", "2"])) != base


def test_what_the_benchmark_chooses_cannot_be_set():
    with pytest.raises(BenchmarkError, match="'seed' is chosen by the benchmark itself"):
        settings(["--seed", "3"])


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        (time_to_equilibrium, ["--learning.iteratons", "3"], "Did you mean 'iterations'?"),
        (time_to_equilibrium, ["--seeds", "none"], "'none' is no whole number from 1 up"),
        (time_to_equilibrium, ["--name", "a/b"], "cannot be a file's name"),
        (credit_ablation, ["--game.name", "poker"], "no domain 'poker'. Did you mean 'kuhn_poker'"),
        (time_to_equilibrium, ["--game.options.hads", "3"], "KuhnPoker has: hands"),
        (paper_table, ["--write", "--results", "nowhere"], "nowhere/credit_ablation holds none of"),
        (credit_ablation, ["--arms", "credited,scared"], "is no list of arms: name credited"),
        (paper_table, ["--games", "chess"], "there is no domain 'chess'"),
        (credit_ablation, ["--arms", "shared"], "is no list of arms: name credited"),
        (credit_ablation, ["--objective.penalty-credit", "shared"], "Use --arms"),
        (speed, ["--config", "nowhere.toml"], "there is no file nowhere.toml"),
        (readme, ["--readme", "nowhere.md"], "lacks the markers"),
        (quoted, ["nowhere.md"], "there is no page nowhere.md"),
    ],
)
def test_misuse_is_told_in_one_paragraph(module, arguments, said, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", *arguments])
    try:
        status = guarded(module.main, module.__name__)
    except SystemExit as ended:  # argparse
        status = ended.code
    assert status == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--runs", "--results"])
@pytest.mark.parametrize("module", [credit_ablation, time_to_equilibrium, paper_table])
def test_a_place_that_cannot_be_written_is_told_before_any_work(module, option, tmp_path):
    (tmp_path / "file").touch()
    places = {"--runs": tmp_path / "runs", "--results": tmp_path / "results"}
    places[option] = tmp_path / "file" / "x"
    told = rf"file/x cannot be written \(Not a directory\)\. Choose another place with {option}"
    with pytest.raises(BenchmarkError, match=told):
        module.main([str(word) for place in places.items() for word in place])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path):
    check_writable("--runs", tmp_path / "new" / "deep")
    assert not list(tmp_path.iterdir())
    with pytest.raises(BenchmarkError, match="cannot be written"):
        check_writable("--runs", Path(os.devnull))


@pytest.mark.parametrize(
    "module", [time_to_equilibrium, credit_ablation, paper_table, speed, readme, quoted]
)
def test_help_says_what_is_measured(module, capsys):
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    assert module.__doc__.splitlines()[0][:40] in capsys.readouterr().out
