"""A run that was stopped, killed or crashed ends as the unbroken one, byte for byte."""

import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.__main__ import main
from sepo_trainer.runs import session
from sepo_trainer.runs.run_folder import run_path

VARIANTS = {
    "defaults": [],
    "all that has a memory": [
        *("--learning.advantage", "rae", "--objective.exploiter", "average"),
        *("--reference.kind", "refresh", "--reference.every", "2", "--reference.kl-move", "0.1"),
        *("--learning.epochs", "2", "--learning.minibatches", "2"),
        *("--objective.budget.exploitability", "0", "--objective.budget.step", "0.5"),
        *("--objective.budget.delay", "0", "--selfplay.kind", "snapshots"),
        *("--selfplay.every", "2", "--selfplay.keep", "2", "--objective.curriculum", "0.3"),
    ],
    "two optimisers and own deals": [
        *("--learning.optimizer", "muon", "--rollout.deals", "2", "--rollout.own-deals", "true"),
        *("--reference.kind", "refresh", "--reference.every", "4", "--reference.kl-move", "0.1"),
    ],
}
"""Running baselines, past responses, a magnet, a multiplier, snapshots of the policy; an optimiser,
or two, is always there. In the last, the magnet comes after the first checkpoint."""


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """Pictures take longer than the runs, and `test_report` has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def settings(warm_model, tmp_path_factory) -> Callable[[Path, str], list[str]]:
    """The command line of a six-iteration run, named and placed."""
    model = str(warm_model("fresh"))

    def command(folder: Path, variant: str = "defaults") -> list[str]:
        return [
            *("train", "--runs", str(folder.parent), "--name", folder.name, "--model.path", model),
            *("--warm-start.steps", "2", "--warm-start.episodes", "100"),
            *("--learning.iterations", "6", "--checkpoint-every", "3", "--rollout.group-size", "2"),
            *VARIANTS[variant],
        ]

    return command


@pytest.fixture(scope="module")
def unbroken(settings, tmp_path_factory) -> dict[str, Path]:
    folders = {}
    for number, variant in enumerate(VARIANTS):
        folders[variant] = tmp_path_factory.mktemp("unbroken") / f"run-{number}"
        assert main(settings(folders[variant], variant)) == 0
    return folders


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_equal_runs(one: Path, other: Path) -> None:
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    results = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    for result in results:
        del result["seconds"], result["finished"]
    assert results[0] == results[1]


def crash_after_its_first_checkpoint(finished: Path, folder: Path) -> None:
    """What a run killed in its sixth iteration leaves, a half-written line included."""
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "checkpoints/000006")
    shutil.rmtree(folder / "model")
    (folder / "result.json").unlink()
    text = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(text[:5]) + text[5][:40])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_policy_really_learns_in_these_runs(unbroken, variant):
    """Else every resumed run would equal every other."""
    found = lines(unbroken[variant])
    assert [line["iteration"] for line in found] == [0, 1, 2, 3, 4, 5]
    assert len({line["exploitability"] for line in found}) == 6
    assert all(line["gradient_norm"] > 0 for line in found)


def test_what_holds_the_format_stays_the_warm_start_and_what_pulls_moves_follows(unbroken):
    places = unbroken["all that has a memory"] / "checkpoints"
    parts = ("reference", "magnet", "model")
    early, late = (
        [(places / number / f"{part}.safetensors").read_bytes() for part in parts]
        for number in ("000003", "000006")
    )
    fixed = unbroken["defaults"] / "checkpoints/000003/reference.safetensors"
    assert early[0] == late[0] == fixed.read_bytes() not in (early[2], late[2])
    assert early[1] not in (late[1], early[2])
    assert late[1] == late[2]
    delayed = unbroken["two optimisers and own deals"] / "checkpoints"
    assert not (delayed / "000003/magnet.safetensors").exists()
    assert (delayed / "000006/magnet.safetensors").exists()


def test_equal_seeds_give_equal_runs_and_other_seeds_other_runs(unbroken, settings, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    assert main(settings(again)) == 0
    assert_equal_runs(again, unbroken["defaults"])
    assert main([*settings(other), "--seed", "1"]) == 0
    assert lines(other)[0]["sampled_tokens"] != lines(again)[0]["sampled_tokens"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_three_iterations_a_crash_and_three_more_are_six(unbroken, variant, tmp_path):
    crash_after_its_first_checkpoint(unbroken[variant], tmp_path / "run")
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert_equal_runs(tmp_path / "run", unbroken[variant])


@pytest.mark.parametrize(
    "lost",
    [
        *("baselines", "past_responses", "multipliers", "reference", "magnet"),
        *("snapshot-000002", "optimizer"),
    ],
)
def test_each_part_of_the_checkpoint_is_needed_for_that(unbroken, lost, tmp_path):
    """Take one away, with checksums that vouch for the rest, and the run comes out otherwise."""
    variant = "all that has a memory"
    crash_after_its_first_checkpoint(unbroken[variant], tmp_path / "run")
    state = tmp_path / "run/checkpoints/000003/state.json"
    record = json.loads(state.read_text())
    course = record["state"]["kuhn_poker"]
    if lost == "multipliers":
        assert course[lost]["exploitability"] > 1.5  # it started there, and its budget is overrun
        course[lost]["exploitability"] = 1.5
    elif lost in course:
        assert course[lost]
        course[lost] = type(course[lost])()
    elif lost in ("reference", "magnet", "snapshot-000002"):
        model, file = (state.with_name(f"{name}.safetensors") for name in ("model", lost))
        assert file.read_bytes() != model.read_bytes()
        shutil.copy(model, file)
    else:
        saved = checkpoints.load(state.parent)
        emptied = {**saved.tensors, "optimizer": {}}
        shutil.rmtree(state.parent)  # a checkpoint is never written over another
        checkpoints.save(state.parent.parent, replace(saved, tensors=emptied))
        record = json.loads(state.read_text())
    state.write_text(json.dumps(record))
    checkpoints.seal(state.parent)
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    model = "model/model.safetensors"
    assert (tmp_path / "run" / model).read_bytes() != (unbroken[variant] / model).read_bytes()


def test_a_finished_run_resumes_to_what_it_is(unbroken, tmp_path):
    shutil.copytree(unbroken["defaults"], tmp_path / "run")
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert_equal_runs(tmp_path / "run", unbroken["defaults"])


def launch(arguments: list[str], *, until: Path, iterations: int) -> subprocess.Popen[str]:
    """A trainer of its own, once its metrics tell of so many iterations."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sepo_trainer", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    metrics = until / "metrics.jsonl"
    while not metrics.exists() or metrics.read_text().count("\n") < iterations:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it has not come so far in two minutes"
        time.sleep(0.005)
    return process


