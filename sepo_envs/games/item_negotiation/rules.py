"""The item negotiation: two players divide books, hats and balls. Private values, general sum.

On the table lie 1 to 4 units of each item type, the same in every round and seen by both. What one
unit of each type is worth to a seat is private: whole numbers, 0 or more, such that the whole table
is worth 10 points to each seat. In each of ``rounds`` rounds both seats demand some number of units
of each type, without seeing the other's demand.

    the two demands                                each seat gets
    of every type together no more than there is   its demand's worth to it
    of some type together more                     0              (no deal)

Units that nobody demands are lost, nothing carries over, and both demands are shown after the
round. A forfeited demand counts as zeros: the offender is paid nothing and the other its own.

Chance deals in three steps: the table, uniform over the 62 of the 64 possible ones for which such
values exist (not 3,3,3 and not 4,4,4); then each seat's values, uniform over all that fit the
table, independently of each other's.

Sources: M. Lewis et al., "Deal or No Deal? End-to-end learning for negotiation dialogues", EMNLP
2017, for the items and their values; "negotiation v2" of arXiv 2605.30854 for simultaneous demands
in rounds.

>>> game = ItemNegotiation(rounds=1)
>>> state = game.start()
>>> for outcome in ((1, 2, 3), (2, 1, 2), (8, 1, 0)):
...     state = game.play(state, {CHANCE: outcome})
>>> game.payoffs(game.play(state, {0: (0, 1, 3), 1: (1, 1, 0)}))
((7.0, 9.0),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from sepo_envs.game import CHANCE, Forfeit
from sepo_envs.games.options import check_whole, listed

Vector: TypeAlias = tuple[int, int, int]
"""A number for books, for hats and for balls."""
Worth: TypeAlias = Literal["table", "one of each"]

ITEMS: Final = ("books", "hats", "balls")
MOST_UNITS: Final = 4
POINTS: Final = 10
"""What ``worth`` is worth to every seat."""
NOTHING: Final[Vector] = (0, 0, 0)

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "paper": {"worth": "one of each", "redrawn": (1,)},
}
"""Options by name; ``paper`` is the game as arXiv 2605.30854 played it: one book, one hat and one
ball are worth 10 together, so that a round can pay 40, and seat 1's values change every round."""


def worth(values: Vector, units: Vector) -> int:
    """Points for ``units`` at ``values`` per unit.

    >>> worth((2, 1, 2), (0, 1, 3))
    7
    """
    return values[0] * units[0] + values[1] * units[1] + values[2] * units[2]


@cache
def up_to(most: Vector) -> tuple[Vector, ...]:
    """Every vector of whole numbers from 0 to ``most``, in lexicographic order."""
    books, hats, balls = (range(count + 1) for count in most)
    return tuple(product(books, hats, balls))


@cache
def values_for(table: Vector, of: Worth = "table") -> tuple[Vector, ...]:
    """Every value vector at which the table, or one unit of each type, is worth 10 points.

    >>> values_for((4, 3, 3))
    ((1, 0, 2), (1, 1, 1), (1, 2, 0))
    """
    units = table if of == "table" else (1, 1, 1)
    return tuple(values for values in up_to((POINTS,) * 3) if worth(values, units) == POINTS)


@cache
def possible_tables(of: Worth = "table") -> tuple[Vector, ...]:
    """Every table of 1 to 4 units of each type for which values exist.

    >>> len(possible_tables()), len(possible_tables("one of each"))
    (62, 64)
    """
    units = range(1, MOST_UNITS + 1)
    return tuple(table for table in product(units, units, units) if values_for(table, of))


Values = tuple[Vector | None, Vector | None]
"""By seat, per unit; None before they are dealt."""


class Round(NamedTuple):
    """A settled round: seat 0's and seat 1's demand, and the values they were made with."""

    demands: tuple[Vector, Vector]
    values: tuple[Vector, Vector]


@dataclass(frozen=True, slots=True)
class State:
    """What lies on the table, each seat's values once dealt, and the rounds settled."""

    table: Vector | None = None
    values: Values = (None, None)
    settled: tuple[Round, ...] = ()


