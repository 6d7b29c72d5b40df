"""``python -m sepo_trainer``: what is wrong is told in one paragraph, nothing is half-written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.policy.model import tiny
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import read_toml

QUICK = [
    *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "1", "--warm-start.episodes", "20", "--rollout.max-new-tokens", "4"),
    *("--learning.iterations", "1", "--rollout.group-size", "2", "--rollout.most-fouls", "1"),
]
"""It learns next to nothing and babbles, but it comes to an end."""


def told(capsys, *arguments: str) -> str:
    """The one paragraph that a refused command leaves on stderr."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sepo_trainer: ")
    assert said.err.endswith("\n")
    assert "Traceback" not in said.err
    assert "\n\n" not in said.err
    return said.err


REFUSED = {
    ("fly",): "there is no command 'fly'. Choose one of: train, warm-start, demonstrations, evalu",
    ("train", "--learning.clipp", "1"): "'learning.clipp'. Did you mean 'clip'?",
    ("--learning.clipp", "1"): "'learning.clipp'. Did you mean 'clip'?",
    ("config", "--sead", "1"): "'sead'. Did you mean 'seed'?",
    ("train", "--rollout.group-size", "1"): "Use at least 2",
    ("train", "--seed", "-1"): "seed is -1, but",
    ("train", "--seed", "2147483648"): "seed is 2147483648, but",
    ("train", "--config", "nowhere.toml"): "there is no file nowhere.toml",
    ("train", "--game.name", "khun_poker"): "Did you mean 'kuhn_poker'?",
    ("train", "--game.name", "kuhn"): "Did you mean 'kuhn_poker'?",
    ("train", "--game.options.hand", "6"): "KuhnPoker has: hands.",
    ("train", "--game.options.hands", "0"): "a match has at least 1 hand",
    ("train", "--objective.collusion", "2"): "not defined in KuhnPoker, which is zero sum",
    ("train", "--objective.externality", "1"): "not defined in KuhnPoker, which is zero sum",
    ("train", "--model.path", "nowhere"): "nowhere holds no config.json",
    ("warm-start", "--warm-start.steps", "-5"): "warm_start.steps is -5, but",
    ("demonstrations", "--games", "khun_poker"): "Did you mean 'kuhn_poker'?",
    ("demonstrations", "--games", "kuhn_poker,kuhn_poker"): "none twice",
    ("demonstrations", "--seed", "-1"): "seed is -1, but",
    ("evaluate", "nowhere"): "nowhere is no run folder",
    ("play", "nowhere"): "nowhere is no run folder",
}


