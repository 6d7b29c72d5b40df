"""Checkpoints: everything a run needs to go on bit for bit, written whole or not at all.

A checkpoint is a folder of safetensors and one ``state.json``, written under another name and
renamed once every byte is on disk; ``state.json`` holds the files' digests. So whatever kills the
process leaves the last checkpoint as it was. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

STATE = "state.json"
FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint is truncated, altered or of another model; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One point of a run."""

    iteration: int
    """GRPO steps done."""
    tensors: Mapping[str, Mapping[str, Tensor]]
    """By file: ``model``, ``reference``, ``optimizer``."""
    state: Mapping[str, Any]
    """Everything else, ready for JSON."""


def save(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write ``checkpoint`` into ``folder``, and remove all but the newest ``keep``."""
    final = folder / f"{checkpoint.iteration:06d}"
    draft = folder / f".{final.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    digests = {}
    for name, tensors in checkpoint.tensors.items():
        path = draft / f"{name}.safetensors"
        save_file(
            {key: value.detach().contiguous().clone() for key, value in tensors.items()}, path
        )
        digests[path.name] = _digest(path)
        _sync(path)
    record = {
        "format": FORMAT,
        "iteration": checkpoint.iteration,
        "files": digests,
        "state": checkpoint.state,
    }
    (draft / STATE).write_text(json.dumps(record, indent=1))
    _sync(draft / STATE)
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)
    _sync(folder)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


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
        record = json.loads((path / STATE).read_text())
        if record["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has checkpoint format {record['format']}; this version reads {FORMAT}. "
                "Go on with the version of sepo that wrote it."
            )
        tensors = {}
        for name, digest in record["files"].items():
            if _digest(path / name) != digest:
                raise CheckpointError(
                    f"{path / name} is not what was saved: it was shortened or altered. {mend}"
                )
            tensors[name.removesuffix(".safetensors")] = load_file(path / name)
        if missing := {"model", "optimizer"} - tensors.keys():
            raise CheckpointError(f"{path} names no file for its {min(missing)}. {mend}")
        return Checkpoint(record["iteration"], tensors, record["state"])
    except CheckpointError:
        raise
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is no whole checkpoint ({error!r}). {mend}") from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments and step counts, flat: ``<parameter number>.<name>``."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def restore_weights(model: torch.nn.Module, tensors: Mapping[str, Tensor], *, source: Path) -> None:
    """Load ``tensors`` into ``model``, every parameter exactly once.

    Raises:
        CheckpointError: the checkpoint is of a model of other shape.
    """
    own = dict(model.named_parameters())
    wrong = sorted(own.keys() ^ tensors.keys()) or [
        name for name, weight in own.items() if weight.shape != tensors[name].shape
    ]
    if wrong:
        raise CheckpointError(
            f"{source} is of another model: {wrong[0]!r} differs (and {len(wrong) - 1} more). "
            "Use the model settings that the run was started with."
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(tensors[name])


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _sync(path: Path) -> None:
    """Wait until ``path`` is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
