"""What a rulebook, its words and its harms must answer. Knows no game and no API.

A game is a frozen value and a step is a pure function. All randomness sits at explicit chance
nodes, so a state is a function of the moves made so far: that list is the save file, the replay
and the key of the exact solvers (`sepo_envs.episode`).

There is no base class: anything with these methods is a game. Adding one is a folder under
``games/``, a file under ``opponents/`` and a line in `sepo_envs.catalogue`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeGuard, runtime_checkable

State: TypeAlias = Any
"""A game's own frozen, hashable state."""
Move: TypeAlias = Any
"""A game's own hashable move: an enum member, an int, or a tuple of ints."""

CHANCE: Final = -1
"""The actor at a chance node, where a seat's number would stand."""


class Forfeit(Enum):
    """What the rules are told when a seat broke the protocol instead of moving."""

    FORFEIT = "forfeit"

    def __repr__(self) -> str:
        return "FORFEIT"


FORFEIT: Final = Forfeit.FORFEIT


class Observation(Protocol):
    """Everything one seat has seen so far; hashable, with fields of the game's own."""

    @property
    def infostate(self) -> str:
        """Names the information set, with perfect recall; distinct between seats."""

    @property
    def situation(self) -> str:
        """The infostate less what cannot matter any more (earlier, settled hands).

        Action tables and table-driven opponents are keyed by it.
        """


class Game(Protocol):
    """The rules. Seats are 0-based ints; payoffs are in points."""

    @property
    def name(self) -> str:
        """The catalogue name, such as ``kuhn_poker``."""

    @property
    def seats(self) -> int:
        """How many players sit down."""

    @property
    def rounds(self) -> int:
        """How many rounds (hands) a whole episode has; payoffs per round divide by it."""

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every move that any seat may ever make; a move's index is its action number."""

    @property
    def longest(self) -> int:
        """An upper bound on the decisions one seat makes in an episode."""

    def start(self) -> State:
        """The state before anything has happened, chance included."""

    def actors(self, state: State) -> tuple[int, ...]:
        """Who acts now: ``(CHANCE,)``, one seat, several seats at once, or ``()`` at the end."""

    def chance_outcomes(self, state: State) -> tuple[tuple[Move, float], ...]:
        """At a chance node, each outcome and its probability; elsewhere ``()``."""

    def legal_moves(self, state: State, seat: int) -> tuple[Move, ...]:
        """What ``seat`` may do now; ``()`` when it is not to act."""

    def play(self, state: State, moves: Mapping[int, Move | Forfeit]) -> State:
        """The state after every current actor has moved. A FORFEIT is settled by the rules.

        Raises:
            ValueError: a move is illegal, or the movers are not the current actors.
        """

    def payoffs(self, state: State) -> tuple[tuple[float, ...], ...]:
        """Points of each finished round, oldest first, each with one number per seat."""

    def observe(self, state: State, seat: int) -> Observation:
        """What ``seat`` has seen."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        """The observation as numbers in [0, 1], for agents that read vectors."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One round of a two-player game that is this round again and again, in the open."""

    points: tuple[tuple[tuple[float, float], ...], ...]
    """``points[a][b]``: what the seats are paid when seat 0 makes move number ``a`` of the game's
    moves and seat 1 number ``b``. Every move is legal in every round."""
    continuation: float = 1.0
    """The probability of another round after each but the last, whatever has happened."""


@runtime_checkable
class RepeatedGame(Game, Protocol):
    """A game that may offer itself as a repeated stage, for solvers that need no tree.

    The seats move at once, both see both moves, and nothing else happens to anybody.
    """

    def stage(self) -> Stage | None:
        """The round that is repeated; None with options under which there is more to it."""

    def after(self, rounds: Sequence[tuple[Move, Move]]) -> State:
        """The state in which these rounds have been played and both seats are to move again."""


class MarkovGame(Game, Protocol):
    """A game that looks at the present alone, so that environments can forget how it came about.

    States with the same present have the same actors, legal moves and chance outcomes, and a move
    finishes rounds with the same points, adds the same to the past and leads to the same present.
    A class says so by defining all three itself; what it inherits does not count.
    """

    def past(self, state: State) -> tuple[Any, ...]:
        """What no rule reads any more, oldest first: finished rounds. Play only adds to it."""

    def present(self, state: State) -> Hashable:
        """Everything else."""

    def rejoin(self, past: tuple[Any, ...], present: Any) -> State:
        """The state that has these two."""


