"""Trainings as processes of their own: started, watched, resumed, and read when they are done.

A process per run makes wall clock and peak memory those of the whole training, imports included.
Run folders are kept under a digest of settings and code, so that a run is taken up again, or
reused, only by the very same study.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from types import FrameType
from typing import Any, NamedTuple

from benchmarks.certificate import source_digest
from benchmarks.command_line import BenchmarkError, InterruptedStudyError, config_digest
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import to_toml

POLL = 0.05
LOOK = 1.0
"""Seconds between looks at how far the runs are."""
COST = "process.json"


class Cost(NamedTuple):
    """Of some processes: seconds summed, memory of the largest. None where one was killed together
    with the study that watched it, and so is unmeasured."""

    wall_seconds: float | None
    peak_memory_mib: float | None


UNMEASURED = Cost(None, None)


def total(costs: Iterable[Cost]) -> Cost:
    """
    >>> total([Cost(60.0, 500.0), Cost(20.5, 450.0)])
    Cost(wall_seconds=80.5, peak_memory_mib=500.0)
    >>> total([Cost(60.0, 500.0), UNMEASURED])
    Cost(wall_seconds=None, peak_memory_mib=None)
    """
    seconds, peak = 0.0, 0.0
    for one in costs:
        if one.wall_seconds is None or one.peak_memory_mib is None:
            return UNMEASURED
        seconds, peak = seconds + one.wall_seconds, max(peak, one.peak_memory_mib)
    return Cost(round(seconds, 2), round(peak, 1))


@dataclass(frozen=True, slots=True)
class Job:
    """One process to run to its end."""

    title: str
    folder: Path
    """What it leaves behind."""
    result: str
    """The file in ``folder`` that appears last."""
    config: RunConfig
    command: str
    """Of ``sepo_trainer``."""

    @property
    def log(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def done(self) -> bool:
        return (self.folder / self.result).is_file()

    @property
    def iterations(self) -> int:
        return self.config.learning.iterations if self.command == "train" else 0

    @property
    def iterations_done(self) -> int:
        """By the lines that the run has written, one per game."""
        path = self.folder / "metrics.jsonl"
        return path.read_bytes().count(b"\n") // len(self.config.games) if path.exists() else 0

    @property
    def cost_so_far(self) -> Path:
        """Where the cost of processes that were stopped is kept, while none runs. One that had left
        no checkpoint is not in it: the run starts over."""
        return self.folder.with_name(f"{self.folder.name}.cost.json")

    @property
    def cost(self) -> Cost:
        path = self.folder / COST
        return Cost(**json.loads(path.read_text())) if path.exists() else UNMEASURED


class Study(NamedTuple):
    """Where the runs of one set of settings and one state of the code are kept."""

    home: Path
    source: str

    def training(self, config: RunConfig, title: str) -> Job:
        """A whole run, in a folder called ``title``."""
        resolved = config.model_copy(update={"name": title, "runs": self.home})
        return Job(title, self.home / title, "result.json", resolved, "train")

    def warm_start(self, config: RunConfig, title: str) -> Job:
        """The supervised stage alone; the folder is the model's."""
        resolved = config.model_copy(update={"name": None, "runs": self.home})
        return Job(title, self.home / title, COST, resolved, "warm-start")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other study from training here meanwhile.

        Raises:
            BenchmarkError: another one does.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        told = f"another process is training in {self.home}. Wait for it, or choose another --runs."
        with _locked(self.home / ".lock", told):
            yield

    def check_code(self) -> None:
        if source_digest() != self.source:
            raise BenchmarkError(
                "the code changed while the study ran, so its runs would not compare. Nothing was "
                "recorded. Run it again, in a checkout that stays as it is: `git worktree add` "
                "makes one. Runs of unchanged code are not done twice."
            )


def study(runs: Path, benchmark: str, config: RunConfig) -> Study:
    """The place under ``runs`` for these settings and the code as it is."""
    source = source_digest()
    return Study(runs / benchmark / f"{config_digest(config)[:8]}-{source[:8]}", source)


def seeded(config: RunConfig, seed: int) -> RunConfig:
    return config.model_copy(update={"seed": seed})


