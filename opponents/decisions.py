"""All that a policy can do against pools when nobody tells it whom it meets. Knows no game.

Before an episode an opponent is drawn; from then on the policy sees its moves and nothing else of
it. What can matter for the rest is the *belief*: how likely each opponent is, with what it holds
and remembers. So all policies together are a decision process over beliefs, small wherever
opponents remember little, and a policy that is best by any weighted sum of what is gained in each
round follows from the last round back, exactly.

What is gained is a vector of *terms*, means over rounds and opponents, so that J less its positive
parts is such a sum (`Table.gained`):

    u          payoff, train pool
    c, x       the harms `collusion` (collusive pool) and `externality` (train and exploit pools)
    taken      one for each opponent of the exploit pool: its payoff less the policy's

Source: K. J. Astrom, "Optimal control of Markov processes with incomplete state information",
Journal of Mathematical Analysis and Applications 10 (1965), for beliefs as states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opponents.opponent import Opponent, Pool
from sepo_envs.game import CHANCE, Game, Harms, Move, State, Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Believed: TypeAlias = tuple[int, State, float]
"""An opponent's number, the state it would be in, and how likely that is."""

ALIKE = 1e-9
"""Payoffs closer than this are the same."""


@dataclass(frozen=True)
class Table:
    """A game and the pools that a policy is to be judged by.

    Args:
        demonstrators: the mixture of fixed policies that training starts from.
        alone: the state less all rounds but the latest: what is new in it for everybody.
        forget: ``(state, seat, players)``: the state less what can matter neither to the play of
            ``players``, by seat, nor to what ``seat`` gains later. It must forget alike from what
            was forgotten before.
        seats: where the policy sits; one seat is enough where seats cannot be told apart.
    """

    game: Any
    harms: Harms
    pools: Mapping[str, Pool]
    demonstrators: Sequence[tuple[Opponent, float]]
    alone: Callable[[State], State]
    forget: Callable[[State, int, Mapping[int, Opponent]], State]
    seats: tuple[int, ...] = (0, 1)
    _known: dict[tuple[int, State, int], Floats] = field(default_factory=dict, repr=False)

    @cached_property
    def met(self) -> tuple[tuple[Opponent, str], ...]:
        """Every opponent that counts, and its pool."""
        return tuple(
            (opponent, name)
            for name in ("train", "exploit", "collusive")
            for opponent in self.pools[name].opponents
            if isinstance(opponent, Opponent)
        )

    @property
    def width(self) -> int:
        """How many terms there are."""
        return 3 + len(self.pools["exploit"].opponents)

    def gained(self, number: int, state: State, seat: int) -> Floats:
        """What the latest round adds to each term if it was played with opponent ``number``."""
        key = (number, self.alone(state), seat)
        if key not in self._known:
            self._known[key] = self._gained(*key)
        return self._known[key]

    def _gained(self, number: int, alone: State, seat: int) -> Floats:
        pool, sizes = self.met[number][1], self._sizes
        harms = self.harms.penalties(self._single, alone, seat, profile="paper")
        terms = np.zeros(self.width)
        if pool == "train":
            terms[0] = self._single.payoffs(alone)[0][seat] / sizes["train"]
        if pool == "collusive":
            terms[1] = sum(harms.collusion.per_round) / sizes["collusive"]
        else:
            terms[2] = sum(harms.externality.per_round) / (sizes["train"] + sizes["exploit"])
        if pool == "exploit":
            terms[3 + number - sizes["train"]] = sum(harms.exploitation.per_round)
        per_round: Floats = terms / self.game.rounds
        return per_round

    @cached_property
    def _single(self) -> Any:
        return replace(self.game, rounds=1)

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        return {name: len(pool.opponents) for name, pool in self.pools.items()}


def objective(terms: Floats, weights: Weights) -> float:
    """J of a policy with these terms.

    >>> objective(np.array([2.0, 0.5, 0.0, 1.0, -1.0]), Weights(1.0, 2.0, 1.0, 1.0))
    0.5
    """
    gates = (terms[3:] > 0).astype(float)
    return float(terms @ linear(weights, gates))


def linear(weights: Weights, gates: Floats) -> Floats:
    """J as weights of the terms where each ``taken`` counts as ``gates`` says, 0 to 1.

    At any gates this is at least J: no multiple of a number by 0 to 1 exceeds its positive part.
    """
    harmed = weights.scale * weights.exploitability / len(gates) * gates
    return np.array([weights.scale, -weights.collusion, -weights.externality, *-harmed])