@pytest.mark.parametrize(
    ("arguments", "words"), REFUSED.items(), ids=[" ".join(a) for a in REFUSED]
)
def test_a_bad_command_says_what_to_type_instead(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in told(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate",),
        ("evaluate", "x", "--episodes", "0"),
        ("demonstrations", "--decisions", "0"),
        ("demonstrations", "--style", "terse"),
    ],
)
def test_what_argparse_refuses_is_a_usage_error_too(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    assert f"usage: python -m sepo_trainer {arguments[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("train", "--help"), ("config",)])
def test_who_closes_the_pipe_is_not_complained_to(arguments):
    """As `... | head` does, once it has seen enough."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sepo_trainer", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 1
    process.stderr.close()


def test_a_place_that_cannot_be_written_is_told_before_any_work(capsys, tmp_path):
    """Below a regular file there is no folder, whoever asks."""
    (tmp_path / "file").write_text("kept")
    place = str(tmp_path / "file/runs")
    assert "cannot be written" in told(capsys, "train", "--runs", place, *QUICK)
    assert "cannot be written" in told(
        capsys, "warm-start", "--to", str(tmp_path / "file/model"), *QUICK[:10]
    )
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_holds_something_else_is_not_replaced_by_a_model(capsys, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter-1.txt").write_text("It was a dark and stormy night.")
    said = told(capsys, "warm-start", "--to", str(tmp_path / "thesis"), *QUICK[:10])
    assert "holds something other than a model" in said
    assert (tmp_path / "thesis/chapter-1.txt").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [("seed = 'x'", "seed is 'x', but"), ("[learning", "cannot be read as TOML")],
)
def test_a_bad_file_is_named(capsys, tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(content)
    said = told(capsys, "train", "--config", "run.toml")
    assert "run.toml" in said
    assert words in said
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]


def test_a_policy_that_only_babbles_stops_the_run_and_says_what_to_change(capsys, tmp_path):
    babble = ["--runs", str(tmp_path), *QUICK, "--rollout.most-fouls", "0.5"]
    assert main(["train", *babble]) == 2
    said = capsys.readouterr().err
    assert "forfeited 100% of its decisions" in said
    assert "Give it a longer warm start" in said


def test_a_name_that_is_taken_is_told_and_the_run_there_left_alone(capsys, tmp_path):
    place = ["--runs", str(tmp_path), "--name", "mine"]
    assert main(["train", *place, *QUICK]) == 0
    before = (tmp_path / "mine/metrics.jsonl").read_bytes()
    said = told(capsys, "train", *place, "--seed", "1")
    assert "adding --resume, choose another --name, or delete the folder" in said
    assert (tmp_path / "mine/metrics.jsonl").read_bytes() == before


def test_a_run_without_a_name_takes_the_next_free_number(capsys, tmp_path):
    (tmp_path / "kuhn_poker-1").mkdir()
    assert main(["--runs", str(tmp_path), *QUICK]) == 0
    assert (tmp_path / "kuhn_poker-2/result.json").exists()
    assert f"into {tmp_path}/kuhn_poker-2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded"),
        (lambda folder: (folder / "chat_template.jinja").unlink(), "has no chat template"),
    ],
)
def test_a_model_folder_that_cannot_be_used_says_why(capsys, tmp_path, spoil, words):
    language = tiny(hidden=32, layers=1, heads=2, run_seed=0)
    language.model.save_pretrained(tmp_path / "model")
    language.tokenizer.save_pretrained(tmp_path / "model")
    spoil(tmp_path / "model")
    place = ["--model.path", str(tmp_path / "model"), "--runs", str(tmp_path / "runs")]
    assert words in told(capsys, "train", *place)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("missing", ["torch", "transformers", "pydantic"])
def test_a_missing_package_is_told_with_the_command_that_installs_it(tmp_path, missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from sepo_trainer.__main__ import main; "
        "sys.exit(main(['train', '--runs', 'runs']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"sepo_trainer: training needs the package {missing!r}, which is not installed. "
        'Install what the trainer needs with: pip install "sepo[train]"\n'
    )
    assert list(tmp_path.iterdir()) == []


def test_the_printed_settings_are_a_file_that_reads_back(capsys, tmp_path):
    assert main(["config"]) == 0
    path = tmp_path / "run.toml"
    path.write_text(capsys.readouterr().out)
    assert read_toml(path) == RunConfig()
    assert main(["config", "--config", str(path), "--seed", "7", "--learning.clip=0.1"]) == 0
    path.write_text(capsys.readouterr().out)
    found = read_toml(path)
    assert (found.seed, found.learning.clip) == (7, 0.1)


def test_help_names_every_setting_with_what_it_does(capsys):
    assert main(["--help"]) == 0
    assert "python -m sepo_trainer train --help" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for section, field in RunConfig.model_fields.items():
        settings = getattr(field.annotation, "model_fields", None)
        if section == "courses":
            continue  # of a joint run; told in the words above the list
        for name in settings or {section: field}:
            flag = f"{section}.{name}" if settings else name
            assert f"--{flag.replace('_', '-')}" in shown, flag
    assert "Rollouts" in shown or "Episodes per (pool, opponent, deal, seat)" in shown


def test_help_shows_what_the_settings_are_for_the_game_and_only_flags_that_are_taken(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--game.name", "repeated_auction", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "with what they are for repeated_auction" in shown
    assert "--learning.credit {turn,episode,counterfactual}" in shown
    assert "with those after. (default: counterfactual)" in shown
    assert "--warm-start.thoughts {True,False}" in shown
    assert main(["config", "--warm-start.thoughts", "False"]) == 0
    assert "thoughts = false" in capsys.readouterr().out


def test_a_finished_run_can_be_evaluated_and_says_how_it_was_sampled(capsys, tmp_path, warm_model):
    place = ["--runs", str(tmp_path), "--name", "mine", "--model.path", str(warm_model("fresh"))]
    assert main(["train", *place, "--warm-start.steps", "0", "--learning.iterations", "1"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "mine"), "--episodes", "240"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("KuhnPoker\nexploitability ")
    assert "SAFETY, J at " in shown
    assert "nan" not in shown
    written = json.loads((tmp_path / "mine/evaluation-000001-240-episodes.json").read_text())
    lines = written["opponents"]
    assert {line["pool"] for line in lines} == {"train", "exploit", "heldout"}
    assert all(line["matches"] == 240 for line in lines)
    assert all(line["opponent"] in shown for line in lines)
    assert written["exact"].keys() == {line["opponent"] for line in lines}
    result = json.loads((tmp_path / "mine/result.json").read_text())
    assert written["exactly"]["objective"] == pytest.approx(result["objective"])
    assert f"exactly: J {result['objective']:+.4f}, u " in shown
    assert written["c"]["value"] is None  # not defined in a zero-sum game, and no NaN in JSON


def test_weights_that_no_longer_fit_on_the_disk_are_told_in_a_sentence(tmp_path):
    """The shell's limit on the size of a file, in blocks of 1,024 bytes, stands for a full disk."""
    command = [sys.executable, "-m", "sepo_trainer", "train", "--runs", str(tmp_path), *QUICK]
    limited = ["bash", "-c", 'ulimit -f 40 && exec "$@"', "bash", *command]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "weights cannot be read or written" in ended.stderr
    assert "free some space or choose another place" in ended.stderr
    assert "Traceback" not in ended.stderr