def run_all(
    jobs: Sequence[Job], *, at_once: int, place: Study, look: Callable[[Sequence[Job]], None]
) -> None:
    """Run every job that is not done, at most ``at_once`` at a time.

    Args:
        look: called about once a second, and once more at the end, with the jobs that run.

    Raises:
        BenchmarkError: a job failed, or the code changed in between; the others are stopped, saved.
        InterruptedStudyError: by Ctrl-C or SIGTERM.
    """
    waiting = [job for job in jobs if not job.done]
    running: dict[int, tuple[Job, subprocess.Popen[bytes], float, Cost]] = {}
    looked = 0.0
    with _stop_signals():
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    place.check_code()
                    job = waiting.pop(0)
                    process, before = _start(job)
                    running[process.pid] = job, process, time.perf_counter(), before
                for pid in list(running):
                    ended, status, usage = os.wait4(pid, os.WNOHANG)
                    if ended:
                        job, process, started, before = running.pop(pid)
                        process.returncode = os.waitstatus_to_exitcode(status)
                        cost = _and_of(usage.ru_maxrss, time.perf_counter() - started, before)
                        _settle(job, process.returncode, cost)
                if time.perf_counter() - looked > LOOK:
                    looked = time.perf_counter()
                    look([job for job, *_ in running.values()])
                time.sleep(POLL)
            place.check_code()
        except KeyboardInterrupt:
            finished = sum(job.done for job in jobs)
            raise InterruptedStudyError(
                f"stopped with {finished} of {len(jobs)} runs finished. "
                "The same command goes on from here."
            ) from None
        finally:
            for pid in running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)  # it saves a checkpoint and ends
            for job, process, started, before in running.values():
                with suppress(
                    ChildProcessError
                ):  # the signal came when it had just been waited for
                    _, status, usage = os.wait4(process.pid, 0)
                    process.returncode = os.waitstatus_to_exitcode(status)
                    cost = _and_of(usage.ru_maxrss, time.perf_counter() - started, before)
                    _keep(cost, job, process.returncode)
    look([])


def lines(path: Path) -> list[dict[str, Any]]:
    """Of a finished run's JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _start(job: Job) -> tuple[subprocess.Popen[bytes], Cost]:
    """The process, and what earlier ones cost that began what it goes on with."""
    resumed = job.command == "train" and any(job.folder.glob("checkpoints/[0-9]*"))
    before = Cost(0.0, 0.0)
    if resumed:
        known = job.cost_so_far.exists()
        before = Cost(**json.loads(job.cost_so_far.read_text())) if known else UNMEASURED
    else:
        _check_nobody_writes(job.folder)
        rmtree(job.folder, ignore_errors=True)  # ended before there was anything to go on from
    job.cost_so_far.unlink(missing_ok=True)
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    arguments = [job.command]
    if resumed:
        arguments += ["--resume", str(job.folder)]
    else:
        file = job.folder.with_name(f"{job.folder.name}.toml")
        file.write_text(to_toml(job.config))
        arguments += ["--config", str(file)]
    if job.command == "warm-start":
        arguments += ["--to", str(job.folder)]
    with job.log.open("ab") as log:
        return (
            subprocess.Popen(
                [sys.executable, "-m", "sepo_trainer", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches it once, through us
            ),
            before,
        )


def _check_nobody_writes(folder: Path) -> None:
    """A study that was killed leaves its training alive, which holds the lock of its folder."""
    lock = folder / ".lock"
    told = f"a training of an earlier study still runs in {folder}. Wait for it or end it."
    if lock.exists():
        with _locked(lock, told):
            pass


@contextmanager
def _locked(path: Path, told: str) -> Iterator[None]:
    """Hold the lock of that file.

    Raises:
        BenchmarkError: another process does; ``told`` says what that means.
    """
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError(told) from None
        yield


def _and_of(peak: int, seconds: float, before: Cost) -> Cost:
    """What a run has cost with a process that just ended.

    Args:
        peak: resident memory as the kernel counts it for that process. The count begins at what
            this one holds when it starts the other; a training imports torch and grows past that.
    """
    mib = peak / (2**20 if sys.platform == "darwin" else 2**10)
    return total([before, Cost(seconds, mib)])


def _settle(job: Job, status: int, cost: Cost) -> None:
    """Note what the run has cost, now that its process has ended.

    Raises:
        BenchmarkError: it failed.
    """
    _keep(cost, job, status)
    if status != 0:
        told = job.log.read_text(errors="replace").strip().splitlines()[-12:]
        raise BenchmarkError(
            f"{job.title} ended with status {status}. Mend what its log says and run the same "
            f"command again; finished runs are kept. The end of {job.log}:\n" + "\n".join(told)
        )


def _keep(cost: Cost, job: Job, status: int) -> None:
    finished = status == 0 or job.done
    path = job.folder / COST if finished else job.cost_so_far
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(cost._asdict()))
    draft.replace(path)


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Let SIGTERM stop a study as gently as Ctrl-C.

    SIGINT gets a handler too: a program in the background of a script is started with it ignored,
    and would pass that on to its trainings.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
