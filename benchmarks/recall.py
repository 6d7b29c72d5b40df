"""How much of a match must a policy remember? What J is within reach of one that forgets the rest.

    python -m benchmarks.recall                 the repeated auction, in a minute
    python -m benchmarks.recall --record        and store it

In the auction a policy is not told whom it meets, so it must read its opponent from the bids. Here
it decides by its value, the number of the round and as much of the opponent's bids as it keeps:

    nothing             none of them
    last                the last one
    which               which bids have been made, not how often
    how often           how often each has been made
    in order            all of them, one after the other

Each line is J of one policy, computed exactly, so that much at least is within reach. The policy
is found round by round: with all other rounds' bids as they are, those of one round have a best
answer, and answering in turn from the last round to the first, J never falls. It ends where no
round alone can better it, which need not be the best of all; so there are several starts. What a
policy could do that remembers everything, its own values and bids too, is J* of
`benchmarks.optimum`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import product
from random import Random
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.command_line import guarded
from benchmarks.optimum import computed, highest_j
from benchmarks.records import Record, measure, save
from opponents.decisions import Table, dealt, decisions, linear, objective
from opponents.opponent import Opponent
from opponents.tables import TABLES
from sepo_envs.catalogue import domain
from sepo_envs.game import State
from sepo_envs.games.repeated_auction.rules import Observation

GAME = "repeated_auction"
BENCHMARK = "recall"
STARTS = 5
"""Policies that the search begins with: for each, bids at random."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bids = tuple[int, ...]

KEPT: Mapping[str, Callable[[Bids, int], Bids]] = {
    "nothing": lambda kept, bid: (),
    "last": lambda kept, bid: (bid,),
    "which": lambda kept, bid: tuple(sorted({*kept, bid})),
    "how often": lambda kept, bid: tuple(sorted((*kept, bid))),
    "in order": lambda kept, bid: (*kept, bid),
}
"""By the name of the memory: what is in it after the opponent's next bid, from what was before."""


class Choice(NamedTuple):
    """What a policy tells apart when it bids. Its seat is not among it, as no text tells it."""

    round: int
    value: int
    kept: Bids


class Round(NamedTuple):
    """The positions of one round: a row is a position and a bid in it. All rows of a position stand
    together, one for each legal bid."""

    choice: Ints
    """``(positions,)``; the number of the choice that each belongs to."""
    gains: Floats
    """``(positions, bids, terms)``; expected, of this round."""
    edges: tuple[Ints, Ints, Ints, Floats]
    """Position, bid, position of the next round, and how likely it is."""
    choices: tuple[Choice, ...]


class Positions(NamedTuple):
    """Every position that a policy with some memory can be in, round by round."""

    rounds: tuple[Round, ...]
    begin: Floats
    """How likely each of the first round's is."""


def unfold(table: Table, kept: Callable[[Bids, int], Bids]) -> Positions:
    """All positions at ``table``: the opponent, what it minds, and what the policy knows."""
    at: dict[tuple[int, int, State, Bids], float] = {}
    for seat, number in product(table.seats, range(len(table.met))):
        for state, likely in dealt(table.game, table.game.start()):
            at[seat, number, state, ()] = likely / len(table.seats)
    begin, rounds = np.array(list(at.values())), []
    here = list(at)
    for depth in range(table.game.rounds):
        choices: dict[Choice, int] = {}
        following: dict[tuple[int, int, State, Bids], int] = {}
        choice: list[int] = []
        edges: list[tuple[int, int, int, float]] = []
        gains = np.zeros((len(here), len(table.game.bids), table.width))
        for position, (seat, number, state, memory) in enumerate(here):
            value = state.round.values[seat]
            choice.append(choices.setdefault(Choice(depth, value, memory), len(choices)))
            opponent = table.met[number][0]
            seen = table.game.observe(state, 1 - seat)
            answers = opponent.probabilities(seen, table.game.bids)
            players = {1 - seat: opponent}
            for mine, bid in enumerate(table.game.bids):
                for theirs, chance in answers.items():
                    moved = table.game.play(state, {seat: bid, 1 - seat: theirs})
                    left = kept(memory, theirs)
                    for then, luck in dealt(table.game, moved):
                        weight = chance * luck
                        gains[position, mine] += weight * table.gained(number, then, seat)
                        if table.game.actors(then):
                            held = table.forget(then, seat, players)
                            key = (seat, number, held, left)
                            child = following.setdefault(key, len(following))
                            edges.append((position, mine, child, weight))
        start, bid_, end, mass = zip(*edges, strict=True) if edges else ((), (), (), ())
        whole = [np.array(part, dtype=np.int64) for part in (start, bid_, end)]
        rounds.append(
            Round(
                np.array(choice),
                gains,
                (whole[0], whole[1], whole[2], np.array(mass, dtype=float)),
                tuple(choices),
            )
        )
        here = list(following)
    return Positions(tuple(rounds), begin)


