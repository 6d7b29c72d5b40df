"""Played turns become rows to learn from. Turns merge only where the ids really continue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sepo_trainer.learning.credit import Credited
from sepo_trainer.records import Ids, Row, Turn


class Said(Protocol):
    """A reply, and the ids it followed."""

    @property
    def prompt_ids(self) -> Ids: ...

    @property
    def output_ids(self) -> Ids: ...


Anything = TypeVar("Anything", bound=Said)

Advantages = NDArray[np.float64]
"""``(replicates, rounds)``, scaled points."""


def rows_of(
    credited: Sequence[Credited],
    advantages: Sequence[Advantages],
    *,
    move_tokens: Callable[[Ids], Sequence[bool]],
) -> list[Row]:
    """One row per stretch of conversation, in order of groups and replicates.

    Args:
        advantages: one array per credited group; a turn takes the column of its round.
        move_tokens: which of a reply's tokens belong to its bracketed move.

    Returns:
        rows weighted by their group's share of J over its replicates. However many rows an episode
        falls into, its turns together count once.
    """
    rows = []
    for (group, _), table in zip(credited, advantages, strict=True):
        for rollout, gains in zip(group.rollouts, table, strict=True):
            weight = group.weight / len(group.rollouts)
            for stretch in stretches(rollout.turns):
                rows.append(_row(stretch, gains, weight, move_tokens))
    return rows


def stretches(turns: Sequence[Anything]) -> list[list[Anything]]:
    """``turns`` cut where a prompt does not extend, id for id, all that was held before it."""
    cut: list[list[Anything]] = []
    held: Ids = ()
    for turn in turns:
        if cut and turn.prompt_ids[: len(held)] == held:
            cut[-1].append(turn)
        else:
            cut.append([turn])
        held = turn.prompt_ids + turn.output_ids
    return cut


def _row(
    turns: Sequence[Turn],
    gains: NDArray[np.float64],
    weight: float,
    move_tokens: Callable[[Ids], Sequence[bool]],
) -> Row:
    rest: list[int] = []
    written: list[bool] = []
    is_move: list[bool] = []
    choices: list[Ids] = []
    logprobs: list[float] = []
    advantages: list[float] = []
    prompt = turns[0].prompt_ids
    for turn in turns:
        told = turn.prompt_ids[len(prompt) + len(rest) :]
        rest += (*told, *turn.output_ids)
        written += [False] * len(told) + [True] * len(turn.output_ids)
        inside = move_tokens(turn.output_ids)
        is_move += [False] * len(told) + list(inside)
        choices += [()] * len(told) + [turn.choices if chosen else () for chosen in inside]
        logprobs += [0.0] * len(told) + list(turn.logprobs)
        advantages += [0.0] * len(told) + [float(gains[turn.round])] * len(turn.output_ids)
    return Row(
        prompt,
        tuple(rest),
        tuple(written),
        tuple(is_move),
        tuple(choices),
        tuple(logprobs),
        tuple(advantages),
        weight,
        len(turns),
    )