class Seen(NamedTuple):
    """A settled round as one seat saw it."""

    mine: Vector
    theirs: Vector
    values: Vector
    """The seat's own."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one seat sees: the table, its own values, and every settled round."""

    seat: int
    rounds: int
    table: Vector | None
    values: Vector | None
    """Its own, per unit, in the round to be played; None before they are dealt."""
    history: tuple[Seen, ...]

    @property
    def infostate(self) -> str:
        """The seat, the table, each round's values and demands, and the values now.

        ``"0: 1,2,3 2,1,2 0,1,3-1,1,0 2,1,2"``: the seat's own demand stands before the other's.
        """
        past = [part for seen in self.history for part in (seen.values, (seen.mine, seen.theirs))]
        shown = [self.table, *past, self.values]
        return f"{self.seat}:" + "".join(f" {_text(part)}" for part in shown if part)

    @property
    def situation(self) -> str:
        """The infostate: an opponent may remember every round."""
        return self.infostate


@dataclass(frozen=True, slots=True)
class ItemNegotiation:
    """The item negotiation over ``rounds`` rounds; see the module for the rules.

    Args:
        worth: what is worth 10 points to each seat: the whole table, or one unit of each type.
        redrawn: the seats whose values are drawn anew in every round.
        tables: the tables that may be dealt, all equally likely; all possible ones unless named.
    """

    rounds: int = 4
    worth: Worth = "table"
    redrawn: tuple[int, ...] = ()
    tables: tuple[Vector, ...] = ()

    def __post_init__(self) -> None:
        rounds = check_whole(
            "rounds", self.rounds, least=1, because="a negotiation has at least 1 round"
        )
        if self.worth not in get_args(Worth):
            raise ValueError(
                f"worth is {self.worth!r}; what is worth {POINTS} points is one of "
                f"{', '.join(map(repr, get_args(Worth)))}."
            )
        redrawn = listed("redrawn", self.redrawn, of="seats")
        if any(type(seat) is not int or seat not in (0, 1) for seat in redrawn):
            raise ValueError(f"redrawn is {redrawn}, but the seats are 0 and 1.")
        tables: tuple[Any, ...] = tuple(
            listed("tables", table, of="tables such as [1, 2, 3]")
            for table in listed("tables", self.tables, of="tables such as [1, 2, 3]")
        )
        wrong = [table for table in tables if table not in possible_tables(self.worth)]
        if wrong:
            raise ValueError(
                f"no table {wrong[0]}: it needs 1 to {MOST_UNITS} units of each of "
                f"{', '.join(ITEMS)}, and values at which it is worth {POINTS} points."
            )
        object.__setattr__(self, "rounds", rounds)
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "redrawn", redrawn)

    @property
    def name(self) -> str:
        return "item_negotiation"

    @property
    def seats(self) -> int:
        return 2

    @property
    def moves(self) -> tuple[Vector, ...]:
        return up_to((MOST_UNITS,) * 3)

    @property
    def longest(self) -> int:
        return self.rounds

    def start(self) -> State:
        return State()

    def actors(self, state: State) -> tuple[int, ...]:
        if len(state.settled) == self.rounds:
            return ()
        return (CHANCE,) if state.table is None or None in state.values else (0, 1)

    def chance_outcomes(self, state: State) -> tuple[tuple[Vector, float], ...]:
        """First the table, then each seat's values; later, values drawn anew."""
        if self.actors(state) != (CHANCE,):
            return ()
        return _equally_likely(self.tables, state.table, self.worth)

    def legal_moves(self, state: State, seat: int) -> tuple[Vector, ...]:
        if state.table is None or seat == CHANCE or seat not in self.actors(state):
            return ()
        return up_to(state.table)

    def play(self, state: State, moves: Mapping[int, Vector | Forfeit]) -> State:
        """A FORFEIT demands nothing."""
        actors = self.actors(state)
        if tuple(sorted(moves)) != actors:
            raise ValueError(f"{tuple(moves)} moved, but {actors or 'nobody'} must, at {state}.")
        if actors == (CHANCE,):
            return self._dealt(state, moves[CHANCE])
        assert state.table is not None, "the table is dealt before anybody demands"
        demands = (_demand(moves[0], state.table), _demand(moves[1], state.table))
        mine, theirs = state.values
        assert mine is not None, "values are dealt before anybody demands"
        assert theirs is not None, "values are dealt before anybody demands"
        settled = (*state.settled, Round(demands, (mine, theirs)))
        if len(settled) == self.rounds:
            return replace(state, settled=settled)
        kept = (None if 0 in self.redrawn else mine, None if 1 in self.redrawn else theirs)
        return replace(state, settled=settled, values=kept)

    def payoffs(self, state: State) -> tuple[tuple[float, float], ...]:
        if state.table is None:
            return ()
        return tuple([_paid(state.table, settled) for settled in state.settled])

    def past(self, state: State) -> tuple[Round, ...]:
        return state.settled

    def present(self, state: State) -> tuple[Vector | None, Values, int]:
        """The table, the values on it, and how many rounds are settled."""
        return state.table, state.values, len(state.settled)

    def rejoin(self, past: tuple[Round, ...], present: tuple[Vector | None, Values, int]) -> State:
        table, values, _ = present
        return State(table, values, past)

    def payoff_range(self) -> tuple[float, float]:
        return 0.0, float(POINTS * (MOST_UNITS if self.worth == "one of each" else 1))

    def observe(self, state: State, seat: int) -> Observation:
        history = tuple(
            Seen(demands[seat], demands[1 - seat], values[seat])
            for demands, values in state.settled
        )
        return Observation(seat, self.rounds, state.table, state.values[seat], history)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (
            "share of rounds left",
            *(f"{item} on the table / {MOST_UNITS}" for item in ITEMS),
            *(f"value of one of the {item} / {POINTS}" for item in ITEMS),
            *(
                f"round {number}: {what}"
                for number in range(1, self.rounds + 1)
                for what in (
                    *(f"my demand of {item} / {MOST_UNITS}" for item in ITEMS),
                    *(f"the other's demand of {item} / {MOST_UNITS}" for item in ITEMS),
                    "a deal",
                )
            ),
        )

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        """What is not dealt or played yet is zeros."""
        seen, table = self.observe(state, seat), state.table or NOTHING
        numbers = [1 - len(seen.history) / self.rounds]
        numbers += [count / MOST_UNITS for count in table]
        numbers += [value / POINTS for value in seen.values or NOTHING]
        for mine, theirs, _ in seen.history:
            numbers += [count / MOST_UNITS for count in (*mine, *theirs)]
            numbers += [float(deal(table, (mine, theirs)))]
        return tuple(numbers + [0.0] * (7 * (self.rounds - len(seen.history))))

    def _dealt(self, state: State, outcome: Any) -> State:
        if outcome not in [known for known, _ in self.chance_outcomes(state)]:
            what = "a table" if state.table is None else f"values for the table {state.table}"
            raise ValueError(f"cannot deal {outcome!r}: it is not {what} of this game.")
        if state.table is None:
            return replace(state, table=outcome)
        first, second = state.values
        values = (outcome, second) if first is None else (first, outcome)
        return replace(state, values=values)