class Level(NamedTuple):
    """The decisions of one round: a row is a belief and a move in it."""

    first: Ints
    """``(beliefs,)``; each one's first row."""
    gains: Floats
    """``(rows, terms)``; expected, of this round."""
    row: Ints
    """``(edges,)``; where each edge to a belief of the next round starts."""
    child: Ints
    mass: Floats
    """How likely the edge's belief is after the row's move."""


@dataclass(frozen=True)
class Decisions:
    """Every decision of every policy; see the module."""

    levels: tuple[Level, ...]
    roots: Floats
    """How likely each belief of the first round is."""

    def best(self, weights: Floats) -> Floats:
        """The terms of a policy with the largest weighted sum of them, ``(terms,)``."""
        value: Floats = np.zeros(0)
        terms: Floats = np.zeros((0, len(weights)))
        for level in reversed(self.levels):
            worth = _worth(level, weights, value)
            rows = _first_highest(level, worth)
            value = worth[rows]
            total = level.gains.copy()
            np.add.at(total, level.row, level.mass[:, None] * terms[level.child])
            terms = total[rows]
        best: Floats = self.roots @ terms
        return best

    def only_best(self, weights: Floats) -> Decisions:
        """The same decisions less every move that no policy of the largest weighted sum makes."""
        value: Floats = np.zeros(0)
        kept: list[Level] = []
        for level in reversed(self.levels):
            worth = _worth(level, weights, value)
            value = np.maximum.reduceat(worth, level.first)
            sizes = np.diff([*level.first, len(worth)])
            stays = worth >= np.repeat(value, sizes) - ALIKE
            number = np.cumsum(stays) - 1
            edge = stays[level.row]
            kept.append(
                Level(
                    first=number[_first_highest(level, stays.astype(float))],
                    gains=level.gains[stays],
                    row=number[level.row[edge]],
                    child=level.child[edge],
                    mass=level.mass[edge],
                )
            )
        return Decisions(tuple(kept[::-1]), self.roots)


def _worth(level: Level, weights: Floats, value: Floats) -> Floats:
    """Each row's weighted sum, if beliefs of the next round are worth ``value``."""
    ahead = np.bincount(level.row, level.mass * value[level.child], minlength=len(level.gains))
    worth: Floats = level.gains @ weights + ahead
    return worth


def _first_highest(level: Level, worth: Floats) -> Ints:
    """The first row with the most in each belief."""
    most = np.maximum.reduceat(worth, level.first)
    sizes = np.diff([*level.first, len(worth)])
    place = np.where(worth == np.repeat(most, sizes), np.arange(len(worth)), len(worth))
    rows: Ints = np.minimum.reduceat(place, level.first)
    return rows


def decisions(table: Table) -> Decisions:
    """What any policy at ``table`` can do, unfolded round by round from every deal."""
    return joined([_unfold(table, seat) for seat in table.seats])


def joined(parts: Sequence[Decisions]) -> Decisions:
    """One of ``parts`` at random, all equally likely, as the policy sees which."""
    levels = tuple(_side_by_side(parts, depth) for depth in range(len(parts[0].levels)))
    return Decisions(levels, np.concatenate([part.roots for part in parts]) / len(parts))


def _side_by_side(parts: Sequence[Decisions], depth: int) -> Level:
    """One level of several: beliefs, rows and children numbered on."""
    levels = [part.levels[depth] for part in parts]
    rows = np.cumsum([0, *(len(level.gains) for level in levels)])
    below = [
        len(part.levels[depth + 1].first) if depth + 1 < len(part.levels) else 0 for part in parts
    ]
    children = np.cumsum([0, *below])
    return Level(
        np.concatenate([level.first + rows[n] for n, level in enumerate(levels)]),
        np.concatenate([level.gains for level in levels]),
        np.concatenate([level.row + rows[n] for n, level in enumerate(levels)]),
        np.concatenate([level.child + children[n] for n, level in enumerate(levels)]),
        np.concatenate([level.mass for level in levels]),
    )


