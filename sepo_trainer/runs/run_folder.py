"""``runs/<name>/``: what a run leaves behind, and who may write there.

config.toml       the resolved configuration
metrics.jsonl     one line per iteration; the same, byte for byte, however often it was resumed
timings.jsonl     seconds, tokens per second and memory of each; these do differ
tracking/         what other trackers keep here
transcripts/      sampled episodes as the policy read and wrote them
checkpoints/      where to resume from
model/            the final policy in Hugging Face format
plots/, report.html, result.json
evaluation-*.json what `evaluate` found, by game of a joint run, checkpoint and episodes

In a joint run, transcripts/ and plots/ have a folder per game, and reports/ holds a page per game.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.checkpoint import Checkpoint
from sepo_trainer.runs.model_card import CARD
from sepo_trainer.settings.config import ConfigError, RunConfig
from sepo_trainer.settings.resolve import differences, read_toml, to_toml


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.metrics = path / "metrics.jsonl"
        self.timings = path / "timings.jsonl"
        self.transcripts = path / "transcripts"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.plots = path / "plots"
        self.report = path / "report.html"
        self.result = path / "result.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from writing here meanwhile.

        Raises:
            ConfigError: another process does, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("a")
        except OSError as error:
            raise ConfigError(
                f"the run folder {self.path} cannot be written ({error.strerror}). "
                "Choose another place with --runs, or mend its permissions."
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(
                    f"another process is training in {self.path}. "
                    "Wait for it, or choose another --name."
                ) from None
            yield

    def of_game(self, place: Path, game: str, config: RunConfig) -> Path:
        """Where in ``place`` a run keeps what is of one of its games: a joint run in a folder."""
        return place / game if len(config.games) > 1 else place

    def latest(self) -> tuple[Path, Checkpoint] | None:
        """The newest checkpoint and where it lies; None before the first.

        Raises:
            CheckpointError: it is damaged.
        """
        found = checkpoints.checkpoints(self.checkpoints)
        return (found[-1], checkpoints.load(found[-1])) if found else None

    def append(self, path: Path, record: dict[str, Any]) -> None:
        """One JSON line, on disk before any checkpoint that comes after it."""
        with path.open("a") as file:
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def check_lines(self, iteration: int) -> None:
        """Hold the metrics against the number of iterations that are done.

        Raises:
            ConfigError: those of an iteration are missing.
        """
        there = {line["iteration"] for line in read_lines(self.metrics)}
        if missing := sorted(set(range(iteration)) - there):
            raise ConfigError(
                f"{self.metrics} lacks {len(missing)} of the {iteration} iterations done so far "
                f"(first: {missing[0]}): it was deleted or shortened, and the run's report would "
                "be wrong. Put it back, or start a new run."
            )

    def rewind(self, iteration: int) -> None:
        """Drop the lines of iterations that are about to be done again."""
        for path in (self.metrics, self.timings):
            kept = [
                json.dumps(line, separators=(",", ":"))
                for line in read_lines(path)
                if line["iteration"] < iteration
            ]
            write_whole(path, "".join(f"{line}\n" for line in kept))
        for draft in self.checkpoints.glob(".*"):
            shutil.rmtree(draft)  # of a process that was killed while it saved


def write_whole(path: Path, text: str) -> None:
    """Write ``path`` so that whoever reads it, even after a crash, sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


@contextmanager
def folder_made_whole(to: Path) -> Iterator[Path]:
    """An empty folder to fill, which then takes the place of ``to``; on failure ``to`` stands."""
    to = to.resolve()
    draft = to.with_name(f".{to.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed while it wrote
    draft.mkdir(parents=True)
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft)
        raise
    shutil.rmtree(to, ignore_errors=True)
    draft.rename(to)


MODEL_FILES = frozenset(
    (
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
        *("adapter_config.json", "adapter_model.safetensors", "base.sha256"),
        *("base", "merged", "warm", "policy"),
        *("result.json", CARD),
    )
)
"""What the warm start writes, and so may write again."""


def check_room(to: Path, what: str, files: Collection[str]) -> None:
    """Refuse, before any work, a place that cannot be written or that ``what`` would wipe out.

    Args:
        files: the names of what is written, which may be written again.

    Raises:
        ConfigError: it is such a place.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        foreign = to.exists() and bool({path.name for path in to.iterdir()} - set(files))
    except OSError as error:
        raise ConfigError(
            f"the folder {to} cannot be written ({error.strerror}). Choose another place with --to."
        ) from error
    if foreign:
        raise ConfigError(
            f"{to} holds something other than {what}, which would be lost. "
            "Choose a new folder with --to."
        )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON-lines file; a last one that was cut short is left out.

    Raises:
        ConfigError: another line is damaged.
    """
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise ConfigError(
                f"line {number} of {path} is damaged and cannot be read as JSON ({error}). "
                "Delete that line, and then resume."
            ) from error
    return found


def seconds_spent(lines: Iterable[Mapping[str, Any]]) -> float:
    """In all lines of a ``timings.jsonl``; interruptions are not counted.

    >>> seconds_spent([{"iteration": 0, "seconds": {"play": 0.5, "learn": 1.0}}])
    1.5
    """
    return float(sum(sum(line["seconds"].values()) for line in lines))


