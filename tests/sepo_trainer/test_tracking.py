"""Trackers hear what the run's files hold, nothing else, and change nothing."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sepo_trainer.__main__ import main
from sepo_trainer.checkpoint import checkpoints
from sepo_trainer.runs import session, tracking
from sepo_trainer.runs.run_folder import read_lines
from sepo_trainer.runs.tracking import check_installed, curves, told_of, trackers
from sepo_trainer.settings.config import ConfigError, RunConfig
from sepo_trainer.settings.resolve import build, resolve

SETTINGS = [
    *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "2", "--warm-start.episodes", "20"),
    *("--learning.iterations", "4", "--checkpoint-every", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--rollout.most-fouls", "1"),
]


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """Pictures take longer than the runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tracked") / "run"
    place = ["--runs", str(folder.parent), "--name", folder.name]
    assert main(["train", *place, *SETTINGS, "--tracking.to", "tensorboard,wandb"]) == 0
    return folder


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run."""
    found = EventAccumulator(str(folder / "tracking/tensorboard"), {"scalars": 0})
    found.Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_tensorboard_shows_every_number_of_the_runs_own_files(tracked):
    """In the singles that it keeps; what is said of the last policy stands under `final`."""
    shown = scalars(tracked)
    files = read_lines(tracked / "metrics.jsonl"), read_lines(tracked / "timings.jsonl")[1:]
    assert [len(lines) for lines in files] == [4, 4]
    names = set()
    for lines in files:
        for line in lines:
            for name, value in curves(line).items():
                names.add(name)
                told = dict(shown[name])[line["iteration"]]
                assert told == pytest.approx(value, rel=1e-6), name
    final = {name for name in shown if name.startswith("final/")}
    assert shown.keys() - final == names
    result = json.loads((tracked / "result.json").read_text())
    assert shown["final/objective"] == [(4, pytest.approx(result["objective"], rel=1e-6))]


def test_all_that_should_be_watched_is_among_them(tracked):
    shown = scalars(tracked)
    terms = {"u", "e", "objective", "lambda_exploitability", "payoff_against/nash", "loss"}
    counts = {"groups", "groups_without_signal", "episodes", "rows", "foul_rate"}
    update = {"move_entropy", "kl_talk", "kl_move", "clipped_share", "gradient_norm"}
    cost = {"tokens_per_second/play", "tokens_per_second/learn", "idle_share", "waiting_share"}
    cost |= {"seconds/read", "seconds/play", "seconds/learn", "memory_bytes/host_peak"}
    assert terms | counts | update | cost <= shown.keys()


def test_all_that_is_tracked_stands_with_its_unit_on_the_page_of_measures(tracked):
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
    rows = page.split("## What a run tracks")[1].splitlines()
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    files = read_lines(tracked / "metrics.jsonl"), read_lines(tracked / "timings.jsonl")
    kept = {name for lines in files for line in lines for name in line}
    assert kept - {"iteration", "game", "table"} <= named


def test_wandb_keeps_the_run_on_this_machine(tracked):
    """Its file of records holds the names; nothing was sent, as it is offline by default."""
    wandb.teardown()  # as at a process's end: waits for the service, which writes after `finish`
    [record] = (tracked / "tracking").glob("wandb/offline-run-*/run-*.wandb")
    held = record.read_bytes()
    assert b"tokens_per_second" in held
    assert b"lambda_exploitability" in held
    lasting = (tracked / "tracking/id").read_text()
    assert record.name == f"run-{lasting}.wandb"


def test_a_tracked_run_learns_the_bytes_of_an_untracked_one(tracked, tmp_path):
    folder = tmp_path / "run"
    assert main(["train", "--runs", str(tmp_path), "--name", "run", *SETTINGS]) == 0
    assert not (folder / "tracking").exists()
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (tracked / name).read_bytes() == (folder / name).read_bytes(), name


def test_no_clock_stands_in_the_metrics(tracked):
    timed = {"seconds", "tokens_per_second", "memory_bytes", "idle_share", "waiting_share"}
    for line in read_lines(tracked / "metrics.jsonl"):
        assert not timed & line.keys()
    for line in read_lines(tracked / "timings.jsonl")[1:]:
        assert line.keys() == timed | {"iteration"}


def test_steps_done_again_after_a_crash_are_shown_once(tmp_path):
    """As an interrupted run tells them: 0 to 4, then again from 2."""
    config = build({"tracking": {"to": ["tensorboard"]}}, source="test")
    for first, last, offset in ((0, 5, 0.0), (2, 6, 10.0)):
        with trackers(config, tmp_path, iteration=first) as tell:
            for step in range(first, last):
                tell(step, {"u": step + offset})
    assert scalars(tmp_path)["u"] == [(0, 0), (1, 1), (2, 12), (3, 13), (4, 14), (5, 15)]


def test_one_process_opens_no_process_group(tmp_path):
    config = build({"tracking": {"to": ["tensorboard"]}}, source="test")
    with trackers(config, tmp_path) as tell:
        tell(0, {"u": 1.0})
    assert not torch.distributed.is_initialized()


def test_trackio_is_told_the_same(tmp_path, monkeypatch):
    """A stand-in for the package, which needs an older pillow than the tests: the calls of its
    `init`, `log` and `finish` that accelerate and we make."""
    (tmp_path / "trackio.py").write_text(
        textwrap.dedent(
            """
            heard = []

            class Run:
                def __init__(self, **about):
                    self.config = {}
                    heard.append(("init", about))

                def log(self, metrics, step=None):
                    heard.append((step, metrics))

                def finish(self):
                    heard.append(("finish", self.config["seed"]))

            def init(project, name=None, resume="never"):
                return Run(project=project, name=name, resume=resume)
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    tracking_settings = {"to": "trackio", "project": "games"}
    config = build({"seed": 7, "tracking": tracking_settings}, source="test")
    check_installed(config)
    folder = tmp_path / "a-run"
    folder.mkdir()
    with trackers(config, folder) as tell:
        tell(3, {"u": 0.5})
    heard = sys.modules.pop("trackio").heard
    assert heard == [
        ("init", {"project": "games", "name": "a-run", "resume": "allow"}),
        (3, {"u": 0.5}),
        ("finish", 7),
    ]