def _unfold(table: Table, seat: int) -> Decisions:
    game, other = table.game, 1 - seat
    start = [
        (number, state, likely)
        for number in range(len(table.met))
        for state, likely in dealt(game, game.start())
    ]
    beliefs, roots = _told_apart(table, start, seat)
    levels: list[Level] = []
    while beliefs:
        first: list[int] = []
        gains: list[Floats] = []
        edges: list[tuple[int, int, float]] = []
        below: dict[Any, int] = {}
        following: list[list[Believed]] = []
        for belief in beliefs:
            first.append(len(gains))
            answers = [
                _answer(game, table.met[number][0], state, other) for number, state, _ in belief
            ]
            for move in game.legal_moves(belief[0][1], seat):
                gain = np.zeros(table.width)
                after: list[Believed] = []
                for (number, state, likely), answer in zip(belief, answers, strict=True):
                    for theirs, chance in answer:
                        moved = game.play(state, {seat: move, other: theirs})
                        for then, luck in dealt(game, moved):
                            weight = likely * chance * luck
                            gain += weight * table.gained(number, then, seat)
                            if game.actors(then):
                                after.append((number, then, weight))
                groups, masses = _told_apart(table, after, seat)
                for group, mass in zip(groups, masses, strict=True):
                    key = frozenset((n, held, round(w, 12)) for n, held, w in group)
                    child = below.setdefault(key, len(below))
                    if child == len(following):
                        following.append(group)
                    edges.append((len(gains), child, mass))
                gains.append(gain)
        row, child_, mass_ = zip(*edges, strict=True) if edges else ((), (), ())
        levels.append(
            Level(
                np.array(first),
                np.array(gains),
                np.array(row, dtype=np.int64),
                np.array(child_, dtype=np.int64),
                np.array(mass_, dtype=float),
            )
        )
        beliefs = following
    return Decisions(tuple(levels), roots)


def _told_apart(
    table: Table, believed: Sequence[Believed], seat: int
) -> tuple[list[list[Believed]], Floats]:
    """The beliefs that ``seat``'s next observation leads to, and how likely each is."""
    seen: dict[Any, dict[tuple[int, State], float]] = {}
    for number, state, likely in believed:
        group = seen.setdefault(table.game.observe(table.alone(state), seat), {})
        held = table.forget(state, seat, {1 - seat: table.met[number][0]})
        group[number, held] = group.get((number, held), 0.0) + likely
    masses = np.array([sum(group.values()) for group in seen.values()])
    return [
        [(number, state, likely / mass) for (number, state), likely in group.items()]
        for group, mass in zip(seen.values(), masses, strict=True)
    ], masses


def _answer(game: Game, opponent: Opponent, state: State, seat: int) -> list[tuple[Move, float]]:
    row = opponent.probabilities(game.observe(state, seat), game.legal_moves(state, seat))
    return [(move, p) for move, p in row.items() if p > 0]


def dealt(game: Game, state: State) -> Iterator[tuple[State, float]]:
    """Where chance can lead until somebody decides, and how likely."""
    waiting = [(state, 1.0)]
    while waiting:
        at, likely = waiting.pop()
        if game.actors(at) != (CHANCE,):
            yield at, likely
            continue
        waiting += [
            (game.play(at, {CHANCE: outcome}), likely * p)
            for outcome, p in game.chance_outcomes(at)
            if p > 0
        ]


def terms_of(table: Table, policy: Opponent) -> Floats:
    """The terms of a fixed policy at ``table``, ``(terms,)``, by playing out every pairing."""
    game, total = table.game, np.zeros(table.width)
    for seat in table.seats:
        for number, (opponent, _) in enumerate(table.met):
            players = {seat: policy, 1 - seat: opponent}
            reached = _merged(table, dealt(game, game.start()), seat, players)
            while reached:
                after: list[tuple[State, float]] = []
                for state, likely in reached.items():
                    for first, p in _answer(game, players[0], state, 0):
                        for second, q in _answer(game, players[1], state, 1):
                            for then, luck in dealt(game, game.play(state, {0: first, 1: second})):
                                weight = likely * p * q * luck
                                total += weight * table.gained(number, then, seat)
                                if game.actors(then):
                                    after.append((then, weight))
                reached = _merged(table, after, seat, players)
    return total / len(table.seats)


def _merged(
    table: Table,
    states: Iterable[tuple[State, float]],
    seat: int,
    players: Mapping[int, Opponent],
) -> dict[State, float]:
    merged: dict[State, float] = {}
    for state, likely in states:
        held = table.forget(state, seat, players)
        merged[held] = merged.get(held, 0.0) + likely
    return merged
