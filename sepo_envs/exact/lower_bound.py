"""Exploitability from below, where it cannot be computed: a trained exploiter, and what it takes.

Whoever the exploiter is, what it gains over the policy in the policy's own seat is at most what a
best response gains. So the gain of *any* exploiter bounds exploitability from below, and a
confidence interval of that gain makes the bound certain but for its confidence:

1. *train*: a tabular exploiter per seat learns from play against the policy, by averaging backward
   over the last k tokens of its infostate, for several k;
2. *select*: of these, of whoever the caller offers, and of the policy itself, the one that earns
   most in other episodes is chosen for each seat;
3. *measure*: the chosen ones and the policy play fresh episodes with the same draws.

The three use different seeds, so that choosing does not flatter. The interval is the empirical
Bernstein bound of A. Maurer and M. Pontil, "Empirical Bernstein bounds and sample variance
penalization" (COLT 2009), which holds for every distribution over the range of what an episode can
pay, long or short (`total_range`).

>>> from sepo_envs.games.split_negotiation.rules import SplitNegotiation
>>> class Meek:
...     def probabilities(self, observation, legal):
...         return {1: 1.0}
>>> print(lower_bound(SplitNegotiation(), Meek(), seed=0, episodes=2_000))
32.0000 [31.6317, 32.3683] (lower bound: tabular exploiter (last 1), 2,000 episodes, 95 % CI)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepo_envs.batch import Board
from sepo_envs.choices import Askable
from sepo_envs.exact.certified import Certified
from sepo_envs.game import FORFEIT, BoundedGame, Game, Move, RepeatedGame

Floats = NDArray[np.float64]

MEMORIES: Final = (1, 2, 4, 1_000)
"""How many tokens of its infostate an exploiter remembers; the last is all of them."""
GREED: Final = (0.0, 0.6, 0.8)
"""How often the learner follows what it has learned so far, in each part of its training."""


class Bounds(NamedTuple):
    low: float
    high: float


def empirical_bernstein(values: Floats, *, span: float, confidence: float = 0.95) -> Bounds:
    """Two-sided limits of the mean of ``values``, drawn alike and independently.

    Args:
        values: ``(n,)``, n at least 2.
        span: no two values can differ by more.

    >>> low, high = empirical_bernstein(np.tile([0.0, 1.0], 500), span=1.0)
    >>> round(low, 3), round(high, 3)
    (0.443, 0.557)
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} value has no spread: give at least 2 episodes.")
    tail = log(4 / (1 - confidence))
    noise = sqrt(2 * float(values.var(ddof=1)) * tail / len(values))
    noise += 7 * span * tail / (3 * (len(values) - 1))
    mean = float(values.mean())
    return Bounds(mean - noise, mean + noise)


