"""Played turns become rows to learn from. Turns merge only where the ids really continue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sepo_trainer.learning.alternatives import Gains
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


class Known(NamedTuple):
    """Of a group whose moves are credited whether they were made or not."""

    rest: Advantages
    """What is left to credit to the move that was made, where that of its round is known of all."""
    gains: Sequence[Sequence[Gains]]
    """By replicate and turn."""


def rows_of(
    credited: Sequence[Credited],
    advantages: Sequence[Advantages],
    *,
    move_tokens: Callable[[Ids], Sequence[bool]],
    known: Sequence[Known] | None = None,
) -> list[Row]:
    """One row per stretch of conversation, in order of groups and replicates.

    Args:
        advantages: one array per credited group; a turn takes the column of its round.
        move_tokens: which of a reply's tokens belong to its bracketed move.
        known: of each group, where moves are credited that were not made.

    Returns:
        rows weighted by their group's share of J over its replicates. However many rows an episode
        falls into, its turns together count once.
    """
    rows = []
    for number, (one, table) in enumerate(zip(credited, advantages, strict=True)):
        rest, gains = (table, None) if known is None else known[number]
        weight = one.group.weight / len(one.group.rollouts)
        for place, rollout in enumerate(one.group.rollouts):
            could = iter(gains[place] if gains else [()] * len(rollout.turns))
            episode = one.group.key.deal * len(one.group.rollouts) + rollout.replicate
            for stretch in stretches(rollout.turns):
                rows.append(
                    _row(
                        [(turn, next(could)) for turn in stretch],
                        table[place],
                        rest[place],
                        weight=weight,
                        episode=episode,
                        move_tokens=move_tokens,
                    )
                )
    return rows


def minibatches(rows: Sequence[Row], count: int) -> list[list[Row]]:
    """``rows`` in ``count`` parts, each with its share of every opponent's and seat's episodes.

    Rows weigh ``count`` times as much in a part: its gradient is an estimate of the whole's, from
    fewer episodes. Their advantages stay those that the whole group gave them.

    Args:
        count: a divisor of the number of replicates; or of that times the number of deals, where
            these are drawn, so that a part may have some of them only.
    """
    parts: list[list[Row]] = [[] for _ in range(count)]
    for row in rows:
        parts[row.episode % count].append(replace(row, weight=count * row.weight))
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
    turns: Sequence[tuple[Turn, Gains]],
    by_round: NDArray[np.float64],
    rest: NDArray[np.float64],
    *,
    weight: float,
    episode: int,
    move_tokens: Callable[[Ids], Sequence[bool]],
) -> Row:
    """
    Args:
        by_round: what a token is credited with.
        rest: the same of one of whose place all gains are known.
    """
    ids: list[int] = []
    written: list[bool] = []
    is_move: list[bool] = []
    choices: list[Ids] = []
    logprobs: list[float] = []
    advantages: list[float] = []
    gains: list[tuple[float, ...]] = []
    prompt = turns[0][0].prompt_ids
    for turn, known in turns:
        told = turn.prompt_ids[len(prompt) + len(ids) :]
        ids += (*told, *turn.output_ids)
        written += [False] * len(told) + [True] * len(turn.output_ids)
        inside = move_tokens(turn.output_ids)
        is_move += [False] * len(told) + list(inside)
        choices += [()] * len(told) + [turn.choices if chosen else () for chosen in inside]
        logprobs += [0.0] * len(told) + list(turn.logprobs)
        could = known or ((),) * len(turn.output_ids)
        gains += [()] * len(told) + list(could)
        advantages += [0.0] * len(told)
        advantages += [float((rest if found else by_round)[turn.round]) for found in could]
    return Row(
        prompt,
        tuple(ids),
        tuple(written),
        tuple(is_move),
        tuple(choices),
        tuple(logprobs),
        tuple(advantages),
        weight,
        len(turns),
        episode,
        tuple(gains) if any(gains) else (),
    )