def deal(table: Vector, demands: tuple[Vector, Vector]) -> bool:
    """Whether the demands fit the table; if neither seat demands anything, there is no deal.

    >>> deal((1, 2, 3), ((0, 1, 3), (1, 1, 0))), deal((1, 2, 3), ((1, 1, 0), (1, 0, 0)))
    (True, False)
    """
    together = [mine + theirs for mine, theirs in zip(*demands, strict=True)]
    return any(together) and all(
        asked <= count for asked, count in zip(together, table, strict=True)
    )


@cache
def _equally_likely(
    tables: tuple[Vector, ...], table: Vector | None, of: Worth
) -> tuple[tuple[Vector, float], ...]:
    """What chance may deal: a table, or values for the ``table`` that it has dealt."""
    outcomes = (tables or possible_tables(of)) if table is None else values_for(table, of)
    return tuple((outcome, 1 / len(outcomes)) for outcome in outcomes)


@lru_cache(maxsize=1 << 16)  # a finished match is asked for its points again and again
def _paid(table: Vector, settled: Round) -> tuple[float, float]:
    """What a settled round pays each seat."""
    demands, values = settled
    if not deal(table, demands):
        return 0.0, 0.0
    return float(worth(values[0], demands[0])), float(worth(values[1], demands[1]))


def _demand(move: Vector | Forfeit, table: Vector) -> Vector:
    if isinstance(move, Forfeit):
        return NOTHING
    if move not in up_to(table):
        raise ValueError(f"{move!r} is no demand; demands are up to {table}, type by type.")
    return move


def _text(part: Vector | tuple[Vector, Vector]) -> str:
    vectors = part if isinstance(part[0], tuple) else (part,)
    return "-".join(",".join(map(str, vector)) for vector in vectors)