def lower_bound(
    game: Game,
    policy: Askable,
    *,
    seed: int,
    episodes: int = 20_000,
    candidates: Mapping[str, Askable] | None = None,
    confidence: float = 0.95,
    payoff_range: tuple[float, float] | None = None,
) -> Certified:
    """At least how exploitable ``policy`` is: NashConv over seats, in points per episode.

    Args:
        game: any rulebook.
        policy: what is exploited; in every seat.
        seed: of all draws; other seeds are independent repetitions.
        episodes: to measure with; training takes as many for each seat, selection a quarter.
        candidates: further exploiters by name, such as every scripted opponent.
        payoff_range: as in `BoundedGame`, for games that do not say it themselves.

    Raises:
        ValueError: nothing says what a round can pay, or there are too few episodes.
    """
    if payoff_range is None:
        if not isinstance(game, BoundedGame):
            raise ValueError(
                f"{game.name} does not say what a round can pay, and an interval needs to know. "
                "Give payoff_range=(least, most), or the game a method of that name."
            )
        payoff_range = game.payoff_range()
    if episodes < 8:
        raise ValueError(f"{episodes} episodes are too few to select and measure with: use 8.")
    board = Board(game)
    chosen = []
    for seat in range(game.seats):
        learned = _trained(board, policy, seat, seeds=_seeds(seed, seat, episodes))
        offered: dict[str, Askable] = {"the policy itself": policy, **(candidates or {})}
        offered |= {f"tabular exploiter ({one.remembers})": one for one in learned}
        trial = _seeds(seed, game.seats + seat, max(2, episodes // 4))
        earned = {
            name: float(_earned(board, policy, one, seat, trial).mean())
            for name, one in offered.items()
        }
        best = max(earned, key=lambda name: earned[name])
        chosen.append((best, offered[best]))
    fresh = _seeds(seed, 2 * game.seats, episodes)
    kept = board.play([policy] * game.seats, fresh).returns
    gains = [
        _earned(board, policy, exploiter, seat, fresh) - kept[:, seat]
        for seat, (_, exploiter) in enumerate(chosen)
    ]
    gain = np.mean(gains, axis=0)
    totals = total_range(game, payoff_range)
    most = totals.high - totals.low  # no seat can gain, or lose, more than the whole range
    low, high = empirical_bernstein(gain, span=2 * most, confidence=confidence)
    names = " and ".join(dict.fromkeys(name for name, _ in chosen))
    how = f"{names}, {episodes:,} episodes, {100 * confidence:g} % CI"
    value = max(0.0, float(gain.mean()))  # as exploitability is
    return Certified(value, max(0.0, low), min(most, high), "lower bound", how)


def total_range(game: Game, payoff_range: tuple[float, float]) -> Bounds:
    """The least and the most that an episode can pay a seat, in points.

    Args:
        payoff_range: what one round can pay.

    An episode has ``game.rounds`` rounds where the game says, as a repeated stage, that none is
    left to chance; elsewhere it may have any number from 1 on, which makes the range wider only
    where every round pays something, or every round costs something.

    >>> from sepo_envs.games.split_negotiation.rules import SplitNegotiation
    >>> total_range(SplitNegotiation(rounds=3, pie=10), (0, 10))
    Bounds(low=0.0, high=30.0)
    """
    stage = game.stage() if isinstance(game, RepeatedGame) else None
    fewest = game.rounds if stage is not None and stage.continuation == 1 else 1
    totals = np.outer([fewest, game.rounds], payoff_range)
    return Bounds(float(totals.min()), float(totals.max()))


def _seeds(seed: int, part: int, count: int) -> NDArray[np.uint64]:
    """Seeds of their own for each part of the work."""
    drawn = np.random.default_rng((seed, part)).integers(0, 2**62, size=count, dtype=np.uint64)
    return drawn


def _earned(
    board: Board, policy: Askable, exploiter: Askable, seat: int, seeds: NDArray[np.uint64]
) -> Floats:
    """``(episodes,)``: what ``exploiter`` earns in ``seat``."""
    seats: list[Askable] = [policy] * board.game.seats
    seats[seat] = exploiter
    earned: Floats = board.play(seats, seeds).returns[:, seat]
    return earned


def tokens(infostate: str) -> tuple[str, ...]:
    """An infostate in pieces: by its spaces, or by its commas if it has none.

    >>> tokens("0|4:2,3>1 2"), tokens("0:CC,CD")
    (('0|4:2,3>1', '2'), ('0:CC', 'CD'))
    """
    pieces = infostate.split()
    return tuple(pieces if len(pieces) > 1 else infostate.split(","))


Key = tuple[int, tuple[str, ...]]
"""How many tokens there are, so that time is known, and the last of them."""


def _key(infostate: str, memory: int) -> Key:
    pieces = tokens(infostate)
    return len(pieces), pieces[-memory:]


@dataclass(frozen=True, eq=False)
class TabularExploiter:
    """Plays what paid most after the last tokens of its infostate; of fewer where it saw none."""

    tables: Sequence[tuple[int, Mapping[Key, Move]]]
    """(memory, move by key), the longest memory first."""
    greed: float = 1.0
    """How often it does so; else it moves at random."""

    @property
    def remembers(self) -> str:
        memory = self.tables[0][0]
        return "all" if memory == MEMORIES[-1] else f"last {memory}"

    def probabilities(self, observation: Any, legal: Sequence[Move]) -> dict[Move, float]:
        row = dict.fromkeys(legal, (1 - self.greed) / len(legal))
        for memory, table in self.tables:
            move = table.get(_key(observation.infostate, memory))
            if move in row:
                row[move] += self.greed
                return row
        return dict.fromkeys(legal, 1 / len(legal))


@dataclass(slots=True)
class _Path:
    """One way through the game: the learner's decisions, and how often it went so."""

    steps: list[tuple[str, Move, float]]
    """What it saw, what it did, and what it then earned until its next decision, in points."""
    times: int


@dataclass(slots=True)
class _Mean:
    total: float = 0.0
    count: int = 0


def _trained(
    board: Board, policy: Askable, seat: int, seeds: NDArray[np.uint64]
) -> list[TabularExploiter]:
    """One exploiter for each of `MEMORIES`, from as many episodes as there are seeds."""
    paths: list[_Path] = []
    learner = TabularExploiter(tables=[(MEMORIES[0], {})])
    learned: list[tuple[int, dict[Key, Move]]] = []
    for greed, part in zip(GREED, np.array_split(seeds, len(GREED)), strict=True):
        explorer = TabularExploiter(learner.tables, greed)
        paths += _paths(board, policy, explorer, seat, part)
        learned = [(memory, _averaged_backward(paths, memory)) for memory in MEMORIES]
        learner = TabularExploiter(learned[1::-1])
    return [TabularExploiter(learned[: n + 1][::-1]) for n in range(len(MEMORIES))]


def _paths(
    board: Board, policy: Askable, explorer: Askable, seat: int, seeds: NDArray[np.uint64]
) -> Iterable[_Path]:
    seats: list[Askable] = [policy] * board.game.seats
    seats[seat] = explorer
    played = board.play(seats, seeds)
    times = np.bincount(played.ending, minlength=len(played.endings))
    for ending, count in zip(played.endings, times.tolist(), strict=True):
        made = [(state, move) for state, move in ending.decisions(seat) if move is not FORFEIT]
        before = [
            sum(points[seat] for points in board.game.payoffs(state)) for state, _ in made
        ] + [ending.returns[seat]]
        yield _Path(
            [
                (board.game.observe(state, seat).infostate, move, after - so_far)
                for (state, move), so_far, after in zip(made, before, before[1:], strict=False)
            ],
            count,
        )


def _averaged_backward(paths: Sequence[_Path], memory: int) -> dict[Key, Move]:
    """The move that pays most after each key, if the learner goes on as it does at later keys."""
    worth: dict[Key, float] = {}
    best: dict[Key, Move] = {}
    for step in reversed(range(max((len(path.steps) for path in paths), default=0))):
        means: dict[Key, dict[Move, _Mean]] = defaultdict(lambda: defaultdict(_Mean))
        for path in paths:
            if step >= len(path.steps):
                continue
            infostate, move, target = path.steps[step]
            for later, _, _ in path.steps[step + 1 : step + 2]:
                target += worth[_key(later, memory)]
            mean = means[_key(infostate, memory)][move]
            mean.total += path.times * target
            mean.count += path.times
        for key, moves in means.items():
            best[key] = max(moves, key=lambda made: moves[made].total / moves[made].count)
            worth[key] = moves[best[key]].total / moves[best[key]].count
    return best
