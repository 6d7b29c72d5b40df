"""A run killed by SIGKILL at any point of a step goes on to the bytes of an undisturbed one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session
from tests.sepo_trainer import killed
from tests.sepo_trainer.test_resume import assert_equal_runs, lines

SETTINGS = [
    *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "2", "--warm-start.episodes", "20"),
    *("--learning.iterations", "4", "--checkpoint-every", "2"),
    *("--keep.last", "1", "--keep.best", "none"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--rollout.most-fouls", "1"),
]
"""Four iterations of a model that babbles; checkpoints after none, two and four of them."""

KILLED_AT = {
    "in the warm start": (2, "config.toml"),
    "while playing": (10, "checkpoints/000002/state.json"),
    "with the gradient summed up": (
        5,
        "checkpoints/000002/state.json",
    ),  # two are of the warm start
    "with the weights moved": (6, "checkpoints/000002/state.json"),
    "with the weights published": (4, "checkpoints/000002/state.json"),
    "with half a line of metrics": (3, "checkpoints/000002/state.json"),
    "between metrics and timings": (4, "checkpoints/000002/state.json"),
    "with a transcript not in place": (2, "transcripts/.000004.txt.draft"),
    "with half a file of a checkpoint": (5, "checkpoints/.000002.*/model.safetensors"),
    "before a checkpoint is sealed": (2, "checkpoints/.000002.*/state.json"),
    "before a checkpoint has its name": (2, "checkpoints/.000002.*/checksums.txt"),
    "between a checkpoint and the pruning": (1, "checkpoints/000000/state.json"),
    "with an old checkpoint about to go": (3, "checkpoints/.000000.*/state.json"),
    "while the model is saved": (1, ".model.draft/config.json"),
    "before the model has its name": (1, ".model.draft/README.md"),
    "with the result not in place": (1, "model/README.md"),
}
"""By point: at which call, and what then lies in the run's folder."""


def command(folder: Path) -> list[str]:
    return ["train", "--runs", str(folder.parent), "--name", folder.name, *SETTINGS]


def kill(*jobs: tuple[str, int, list[str]]) -> None:
    """Run each job in a process of its own, until it is killed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", killed.__file__, json.dumps(jobs)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [-9] * len(jobs), done.stderr


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """Pictures take longer than the runs, and `test_report` has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert main(command(folder)) == 0
    return folder


@pytest.fixture(scope="module")
def corpses(tmp_path_factory) -> dict[str, Path]:
    """By point, the folder of a run that was killed there."""
    folders = {point: tmp_path_factory.mktemp("killed") / "run" for point in KILLED_AT}
    kill(*((point, KILLED_AT[point][0], command(folder)) for point, folder in folders.items()))
    return folders


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_run_killed_anywhere_resumes_to_the_bytes_of_an_undisturbed_one(
    corpses, undisturbed, point
):
    folder = corpses[point]
    assert list(folder.glob(KILLED_AT[point][1])), "it was killed where it says"
    assert not (folder / "result.json").exists()
    assert main(["train", "--resume", str(folder)]) == 0
    assert_equal_runs(folder, undisturbed)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*draft*")}
    assert left == set(), "nothing half made stays behind"
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["000004"]


def test_a_killed_run_whose_resumption_is_killed_resumes_all_the_same(undisturbed, tmp_path):
    """Killed once with half a line written, then between the two files that it rewinds."""
    folder = tmp_path / "run"
    kill(
        ("with half a line of metrics", 3, command(folder)),
        ("while a resumed run drops its lines", 1, ["train", "--resume", str(folder)]),
    )
    assert main(["train", "--resume", str(folder)]) == 0
    assert_equal_runs(folder, undisturbed)


ADAPTED = [
    *("--adapter.kind", "lora", "--learning.learning-rate", "0.01"),
    *("--selfplay.kind", "snapshots", "--selfplay.every", "1", "--selfplay.keep", "2"),
]
ADAPTED_KILLED_AT = {
    "while playing": (30, "checkpoints/000002/state.json"),
    "with the gradient summed up": (5, "checkpoints/000002/state.json"),
    "with the weights moved": (6, "checkpoints/000002/state.json"),
    "with the weights published": (4, "checkpoints/000002/state.json"),
    "with half a file of a checkpoint": (6, "checkpoints/.000002.*/*.safetensors"),
    "while the model is saved": (1, ".model.draft/adapter_model.safetensors"),
}
"""The stages of a step, and where other files are written than when all weights learn."""


def test_so_does_a_run_of_adapters_on_a_frozen_one_with_its_snapshots(tmp_path):
    whole = tmp_path / "whole" / "run"
    assert main([*command(whole), *ADAPTED]) == 0
    assert len({line["gradient_norm"] for line in lines(whole)}) == 4
    last = whole / "checkpoints/000004"
    assert {"warm.safetensors", "snapshot-000003.safetensors"} <= {p.name for p in last.iterdir()}
    folders = {point: tmp_path / str(n) / "run" for n, point in enumerate(ADAPTED_KILLED_AT)}
    kill(
        *(
            (point, ADAPTED_KILLED_AT[point][0], [*command(folder), *ADAPTED])
            for point, folder in folders.items()
        )
    )
    for point, folder in folders.items():
        assert list(folder.glob(ADAPTED_KILLED_AT[point][1])), f"it was killed {point}"
        assert main(["train", "--resume", str(folder)]) == 0
        for name in ("metrics.jsonl", "model/adapter_model.safetensors"):
            assert (folder / name).read_bytes() == (whole / name).read_bytes(), point


def test_every_point_that_can_be_named_is_tried():
    assert {*KILLED_AT, "while a resumed run drops its lines"} == killed.POINTS.keys()