def test_a_killed_run_goes_on_from_its_last_checkpoint(unbroken, settings, tmp_path):
    folder = tmp_path / "run"
    process = launch(settings(folder), until=folder, iterations=4)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "result.json").exists()
    assert main(["train", "--resume", str(folder)]) == 0
    assert_equal_runs(folder, unbroken["defaults"])


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminate"])
def test_a_run_asked_to_stop_ends_its_iteration_saves_and_says_how_to_go_on(
    unbroken, settings, tmp_path, asked
):
    folder = tmp_path / "run"
    process = launch(settings(folder), until=folder, iterations=1)
    process.send_signal(asked)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    done = len(lines(folder))
    assert f"sepo_trainer: stopped after iteration {done}, and saved." in said
    assert said.count("\n") == 1
    assert f"--resume {folder}" in said
    assert (folder / f"checkpoints/{done:06d}").is_dir()
    assert main(["train", "--resume", str(folder)]) == 0
    assert_equal_runs(folder, unbroken["defaults"])


def test_a_run_asked_to_stop_after_it_chose_what_to_save_stops_one_iteration_later(
    settings, tmp_path, monkeypatch, capsys
):
    """Else it would say that it saved what it did not."""
    folder, check = tmp_path / "run", session._check_fouls

    def check_and_ask(run, lines, iteration) -> None:
        if iteration == 0:
            signal.raise_signal(signal.SIGTERM)
        check(run, lines, iteration)

    monkeypatch.setattr(session, "_check_fouls", check_and_ask)
    assert main(settings(folder)) == 130
    assert "stopped after iteration 2, and saved." in capsys.readouterr().err
    assert (folder / "checkpoints/000002").is_dir()


@pytest.mark.parametrize("part", ["final_worth", "_warm_start"])
def test_a_run_that_is_stopped_at_once_says_how_to_go_on(
    settings, tmp_path, monkeypatch, capsys, part
):
    """In the evaluation, when all iterations are saved, the first Ctrl-C stops it."""
    folder = tmp_path / "run"

    def pressed(*given):
        raise KeyboardInterrupt  # as Python does, unless what started it has SIGINT ignored

    with monkeypatch.context() as patched:
        patched.setattr(session, part, pressed)
        assert main(settings(folder)) == 130
    said = capsys.readouterr().err
    assert said.startswith("sepo_trainer: stopped. What was saved before stands. Go on with: ")
    assert said.endswith(f"train --resume {folder}\n")
    assert not (folder / "result.json").exists()
    assert main(["train", "--resume", str(folder)]) == 0
    assert (folder / "result.json").exists()


