"""Runs of the real trainer that are killed at a stated point. Nothing in the trainer knows of it.

    python tests/sepo_trainer/killed.py '[["while playing", 5, ["train", ...]], ...]'

forks a process for each job, which wraps the one function that the point names and is killed by
SIGKILL when it is called for the n-th time; prints how each process ended, as JSON. One process
imports torch for all of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sepo_trainer import checkpoint
from sepo_trainer.commands import main
from sepo_trainer.learning.learner import Learner
from sepo_trainer.run import Run
from sepo_trainer.runs import run_folder, session
from sepo_trainer.runs.run_folder import RunFolder
from sepo_trainer.samplers.transformers import TransformersSampler

Point = Callable[[Callable[[], None]], None]
"""Plants a call of what it is given, which kills the process at its n-th call."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *args: True) -> Point:
    """Where a function is called, with arguments that ``when`` picks."""

    def plant(hit: Callable[[], None]) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            if when(*args):
                hit()
            return real(*args, **more)

        setattr(owner, name, wrapped)

    return plant


def after(owner: Any, name: str, when: Callable[..., bool] = lambda *args: True) -> Point:
    """Where it has returned."""

    def plant(hit: Callable[[], None]) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            found = real(*args, **more)
            if when(*args):
                hit()
            return found

        setattr(owner, name, wrapped)

    return plant


def half(owner: Any, name: str, file: Callable[..., Path], when: Callable[..., bool]) -> Point:
    """Where it has written half of what it writes."""

    def plant(hit: Callable[[], None]) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            if not when(*args):
                return real(*args, **more)
            path = file(*args)
            start = path.stat().st_size if path.exists() else 0
            found = real(*args, **more)
            whole = path.read_bytes()

            def cut() -> None:
                path.write_bytes(whole[: (start + len(whole)) // 2])

            wrapped.cut = cut  # type: ignore[attr-defined]
            hit()
            return found

        hit.cut = lambda: wrapped.cut()  # type: ignore[attr-defined]
        setattr(owner, name, wrapped)

    return plant


def named(text: str) -> Callable[..., bool]:
    return lambda path, *rest: text in Path(path).name


def metrics(folder: RunFolder, path: Path, line: Any) -> bool:
    return path == folder.metrics


POINTS: dict[str, Point] = {
    "in the warm start": before(Learner, "imitate"),
    "while playing": before(TransformersSampler, "generate"),
    "with the gradient summed up": before(Learner, "_step"),
    "with the weights moved": after(Learner, "_step"),
    "with the weights published": after(Run, "publish"),
    "with half a line of metrics": half(RunFolder, "append", lambda f, path, line: path, metrics),
    "between metrics and timings": after(RunFolder, "append", metrics),
    "with a transcript not in place": before(Path, "replace", named(".txt.draft")),
    "with half a file of a checkpoint": half(
        checkpoint, "save_file", lambda tensors, path: path, lambda tensors, path: True
    ),
    "before a checkpoint is sealed": before(checkpoint, "seal"),
    "before a checkpoint has its name": before(
        Path, "rename", lambda draft, to: draft.name.startswith(".0")
    ),
    "between a checkpoint and the pruning": before(checkpoint, "prune"),
    "with an old checkpoint about to go": before(
        checkpoint.shutil, "rmtree", lambda path, **more: Path(path).name.startswith(".00000")
    ),
    "while the model is saved": before(session, "card"),
    "before the model has its name": before(Path, "rename", named(".model.draft")),
    "with the result not in place": before(Path, "replace", named(".result.json.draft")),
    "while a resumed run drops its lines": before(run_folder, "write_whole", named("timings")),
}


def run(point: str, number: int, arguments: list[str]) -> None:
    """Train, and be killed at the ``number``-th time that ``point`` is reached."""
    session.write_report = lambda folder: None  # pictures take longer than the run
    calls = 0

    def hit() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            getattr(hit, "cut", lambda: None)()
            die()

    POINTS[point](hit)
    os._exit(main(arguments))


if __name__ == "__main__":
    ended = []
    for point, number, arguments in json.loads(sys.argv[1]):
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # what the trainer says is no answer of ours
            run(point, number, arguments)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(ended))