class FullDisk:
    """A tracker that fails in the run's last iteration."""

    def __init__(self) -> None:
        self.finished = False

    def log(self, values, step):
        if step == 3:
            raise OSError("no space left on device")

    def finish(self):
        self.finished = True
        raise OSError("no space left on device")


def test_a_tracker_that_fails_costs_no_iteration_and_leaves_none_open(tmp_path, monkeypatch):
    ones = [FullDisk(), FullDisk()]
    waiting = iter(ones)
    monkeypatch.setattr(tracking, "_open", lambda *given: next(waiting))
    place = ["--runs", str(tmp_path), "--name", "run"]
    assert main(["train", *place, *SETTINGS, "--tracking.to", "tensorboard,wandb"]) == 2
    assert [one.finished for one in ones] == [True, True]
    kept = checkpoints(tmp_path / "run/checkpoints")
    assert kept[-1].name == "000004"
    assert len(read_lines(tmp_path / "run/metrics.jsonl")) == 4


@pytest.mark.parametrize(
    ("name", "missing", "command"),
    [
        ("tensorboard", "tensorboard", 'pip install "sepo[track]"'),
        ("wandb", "accelerate", 'pip install "sepo[track]"'),
        ("trackio", "trackio", 'pip install "trackio"'),
    ],
)
def test_a_tracker_that_is_not_installed_is_told_with_the_command(
    monkeypatch, name, missing, command
):
    monkeypatch.setattr(tracking, "find_spec", lambda package: package != missing or None)
    config = build({"tracking": {"to": name}}, source="test")
    with pytest.raises(ConfigError, match=f"needs the package '{missing}'") as caught:
        check_installed(config)
    assert command in str(caught.value)


def test_several_trackers_are_named_with_commas_and_an_unknown_one_is_refused():
    assert resolve(None, ["--tracking.to", "wandb,trackio"]).tracking.to == ("wandb", "trackio")
    assert RunConfig().tracking.to == ()
    with pytest.raises(ConfigError, match=r"tracking\.to is 'tensorbored', but"):
        resolve(None, ["--tracking.to", "tensorbored"])


def test_the_games_of_a_joint_run_are_told_apart():
    lines = {"a": {"game": "a", "u": 1.0}, "b": {"game": "b", "u": 2.0}}
    assert told_of(lines) == {"a/u": 1.0, "b/u": 2.0}
    assert told_of({"a": lines["a"]}) == {"u": 1.0}
    assert told_of(lines, under="final/") == {"final/a/u": 1.0, "final/b/u": 2.0}


def test_no_tracker_is_imported_before_it_is_asked_for():
    """`--help` and a run without trackers must not wait for them."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, sepo_trainer.commands, sepo_trainer.runs.tracking\n"
            "print([n for n in ('accelerate', 'wandb', 'tensorboard', 'huggingface_hub', 'torch')"
            " if n in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