def test_a_run_asked_to_stop_in_its_last_iteration_stops_before_it_is_evaluated(
    settings, tmp_path, monkeypatch, capsys
):
    folder, line = tmp_path / "run", session.metrics_line

    def line_and_ask(step):
        if step.iteration == 5:
            signal.raise_signal(signal.SIGINT)
        return line(step)

    monkeypatch.setattr(session, "metrics_line", line_and_ask)
    monkeypatch.setattr(session, "final_worth", lambda run: pytest.fail("it was evaluated"))
    assert main(settings(folder)) == 130
    said = capsys.readouterr().err
    assert "stopped after iteration 6, and saved. Go on with: " in said
    assert said.endswith(f"train --resume {folder}\n")


def refused(capsys, arguments: list[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("sepo_trainer: ")
    assert said.count("\n") == 1
    return said


@pytest.fixture
def crashed(unbroken, tmp_path) -> Path:
    crash_after_its_first_checkpoint(unbroken["defaults"], tmp_path / "run")
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("how", ["truncated", "altered"])
def test_a_damaged_checkpoint_is_refused_and_the_run_left_alone(crashed, capsys, how):
    path = crashed / "checkpoints/000003/model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-100] if how == "truncated" else data[:-1] + bytes([data[-1] ^ 1]))
    before = contents(crashed)
    said = refused(capsys, ["train", "--resume", str(crashed)])
    assert "it was shortened or altered. Delete this folder to go on" in said
    after = contents(crashed)
    assert {name: after[name] for name in before} == before


def test_a_checkpoint_of_another_model_is_refused_by_name(crashed, capsys, tmp_path):
    other = tmp_path / "other"
    narrow = ("--model.hidden", "64", "--warm-start.steps", "0")
    assert main(["warm-start", *narrow, "--to", str(other)]) == 0
    config = crashed / "config.toml"
    config.write_text(re.sub(r"(?m)^path = .*$", f'path = "{other}"', config.read_text()))
    said = refused(capsys, ["train", "--resume", str(crashed)])
    assert "is of another model" in said
    assert "Use the model and adapter settings that the run was started with." in said


def test_a_resume_under_other_settings_is_refused_and_told_what_differs(crashed, capsys):
    said = refused(
        capsys, ["train", "--resume", str(crashed), "--learning.clip", "0.1", "--seed", "3"]
    )
    assert "seed: 0 -> 3; learning.clip: 0.2 -> 0.1" in said
    assert "iterations" not in said


def test_a_resume_may_repeat_the_runs_own_settings(crashed, unbroken):
    """And may name the run by its place and name."""
    place = ["--runs", str(crashed.parent), "--learning.iterations", "6"]
    assert main(["train", "--resume", crashed.name, *place]) == 0
    assert_equal_runs(crashed, unbroken["defaults"])


def test_a_run_is_named_by_its_folder_or_as_it_is_called_under_runs(tmp_path, monkeypatch):
    """Where it is neither, the folder is missed if it was written as one."""
    monkeypatch.chdir(tmp_path)
    runs = Path("runs")
    for place in ("runs/mine", "runs/deep/er", "beside"):
        Path(place).mkdir(parents=True)
        (Path(place) / "config.toml").touch()
    Path("docs").mkdir()
    (runs / "docs").mkdir()
    (runs / "docs/config.toml").touch()
    for name, meant in {
        "mine": "runs/mine",
        "runs/mine": "runs/mine",
        "deep/er": "runs/deep/er",
        "beside": "beside",
        "docs": "runs/docs",  # the one beside holds no run
        "nowhere": "runs/nowhere",
        "runs/nowhere": "runs/nowhere",
    }.items():
        assert run_path(name, runs) == Path(meant), name


def test_a_resume_without_a_name_takes_the_newest_run(crashed, unbroken):
    assert main(["train", "--runs", str(crashed.parent), "--resume"]) == 0
    assert_equal_runs(crashed, unbroken["defaults"])


def test_what_cannot_be_resumed_is_said(tmp_path, capsys, crashed):
    said = refused(capsys, ["train", "--resume", str(crashed.parent / "rum")])
    assert "is no run folder: it holds no config.toml. There are: run." in said
    said = refused(capsys, ["train", "--runs", str(tmp_path / "none"), "--resume"])
    assert f"there is no run under {tmp_path / 'none'}/ to resume" in said


def test_a_run_that_another_process_holds_is_left_alone(crashed, capsys):
    with (crashed / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = refused(capsys, ["train", "--resume", str(crashed)])
    assert "another process is training in" in said


def test_before_its_first_checkpoint_a_run_starts_anew(crashed, unbroken):
    shutil.rmtree(crashed / "checkpoints")
    assert main(["train", "--resume", str(crashed)]) == 0
    assert_equal_runs(crashed, unbroken["defaults"])