def is_markov(game: Game) -> TypeGuard[MarkovGame]:
    """Whether the class of ``game`` itself says what of a state still matters."""
    return {"past", "present", "rejoin"} <= vars(type(game)).keys()


@runtime_checkable
class BoundedGame(Game, Protocol):
    """A game that says what is at stake, for confidence intervals that assume nothing else."""

    def payoff_range(self) -> tuple[float, float]:
        """Points that no round pays a seat less than, and none more than."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A reply that names no move, or more than one. The foul rule decides what it costs."""

    reason: str


class Words(Protocol):
    """What a model reads and how its reply is read. Never changes a state."""

    def rules(self, seat: int) -> str:
        """The whole game, told to ``seat``, before anything has happened."""

    def news(self, state: State, seat: int) -> str:
        """What ``seat`` has learned since its last decision."""

    def ask(self, state: State, seat: int) -> str:
        """The legal moves and the form of the answer."""

    def parse(self, reply: str, state: State, seat: int) -> Move | Unreadable:
        """The one move in ``reply``, or the reason why there is none. Never guesses."""

    def say(self, move: Move, state: State, seat: int) -> str:
        """The bare reply that `parse` reads back as ``move``."""

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        """Short true remarks on what ``seat`` sees that fit any move: reasons for expert traces."""

    def conversation(self, state: State) -> int:
        """Which conversation this state belongs to; a new number opens a new chat."""

    def show(self, state: State) -> str:
        """The whole table, every card open, for a spectator."""


@runtime_checkable
class NotingWords(Words, Protocol):
    """Words that know what is worth noting down, for a game in which much has to be remembered."""

    def notes(self, state: State, seat: int) -> str:
        """What ``seat`` has seen, summed up in a true sentence that fits any move, of the same form
        whenever it is to move."""


class MarkovWords(Words, Protocol):
    """Words of a `MarkovGame` that say how much of the past they tell.

    A class says so by defining `memory` itself; what it inherits does not count.
    """

    def memory(self, state: State) -> Hashable:
        """What `news`, `ask`, `parse` and `conversation` read of the past: the last round, say.

        With the same present, memory and move, the next state has the same memory.
        """


class Penalty(NamedTuple):
    """One harm of one finished episode, in the harm's own unit, as contributions per round."""

    per_round: tuple[float, ...] = ()
    defined: bool = True

    @property
    def value(self) -> float | None:
        """The episode's value, the sum of its rounds; None where the harm is not defined.

        >>> Penalty((0.25, 0.5)).value
        0.75
        >>> NOT_DEFINED.value is None
        True
        """
        return sum(self.per_round) if self.defined else None


NOT_DEFINED: Final = Penalty(defined=False)
NO_FURTHER: Final[Mapping[str, Penalty]] = MappingProxyType({})


class Penalties(NamedTuple):
    """The three harms of SEPO's objective, for one seat of one finished episode."""

    exploitation: Penalty
    collusion: Penalty
    externality: Penalty
    also: Mapping[str, Penalty] = NO_FURTHER
    """Further measures by name, reported beside the three and never part of J."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A domain's place in J: the scale of payoffs and the weight of each harm."""

    scale: float
    exploitability: float
    collusion: float
    externality: float


class Harms(Protocol):
    """What an episode cost others. Pure functions of its history."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names that `penalties` accepts, the default first."""

    @property
    def published(self) -> Weights:
        """The weights printed in arXiv 2605.30854 for this domain."""

    def penalties(self, game: Any, state: State, seat: int, *, profile: str) -> Penalties:
        """The harms done by ``seat`` in the finished ``state``."""


Shares: TypeAlias = tuple[float | None, float | None, float | None]
"""What a round adds to exploitation, collusion and externality; None to one that is not defined."""


class RoundHarms(Harms, Protocol):
    """Harms of rounds that hang on what each of them paid, and on nothing else.

    A class says so by defining `of_round` beside `penalties`; what it inherits does not count.
    """

    def of_round(self, game: Any, points: tuple[float, ...], seat: int, *, profile: str) -> Shares:
        """What the round that paid ``points`` adds to the harms done by ``seat``."""
