"""Thousands of episodes at once, of any game, between any policies that can be asked. Knows no API.

>>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move
>>> class Gambler:
...     def probabilities(self, observation, legal):
...         return {Move.PASS: 1 / 3, Move.BET: 2 / 3}
>>> board = Board(KuhnPoker())
>>> played = board.play((Gambler(), Gambler()), seeds=range(10_000))
>>> played.returns.shape, len(played.endings)
((10000, 2), 30)

A `Board` is the game's tree as far as anybody has walked it: a node is an `Episode`, reached once
through the ordinary rules; arrays hold who acts there, by which weights, and what follows. All
episodes of a batch then move in lock-step, each step a few numpy calls: draw, compare with the
node's cumulative weights, go to the child. A policy is asked once per information set.

Episode i draws from the addresses of ``seeds[i]`` (`sepo_envs.draws`) and picks as
``random.Random.choices`` picks, as the environments do. So move by move it is the episode of an
environment that was reset with that seed, whose seat k is played by ``choices`` from the draws of
stream ``seat k``:

>>> from sepo_envs.draws import Draws
>>> from sepo_envs.episode import begin
>>> dealt = begin(KuhnPoker()).deal(Draws(7, 0, "deal"))
>>> opening = Draws(7, 0, "seat 0").choices([Move.PASS, Move.BET], [1 / 3, 2 / 3])[0]
>>> dealt.play(opening).entries == played.episode(7).entries[:3]
True

What is worked out from an ending is worked out once for all episodes that ended there:

>>> played.each(lambda ending: len(ending.entries)).mean().round(1)
np.float64(4.2)

A board may be kept and played on again: what it has seen is not worked out anew, and what the
latest policies answered is kept too (`MOST_ASKED`). Games that hardly
ever repeat a history (six rounds of the auction, the items) gain least, as every node is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sepo_envs.choices import Askable, Weights, checked_row, places
from sepo_envs.draws import (
    DEAL,
    GOLDEN,
    WORD,
    Keys,
    checked_seeds,
    keys,
    mix_all,
    offset,
    seat_stream,
    to_floats,
)
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, FORFEIT, Game, Move

K = TypeVar("K")
V = TypeVar("V")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

OVER: Final = -2
"""Stands for the actor, and for the row, of a finished episode."""
UNKNOWN: Final = -1
"""A child that nobody has reached, or a row that no policy was asked for."""
AT_ONCE: Final = 1 << 14
"""Episodes that move together: so many that numpy's overhead vanishes, so few that their numbers
stay in the processor's cache."""

MOST_ASKED: Final = 16
"""Policies, and seatings of them, whose answers a board keeps: those it was last asked to play. One
that was dropped is asked anew, so more than these only cost time."""


@dataclass(frozen=True)
class Played:
    """A batch of finished episodes. Row i is the episode of ``seeds[i]`` and ``numbers[i]``."""

    seeds: NDArray[np.uint64]
    """``(episodes,)``"""
    numbers: NDArray[np.uint64]
    """``(episodes,)``; which episode since the seed was given."""
    ending: Ints
    """``(episodes,)``; where in `endings` the episode ended."""
    endings: tuple[Episode, ...]
    """The episodes as played, each once unless the board had to forget in between."""
    returns: Floats
    """``(episodes, seats)``, in points."""
    fouls: Ints
    """``(episodes, seats)``; 0 unless a policy answers FORFEIT."""

    def __len__(self) -> int:
        return len(self.ending)

    def episode(self, row: int) -> Episode:
        """The whole match, to replay or to save."""
        return self.endings[int(self.ending[row])]

    def episodes(self) -> Iterator[Episode]:
        """Every match, in order."""
        return map(self.episode, range(len(self)))

    def each(self, measure: Callable[[Episode], ArrayLike]) -> NDArray[Any]:
        """``measure`` of every episode, ``(episodes, ...)``, computed once per ending."""
        return np.array([measure(ending) for ending in self.endings])[self.ending]