def new(config: RunConfig) -> RunFolder:
    """A folder for a new run, under the configured name or the next free one.

    Raises:
        ConfigError: the configured name is taken.
    """
    if config.name is not None:
        folder = RunFolder(config.runs / config.name)
        if folder.config.exists():
            raise ConfigError(
                f"there is a run in {folder.path} already. Go on with it by adding --resume, "
                "choose another --name, or delete the folder."
            )
        ours = {".lock", ".config.toml.draft"}  # a run that was killed before it had begun
        others = [p.name for p in folder.path.iterdir()] if folder.path.is_dir() else []
        if foreign := sorted(set(others) - ours):
            raise ConfigError(
                f"{folder.path} holds something other than a run ({foreign[0]}), which could be "
                "lost. Choose another --name."
            )
        return folder
    taken = (config.runs / f"{config.game.name}-{number}" for number in count(1))
    return RunFolder(next(path for path in taken if not path.exists()))


def run_path(name: str, runs: Path) -> Path:
    """The run that ``name`` means: its folder, or else what it is called under ``runs``; without a
    name, the newest there.

    Raises:
        ConfigError: there is none under ``runs`` to be the newest.
    """
    if not name:
        there = list(runs.glob("*/config.toml"))
        if not there:
            raise ConfigError(f"there is no run under {runs}/ to resume.")
        return max(there, key=lambda path: path.stat().st_mtime).parent
    path, under = Path(name), runs / name
    meant = under if path.parent == Path() else path  # to be missed, if neither is there
    return next((place for place in (path, under) if RunFolder(place).config.is_file()), meant)


def existing(path: Path) -> tuple[RunFolder, RunConfig]:
    """The run in ``path`` and its configuration.

    Raises:
        ConfigError: there is no run there.
    """
    folder = RunFolder(path)
    if not folder.config.is_file():
        near = sorted(p.parent.name for p in path.parent.glob("*/config.toml"))
        known = (
            f"There are: {', '.join(near)}."
            if near
            else "Give a folder that `python -m sepo_trainer train` has made."
        )
        raise ConfigError(f"{path} is no run folder: it holds no config.toml. {known}")
    return folder, read_toml(folder.config)


OF_RECORDS = ("keep", "tracking", "hub")
"""Sections that say what becomes of a run's records, and nothing of what it learns."""
OF_WRITING = (
    *("engine", "server", "exchange", "context", "memory_share", "tensor_parallel"),
    "most_drift",
)
"""Settings of the sampler that say who writes the policy's replies and when to distrust it. Another
writer draws other replies from the same distribution."""


def resumed_with(saved: RunConfig, asked: RunConfig, *, path: Path) -> RunConfig:
    """The settings to go on with: those that the run was started with, but for what may be new.

    Raises:
        ConfigError: naming what differs and may not.
    """
    if changed := _changes(saved, asked):
        raise ConfigError(
            f"{path} was started with other settings, so going on would be a different run: "
            f"{'; '.join(changed)}. Resume without these, or start a new run with another --name."
        )
    taken = {name: getattr(asked, name) for name in ("sampler", *OF_RECORDS)}
    model = saved.model.model_copy(update={"sharded": asked.model.sharded})
    return saved.model_copy(update=taken | {"model": model})


def check_unaltered(config: RunConfig, saved: Checkpoint, *, path: Path) -> None:
    """Hold the settings in a run's folder against those that its checkpoint was trained with.

    Raises:
        ConfigError: somebody has changed them since.
    """
    trained = RunConfig.model_validate(saved.settings)
    moved = ("model.path:", "model.device:", "model.trust_remote_code:")  # where, and not what
    changed = [line for line in _changes(trained, config) if not line.startswith(moved)]
    if changed:
        raise ConfigError(
            f"{path / 'config.toml'} was changed since the run was saved, so it no longer tells "
            f"how its policy was trained: {'; '.join(changed)}. Put that back, or start a new run "
            "with other settings."
        )


def _changes(old: RunConfig, new: RunConfig) -> list[str]:
    """What differs between two configurations, but for what is not of what is learned."""
    may_differ = ["model.sharded", *(f"sampler.{name}" for name in OF_WRITING)]
    return [
        line
        for line in differences(old, new)
        if (name := line.split(":")[0]).split(".")[0] not in ("name", "runs", *OF_RECORDS)
        and name not in may_differ
    ]


def distrusted(config: RunConfig) -> RunConfig:
    """``config`` without leave to run code that a model's folder brings: that is for whoever types
    the command to give, and not for a run folder, which may come from anyone."""
    model = config.model.model_copy(update={"trust_remote_code": False})
    return config.model_copy(update={"model": model})


def check_trust(path: Path, config: RunConfig, *, trusting: bool) -> None:
    """Refuse a run folder whose model brings code along, unless its user trusts that.

    Raises:
        ConfigError: it does, and its user has not said so.
    """
    if config.model.trust_remote_code and not trusting:
        raise ConfigError(
            f"the run in {path} executes Python code that {config.model.path} brings along, and a "
            "run folder's own settings are no leave for that. Read that code (*.py), and if you "
            "trust it add: --model.trust-remote-code true"
        )


def write_config(folder: RunFolder, config: RunConfig) -> None:
    write_whole(folder.config, to_toml(config))
