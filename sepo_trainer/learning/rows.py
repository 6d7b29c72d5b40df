"""Played turns become rows to learn from. Turns merge only where the ids really continue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import nan
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
Gains = Mapping[int, Sequence[Mapping[int, float]]]
"""By round, and for each token of the move made in it: what that and others in its place would have
earned there, by token; scaled points."""


def rows_of(
    credited: Sequence[Credited],
    advantages: Sequence[Advantages],
    *,
    move_tokens: Callable[[Ids], Sequence[bool]],
    gains: Sequence[Sequence[Gains]] | None = None,
) -> list[Row]:
    """One row per stretch of conversation, in order of groups and replicates.

    Args:
        advantages: one array per credited group; a turn takes the column of its round.
        move_tokens: which of a reply's tokens belong to its bracketed move.
        gains: by group and replicate, where moves are credited that were not made.

    Returns:
        rows weighted by their group's share of J over its replicates. However many rows an episode
        falls into, its turns together count once.
    """
    rows = []
    for number, (one, table) in enumerate(zip(credited, advantages, strict=True)):
        weight = one.group.weight / len(one.group.rollouts)
        for replicate, (rollout, column) in enumerate(zip(one.group.rollouts, table, strict=True)):
            could = {} if gains is None else gains[number][replicate]
            decided = {turn.round: turn for turn in rollout.turns}  # the last try of each round
            for stretch in stretches(rollout.turns):
                rows.append(
                    _row(
                        stretch,
                        column,
                        weight,
                        move_tokens,
                        rollout.replicate,
                        [could.get(t.round, ()) if decided[t.round] is t else () for t in stretch],
                    )
                )
    return rows


def minibatches(rows: Sequence[Row], count: int) -> list[list[Row]]:
    """``rows`` in ``count`` parts, each with its share of every group's replicates.

    Rows weigh ``count`` times as much in a part: its gradient is an estimate of the whole's, from
    fewer episodes. Their advantages stay those that the whole group gave them.

    Args:
        count: a divisor of the number of replicates.
    """
    parts: list[list[Row]] = [[] for _ in range(count)]
    for row in rows:
        parts[row.replicate % count].append(replace(row, weight=count * row.weight))
    return parts


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
    column: NDArray[np.float64],
    weight: float,
    move_tokens: Callable[[Ids], Sequence[bool]],
    replicate: int,
    could: Sequence[Sequence[Mapping[int, float]]],
) -> Row:
    rest: list[int] = []
    written: list[bool] = []
    is_move: list[bool] = []
    choices: list[Ids] = []
    logprobs: list[float] = []
    advantages: list[float] = []
    gains: list[tuple[float, ...]] = []
    prompt = turns[0].prompt_ids
    for turn, earned in zip(turns, could, strict=True):
        told = turn.prompt_ids[len(prompt) + len(rest) :]
        rest += (*told, *turn.output_ids)
        written += [False] * len(told) + [True] * len(turn.output_ids)
        inside = move_tokens(turn.output_ids)
        is_move += [False] * len(told) + list(inside)
        choices += [()] * len(told) + [turn.choices if chosen else () for chosen in inside]
        logprobs += [0.0] * len(told) + list(turn.logprobs)
        advantages += [0.0] * len(told) + [float(column[turn.round])] * len(turn.output_ids)
        gains += [()] * len(told) + _gains(turn, inside, earned)
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
        replicate,
        tuple(gains) if any(gains) else (),
    )


def _gains(
    turn: Turn, inside: Sequence[bool], earned: Sequence[Mapping[int, float]]
) -> list[tuple[float, ...]]:
    """For each token of a reply, what its choices would have earned in that place, NaN for those
    that say no legal move there; ``()`` where nothing is known of any, as where the move stands in
    other tokens than a bare reply has."""
    written = [token for token, chosen in zip(turn.output_ids, inside, strict=True) if chosen]
    known = len(written) == len(earned) and all(
        token in found for token, found in zip(written, earned, strict=True)
    )
    left = iter(earned if known else [{}] * len(written))
    places = [next(left) if chosen else {} for chosen in inside]
    return [
        tuple(found.get(choice, nan) for choice in turn.choices) if len(found) > 1 else ()
        for found in places
    ]