def search(positions: Positions, weights: Floats, start: Sequence[Ints]) -> list[Ints]:
    """The bids, by round and choice, that no round alone can better.

    Args:
        weights: of the terms; their weighted sum is what is to be large.
        start: the bids to begin with, as places in the game's list of them.
    """
    bids, reached = list(start), -np.inf
    while True:
        likely = _likely(positions, bids)
        value: Floats = np.zeros(0)
        for depth in reversed(range(len(bids))):
            now = positions.rounds[depth]
            start_, bid, end, mass = now.edges
            worth = now.gains @ weights
            np.add.at(worth, (start_, bid), mass * (value[end] if len(end) else 0.0))
            by_choice = np.zeros((len(now.choices), worth.shape[1]))
            np.add.at(by_choice, now.choice, likely[depth][:, None] * worth)
            kept = by_choice[np.arange(len(by_choice)), bids[depth]]
            best = by_choice.argmax(1)
            better = by_choice.max(1) > kept + 1e-12
            bids[depth] = np.where(better, best, bids[depth])
            value = worth[np.arange(len(worth)), bids[depth][now.choice]]
        total = float(positions.begin @ value)
        if total <= reached + 1e-12:
            return bids
        reached = total


def best_found(table: Table, name: str, *, starts: int = STARTS) -> tuple[float, Opponent]:
    """The highest J that was found of policies with the memory ``name``, and its policy."""
    positions, weights = unfold(table, KEPT[name]), table.harms.published
    gated = table.width - 3
    found = []
    for number in range(starts):
        rng = Random(f"{name}|{number}")
        start = [
            np.array([rng.randrange(len(table.game.bids)) for _ in each.choices])
            for each in positions.rounds
        ]
        # J is the least over gates of such sums, so a policy may be best at any of them.
        for gates in product((0.0, 0.5, 1.0), repeat=gated):
            bids = search(positions, linear(weights, np.array(gates)), start)
            policy = as_opponent(table, positions, bids, name)
            found.append((objective(_terms(positions, bids), weights), policy))
    return max(found, key=lambda each: each[0])


def as_opponent(table: Table, positions: Positions, bids: Sequence[Ints], name: str) -> Opponent:
    """The policy as whoever plays the game meets it."""
    made = {
        choice: table.game.bids[bids[depth][place]]
        for depth, each in enumerate(positions.rounds)
        for place, choice in enumerate(each.choices)
    }

    def policy(seen: Observation) -> Mapping[int, float]:
        theirs = [bid for past in seen.past if (bid := past.bids[1 - seen.seat]) is not None]
        assert seen.value is not None
        return {made[Choice(len(seen.past), seen.value, reduce(KEPT[name], theirs, ()))]: 1.0}

    return Opponent(f"remembers {name}", policy, "benchmarks.recall")


def _likely(positions: Positions, bids: Sequence[Ints]) -> list[Floats]:
    """How likely each position is, round by round."""
    likely = [positions.begin]
    for depth, now in enumerate(positions.rounds[:-1]):
        start, bid, end, mass = now.edges
        made = (bids[depth][now.choice][start] == bid).astype(float)
        after: Floats = np.zeros(len(positions.rounds[depth + 1].choice))
        np.add.at(after, end, likely[-1][start] * mass * made)
        likely.append(after)
    return likely


def _terms(positions: Positions, bids: Sequence[Ints]) -> Floats:
    total: Floats = np.zeros(positions.rounds[0].gains.shape[-1])
    for now, made, likely in zip(positions.rounds, bids, _likely(positions, bids), strict=True):
        total += likely @ now.gains[np.arange(len(now.choice)), made[now.choice]]
    return total


def record(found: Mapping[str, float], best: float, seconds: float) -> Record:
    """What is stored."""
    return computed(
        BENCHMARK,
        GAME,
        summary=f"J within reach in {domain(GAME).title} of a policy that remembers only so much",
        note="Of each memory the J of one policy, exactly: at least that much is within reach. "
        "Nothing was played or drawn but what the search begins with.",
        measures={
            name: {"J": measure([value], "J", over="repeats")}
            for name, value in {**found, "everything (J*)": best}.items()
        },
        command="python -m benchmarks.recall --record",
        seconds=seconds,
    )


def main(arguments: Sequence[str]) -> None:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.recall",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--record", action="store_true", help="store under benchmarks/results")
    given = made.parse_args(arguments)
    began, table, found = perf_counter(), TABLES[GAME](), {}
    for name in KEPT:
        found[name], _ = best_found(table, name)
        print(f"{name:16} {found[name]:+.4f}", flush=True)
    best = highest_j(decisions(table), table.harms.published).low
    print(f"{'everything (J*)':16} {best:+.4f}")
    if given.record:
        print(f"stored as {save(record(found, best, perf_counter() - began))}")


if __name__ == "__main__":
    raise SystemExit(guarded(main, "benchmarks.recall"))
