"""Rows of a batch as columns: tensors of one shape, in which each is a line."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import torch
from torch import Tensor

from sepo_trainer.records import Ids, Row


class Known(NamedTuple):
    """What is known of rows, ``(rows, length)``, 0 behind the end of each; ``weights`` of a whole
    row, ``(rows,)``."""

    old_logprobs: Tensor
    advantages: Tensor
    written: Tensor
    weights: Tensor


def known(rows: Sequence[Row], *, like: Tensor) -> Known:
    """What is known of rows.

    Args:
        like: of the device and the length that are wanted.
    """
    return Known(
        column([row.old_logprobs for row in rows], torch.float32, like),
        column([row.advantages for row in rows], torch.float32, like),
        column([row.written for row in rows], torch.bool, like),
        torch.tensor([row.weight for row in rows], device=like.device),
    )


def gains_of(rows: Sequence[Row], which: Sequence[int], *, like: Tensor) -> Tensor:
    """What each choice would have earned, added up over the rows of each sequence by weight; NaN
    for what is no choice.

    Args:
        which: each row's sequence.
        like: ``(sequences, length, most choices)``.
    """
    total = torch.full(like.shape, nan)
    for row, number in zip(rows, which, strict=True):
        for place, found in enumerate(row.gains):
            if found:
                here = total[number, place, : len(found)]
                here.copy_(here.nan_to_num(0.0) + row.weight * torch.tensor(found))
    return total.to(like.device)


def column(values: Sequence[Sequence[float]], kind: torch.dtype, like: Tensor) -> Tensor:
    """One list for each row, to the length of ``like``."""
    length = like.shape[1]
    padded = [(*row, *(0,) * (length - len(row))) for row in values]
    return torch.tensor(padded, dtype=kind, device=like.device)


def choices_of(rows: Sequence[Sequence[Ids]], length: int) -> Tensor:
    """``(rows, length, most choices)``: each token's choices, -1 where it has fewer or none."""
    most = max((len(ids) for row in rows for ids in row), default=0)
    blank = (-1,) * most
    padded = [
        [(*ids, *blank[len(ids) :]) for ids in row] + [blank] * (length - len(row)) for row in rows
    ]
    return torch.tensor(padded, dtype=torch.long).reshape(len(rows), length, most)
