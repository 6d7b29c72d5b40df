"""Checkpoints: everything a run needs to go on bit for bit, written whole or not at all.

A checkpoint is a folder of safetensors, one ``state.json``, and ``checksums.txt`` over all of them,
for ``sha256sum -c`` too. It is written under another name and renamed once every byte is on disk,
and an old one is renamed before it is removed. So whatever kills the process, what bears a
checkpoint's name is whole. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sepo_trainer.processes import parted_like

STATE = "state.json"
CHECKSUMS = "checksums.txt"
FORMAT = 5


class CheckpointError(ValueError):
    """A checkpoint is truncated, altered or of another model; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One point of a run."""

    iteration: int
    """GRPO steps done."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """By file: ``model`` and ``optimizer``; where there are any, ``reference``, ``magnet``, the
    ``warm`` adapter, and a ``snapshot-<iteration>`` each."""
    state: Mapping[str, Any]
    """Everything else, ready for JSON."""
    settings: Mapping[str, Any]
    """What the run was trained with up to here, likewise."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``checkpoint`` into ``folder``."""
    final = folder / f"{checkpoint.iteration:06d}"
    draft = _draft(final)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, tensors in checkpoint.tensors.items():
        save_file(
            {key: value.detach().contiguous().clone() for key, value in tensors.items()},
            draft / f"{name}.safetensors",
        )
    record = {
        "format": FORMAT,
        "iteration": checkpoint.iteration,
        "settings": checkpoint.settings,
        "state": checkpoint.state,
    }
    (draft / STATE).write_text(json.dumps(record, indent=1))
    seal(draft)
    for path in (*draft.iterdir(), draft):
        _sync(path)
    draft.rename(final)
    _sync(folder)
    return final


def seal(path: Path) -> None:
    """Write the checksums of every file in ``path``: they vouch for what lies there now."""
    files = sorted(file for file in path.iterdir() if file.name != CHECKSUMS)
    lines = [f"{_digest(file)}  {file.name}\n" for file in files]
    (path / CHECKSUMS).write_text("".join(lines))


def prune(folder: Path, *, last: int, worth: Mapping[int, float]) -> None:
    """Remove all checkpoints in ``folder`` but the newest ``last`` and the most worthy one.

    Args:
        worth: by iteration, of the policies that have been measured.
    """
    found = {int(path.name): path for path in checkpoints(folder)}
    best = most_worthy(found, worth)
    for number, path in list(found.items())[:-last]:
        if number != best:
            draft = _draft(path)
            path.rename(draft)  # a kill while it is removed leaves none that is half one
            shutil.rmtree(draft)


def most_worthy(numbers: Iterable[int], worth: Mapping[int, float]) -> int | None:
    """The best of the checkpoints with these ``numbers`` that are measured; of equals the later.

    >>> most_worthy([2, 4, 6], {2: 0.5, 4: 0.5, 5: 9.0})
    4
    """
    measured = [number for number in numbers if number in worth]
    return max(measured, key=lambda number: (worth[number], number), default=None)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints in ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.isdigit() and path.is_dir())


def load(path: Path) -> Checkpoint:
    """The checkpoint in ``path``.

    Raises:
        CheckpointError: a file is missing, shortened or altered, or of another format.
    """
    mend = "Delete this folder to go on from the checkpoint before it, if there is one."
    try:
        sealed = (path / CHECKSUMS).is_file()
        if sealed:
            _check_seal(path, mend)
        record = json.loads((path / STATE).read_text())
        if record["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has checkpoint format {record['format']}; this version reads {FORMAT}. "
                "Go on with the version of sepo that wrote it."
            )
        if not sealed:
            raise CheckpointError(f"{path} has no {CHECKSUMS} to vouch for it. {mend}")
        tensors = {file.stem: load_file(file) for file in sorted(path.glob("*.safetensors"))}
        if missing := {"model", "optimizer"} - tensors.keys():
            raise CheckpointError(f"{path} names no file for its {min(missing)}. {mend}")
        return Checkpoint(record["iteration"], tensors, record["state"], record["settings"])
    except CheckpointError:
        raise
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is no whole checkpoint ({error!r}). {mend}") from error


def _check_seal(path: Path, mend: str) -> None:
    """Hold every file in ``path`` against its checksum.

    Raises:
        CheckpointError: one is missing, new, shortened or altered.
    """
    text = (path / CHECKSUMS).read_bytes().decode()
    if not text.endswith("\n"):
        raise CheckpointError(f"{path / CHECKSUMS} was shortened. {mend}")
    lines = text.removesuffix("\n").split("\n")  # and nowhere else, so that no byte may differ
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    names = {file.name for file in path.iterdir()} - {CHECKSUMS}
    if odd := sorted(sums.keys() ^ names):
        raise CheckpointError(
            f"{path} is no whole checkpoint: {odd[0]} stands either in its {CHECKSUMS} or in the "
            f"folder, and not in both. {mend}"
        )
    for name, digest in sums.items():
        if _digest(path / name) != digest:
            raise CheckpointError(
                f"{path / name} is not what was saved: it was shortened or altered. {mend}"
            )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments and step counts, flat: ``<parameter number>.<name>``."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    moved = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        weight = moved[int(number)]
        mine = parted_like(value, weight) if value.shape == weight.shape else value
        state.setdefault(int(number), {})[name] = mine
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def restore_weights(
    own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, source: Path
) -> None:
    """Load ``tensors`` into the parameters ``own`` of the same names, each exactly once.

    Raises:
        CheckpointError: the checkpoint is of a model of other shape.
    """
    wrong = sorted(own.keys() ^ tensors.keys()) or [
        name for name, weight in own.items() if weight.shape != tensors[name].shape
    ]
    if wrong:
        raise CheckpointError(
            f"{source} is of another model: {wrong[0]!r} differs (and {len(wrong) - 1} more). "
            "Use the model and adapter settings that the run was started with."
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(parted_like(tensors[name], weight))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until ``path`` is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