class Board:
    """The part of a game's tree that has been walked, as arrays that grow.

    Args:
        game: any rulebook.
        most_nodes: forget everything, between `AT_ONCE` episodes, once there are more nodes, or as
            many distinct answers of policies. A node
            takes some 0.5 to 2 kB, and 4 bytes for each seating of policies, of which it keeps
            the last `MOST_ASKED`. Results stay whole.
    """

    def __init__(self, game: Game, *, most_nodes: int = 500_000) -> None:
        if most_nodes < 1:
            raise ValueError(f"most_nodes is {most_nodes}, but even the start is a node. Use more.")
        self.game = game
        self.most_nodes = most_nodes
        self._offset = {seat: offset(seat_stream(seat)) for seat in range(game.seats)}
        self._offset[CHANCE] = offset(DEAL)
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Policies go by their identity, which is another in a copy: there each is asked anew."""
        return self.__dict__ | {"_asked": {}, "_tables": {}}

    def forget(self) -> None:
        """Go back to the start: nothing reached, nobody asked.

        A policy that answers otherwise than before must be forgotten, or be a new object.
        """
        self._weights = Weights()
        self._asked: dict[int, _Answers] = {}
        self._tables: dict[tuple[int, ...], _Seating] = {}
        self._episodes: list[Episode] = []
        self._moves: list[Sequence[Move]] = []
        """The legal moves of each node, or the outcomes of chance."""
        self._turn: list[int] = []
        """The node where each node's turn began; another one only while a move is pending."""
        self._actor = np.empty(0, np.int8)
        self._counter = np.empty(0, np.uint64)
        self._row = np.empty(0, np.int32)
        """Chance's row of weights, OVER, or UNKNOWN where a policy is to be asked."""
        self._returns = np.empty((0, self.game.seats), np.float64)
        self._fouls = np.empty((0, self.game.seats), np.int64)
        self._first = np.empty(0, np.int64)
        self._child = np.empty(0, np.int32)
        """The children of node n are ``_child[_first[n]:]``, in the order of its moves; after them
        a seat's node has the child of a FORFEIT."""
        self._slots = 0
        self._add([begin(self.game)], [0])

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self._episodes)

    @property
    def full(self) -> bool:
        """Whether more is kept than `most_nodes`, of nodes or of distinct answers of policies."""
        return max(len(self), len(self._weights)) > self.most_nodes

    def play(
        self, policies: Sequence[Askable], seeds: ArrayLike, *, numbers: ArrayLike = 0
    ) -> Played:
        """One episode per seed, to its end.

        Args:
            policies: one for each seat.
            seeds: whole numbers from 0 on. The same seed gives the same deals and, seat by seat,
                the same draws, whoever plays.
            numbers: which episode since the seed was given; broadcast against ``seeds``. One seed
                and ``range(n)`` are the n episodes of an environment that is reset n times.

        Raises:
            TypeError: a seed is no whole number.
            ValueError: a seed is negative, there is not one policy per seat, or a policy's answer
                is no distribution over legal moves.
        """
        if len(policies) != self.game.seats:
            raise ValueError(
                f"{len(policies)} policies for the {self.game.seats} seats of {self.game.name}: "
                "give one for each, the same one twice if it plays itself."
            )
        start, number = np.broadcast_arrays(
            checked_seeds(seeds), checked_seeds(numbers, name="episode number")
        )
        draws = keys(start, number)
        parts, ends = [], [np.empty(0, np.int64)]
        for begins in range(0, len(draws), AT_ONCE):
            if self.full:
                parts.append(self._endings(np.concatenate(ends)))
                ends = []
                self.forget()
            ends.append(self._finish(policies, draws[begins : begins + AT_ONCE]))
        parts.append(self._endings(np.concatenate(ends)))
        before = np.cumsum([0, *(len(endings) for _, endings, _, _ in parts)])
        return Played(
            start,
            number,
            np.concatenate([part[0] + first for part, first in zip(parts, before, strict=False)]),
            tuple(ending for _, endings, _, _ in parts for ending in endings),
            np.concatenate([returns for _, _, returns, _ in parts]),
            np.concatenate([fouls for _, _, _, fouls in parts]),
        )

    def _finish(self, policies: Sequence[Askable], draws: Keys) -> Ints:
        """The last node of the episodes whose draws start at ``draws``."""
        ends = np.zeros(len(draws), np.int64)
        live, node = np.arange(len(draws)), ends
        while len(live):
            rows = self.rows(policies, node)
            over = rows == OVER
            if over.any():
                ends[live[over]] = node[over]
                live, node, rows, draws = (each[~over] for each in (live, node, rows, draws))
            node = self.follow(node, rows, draws)
        return ends

    def _endings(self, ends: Ints) -> tuple[Ints, list[Episode], Floats, Ints]:
        """Where among the distinct ``ends`` each stands; these; everyone's returns and fouls."""
        met = np.zeros(len(self), np.bool_)
        met[ends] = True
        endings = [self._episodes[node] for node in np.flatnonzero(met).tolist()]
        return (np.cumsum(met) - 1)[ends], endings, self._returns[ends], self._fouls[ends]

    def rows(self, policies: Sequence[Askable], node: Ints) -> NDArray[np.int32]:
        """By which row of weights each of ``node`` moves on, chance included; OVER at the end."""
        table = self._table(policies)
        rows = table[node]
        if (rows == UNKNOWN).any():
            for unknown in np.unique(node[rows == UNKNOWN]).tolist():
                table[unknown] = self._ask(policies[self._actor[unknown]], unknown)
            rows = table[node]
        return rows

    def follow(self, node: Ints, rows: NDArray[np.int32], draws: Keys) -> Ints:
        """The nodes after the moves that each episode's next draw picks out of its row."""
        u = to_floats(mix_all(draws + self._counter[node]))
        return self.children(node, self._weights.pick(rows, u))

    def children(self, node: Ints, slot: Ints) -> Ints:
        """The nodes after move number ``slot`` of each of ``node``; the last one is FORFEIT."""
        edge = self._first[node] + slot
        child = self._child[edge]
        if (child == UNKNOWN).any():
            _, which = np.unique(edge[child == UNKNOWN], return_index=True)
            new = np.flatnonzero(child == UNKNOWN)[which]
            self._explore(node[new].tolist(), slot[new].tolist())
            child = self._child[edge]
        reached: Ints = child.astype(np.int64)
        return reached

    def find(self, episode: Episode) -> int:
        """The node of an episode of this game, which is walked to if need be."""
        node = 0
        for actor, move in episode.entries:
            moves = self._moves[node]
            slot = len(moves) if move is FORFEIT and actor != CHANCE else moves.index(move)
            node = int(self.children(np.array([node]), np.array([slot]))[0])
        return node

    def actors(self, node: Ints) -> NDArray[np.int8]:
        """Who acts at each of ``node``: a seat, CHANCE, or OVER."""
        return self._actor[node]

    def episode(self, node: int) -> Episode:
        """How it came to ``node``."""
        return self._episodes[node]

    def _explore(self, parents: list[int], slots: list[int]) -> None:
        """Reach the children number ``slots`` of ``parents``, by the rules."""
        reached = []
        for parent, slot in zip(parents, slots, strict=True):
            moves = self._moves[parent]
            move = moves[slot] if slot < len(moves) else FORFEIT
            reached.append(self._episodes[parent].play(move))
        edges = self._first[parents] + slots
        self._child[edges] = np.arange(len(self), len(self) + len(reached))
        self._add(reached, parents)

    def _add(self, episodes: list[Episode], parents: list[int]) -> None:
        """Make a node of each of ``episodes``."""
        old, new = len(self), len(self) + len(episodes)
        actors, counters, rows, first = [], [], [], []
        for node, (episode, parent) in enumerate(zip(episodes, parents, strict=True), old):
            actor, state = episode.actor, episode.state
            moves: Sequence[Move] = ()
            row, slots, counter = UNKNOWN, 0, 0
            if actor is None:
                row = OVER
            else:
                if actor == CHANCE:
                    moves, weights = zip(*self.game.chance_outcomes(state), strict=True)
                    row, slots = self._weights.row(weights, range(len(moves))), len(moves)
                else:
                    moves = self.game.legal_moves(state, actor)
                    slots = len(moves) + 1
                nth = [entry.actor for entry in episode.entries].count(actor)
                counter = (self._offset[actor] + GOLDEN * (nth + 1)) & WORD
            self._moves.append(moves)
            self._turn.append(self._turn[parent] if episode.pending else node)
            actors.append(OVER if actor is None else actor)
            counters.append(counter)
            rows.append(row)
            first.append(self._slots)
            self._slots += slots
        self._episodes += episodes
        self._actor = written(self._actor, old, actors)
        self._counter = written(self._counter, old, counters)
        self._row = written(self._row, old, rows)
        self._first = written(self._first, old, first)
        self._child = room(self._child, self._slots, UNKNOWN)
        self._returns = room(self._returns, new, 0)
        self._fouls = room(self._fouls, new, 0)
        for node, episode in enumerate(episodes, old):
            if rows[node - old] == OVER:
                self._returns[node] = episode.returns
                self._fouls[node] = episode.fouls

    def _table(self, policies: Sequence[Askable]) -> NDArray[np.int32]:
        """Every node's row as far as it is known, if the seats are played by ``policies``."""
        who = tuple(map(id, policies))
        known = self._tables.get(who)
        table = self._row[:0] if known is None else known.rows
        if len(table) < len(self):
            table = np.concatenate([table, self._row[len(table) : len(self)]])
        keep_latest(self._tables, who, _Seating(tuple(policies), table))
        return table

    def _ask(self, policy: Askable, node: int) -> int:
        """The row of what ``policy`` answers at ``node``."""
        answers = self._asked.get(id(policy), _Answers(policy))
        keep_latest(self._asked, id(policy), answers)
        episode, seat = self._episodes[node], int(self._actor[node])
        turn = (self._turn[node], seat)
        if turn in answers.by_turn:
            return answers.by_turn[turn]
        seen = self.game.observe(episode.state, seat)
        if seen not in answers.by_observation:
            legal = self._moves[node]
            row = checked_row(policy, seen, legal)
            answers.by_observation[seen] = self._weights.row(
                row.values(), places(row, (*legal, FORFEIT))
            )
        answers.by_turn[turn] = answers.by_observation[seen]
        return answers.by_turn[turn]


@dataclass(frozen=True, slots=True)
class _Answers:
    """The rows of one policy, kept alive so that its id stays its own."""

    policy: Askable
    by_observation: dict[Any, int] = field(default_factory=dict)
    by_turn: dict[tuple[int, int], int] = field(default_factory=dict)
    """By the node at which a turn began and the seat: there, seats see the same however many moves
    are pending."""


class _Seating(NamedTuple):
    """Every node's row if these play, kept alive so that their ids stay their own."""

    policies: tuple[Askable, ...]
    rows: NDArray[np.int32]


def keep_latest(kept: dict[K, V], key: K, value: V) -> None:
    """Keep ``value`` as the latest of ``kept``, and no more than `MOST_ASKED` in all."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > MOST_ASKED:
        del kept[next(iter(kept))]


def written(array: NDArray[Any], start: int, values: Sequence[Any]) -> NDArray[Any]:
    """``array`` with ``values`` from ``start`` on, which is its end."""
    roomy = room(array, start + len(values), 0)
    roomy[start : start + len(values)] = values
    return roomy


def room(array: NDArray[Any], needed: int, fill: int) -> NDArray[Any]:
    """``array`` if it has ``needed`` rows, else a copy with twice as many, new ones ``fill``."""
    if needed <= len(array):
        return array
    roomy = np.full((max(needed, 2 * len(array)), *array.shape[1:]), fill, array.dtype)
    roomy[: len(array)] = array
    return roomy
