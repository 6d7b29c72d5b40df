"""Kuhn poker: the smallest poker with bluffing. Two players, zero sum.

Three cards, J < Q < K. Each player antes 1 point and is dealt one card, unseen by the other. The
first player passes or bets 1 point; so does the second. A pass after a bet folds, a bet after a
bet calls, and after pass-bet the first player decides once more.

    line   what happened            who wins         how much
    pp     check, check             the higher card  1
    pbp    check, bet, fold         second           1
    pbb    check, bet, call         the higher card  2
    bp     bet, fold                first            1
    bb     bet, call                the higher card  2

A match is ``hands`` hands; the first mover alternates, seat 0 opening the first. The value of one
hand is -1/18 to the first mover, and the equilibria form a one-parameter family.

Source: H. W. Kuhn, "A simplified two-person poker", Contributions to the Theory of Games I (1950).

>>> game = KuhnPoker()
>>> state = game.start()
>>> for actor, move in [(CHANCE, Card.KING), (CHANCE, Card.JACK), (0, Move.BET), (1, Move.PASS)]:
...     state = game.play(state, {actor: move})
>>> game.payoffs(state)
((1.0, -1.0),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import permutations
from typing import Final

from sepo_envs.game import CHANCE, Forfeit
from sepo_envs.games.options import check_whole


class Card(IntEnum):
    JACK = 0
    QUEEN = 1
    KING = 2

    @property
    def letter(self) -> str:
        return self.name[0]


class Move(StrEnum):
    """PASS checks, or folds to a bet; BET bets, or calls one."""

    PASS = "pass"
    BET = "bet"


MOVES: Final = (Move.PASS, Move.BET)
DECK: Final = tuple(Card)
FIRST, SECOND = 0, 1

STAKE: Final = {"pp": 1.0, "pbp": 1.0, "pbb": 2.0, "bp": 1.0, "bb": 2.0}
"""Points that change hands at the end of each finished line."""
FOLDED_TO: Final = {"pbp": SECOND, "bp": FIRST}
"""Who wins without showing a card; every other finished line is a showdown."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Cards in the order dealt, the first mover's first; and the moves, oldest first."""

    cards: tuple[Card, ...] = ()
    line: str = ""

    @property
    def over(self) -> bool:
        return self.line in STAKE

    @property
    def to_move(self) -> int:
        """FIRST or SECOND, while the hand is on."""
        return len(self.line) % 2

    def winnings(self) -> tuple[float, float]:
        """Points to the first and to the second mover, once the hand is over."""
        stake = STAKE[self.line]
        showdown = FIRST if self.cards[FIRST] > self.cards[SECOND] else SECOND
        won = FOLDED_TO.get(self.line, showdown) == FIRST
        return (stake, -stake) if won else (-stake, stake)


WINNINGS: Final[Mapping[tuple[tuple[Card, ...], str], tuple[float, float]]] = {
    (cards, line): Hand(cards, line).winnings() for cards in permutations(Card, 2) for line in STAKE
}
"""`Hand.winnings` of the thirty hands that there can be."""
PAID: Final = WINNINGS, {hand: (second, first) for hand, (first, second) in WINNINGS.items()}
"""The same as points to seat 0 and to seat 1, by the seat that moves first."""


@dataclass(frozen=True, slots=True)
class State:
    """Hands already settled, oldest first, and the hand being dealt or played."""

    settled: tuple[Hand, ...] = ()
    hand: Hand = Hand()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one seat sees: its card, the betting, and the hands already settled.

    Folded cards stay unseen: in ``settled`` the other's card is None unless it was shown.
    """

    seat: int
    card: Card | None
    line: str
    settled: tuple[tuple[Card, Card | None, str], ...]

    @property
    def situation(self) -> str:
        """One of the twelve: the card, then the line so far (``"Q"``, ``"Kpb"``)."""
        return (self.card.letter if self.card is not None else "?") + self.line

    @property
    def infostate(self) -> str:
        """The situation; in a longer match with every settled hand before it (``"Jbp? Q"``)."""
        past = [
            f"{mine.letter}{line}{theirs.letter if theirs is not None else '?'} "
            for mine, theirs, line in self.settled
        ]
        return "".join(past) + self.situation


@dataclass(frozen=True, slots=True)
class KuhnPoker:
    """Kuhn poker over ``hands`` hands; see the module for the rules."""

    hands: int = 1

    def __post_init__(self) -> None:
        hands = check_whole("hands", self.hands, least=1, because="a match has at least 1 hand")
        object.__setattr__(self, "hands", hands)

    @property
    def name(self) -> str:
        return "kuhn_poker"

    @property
    def seats(self) -> int:
        return 2

    @property
    def rounds(self) -> int:
        return self.hands

    @property
    def moves(self) -> tuple[Move, ...]:
        return MOVES

    @property
    def longest(self) -> int:
        """The first mover of a hand decides at most twice, the second once."""
        return 2 * ((self.hands + 1) // 2) + self.hands // 2

    def start(self) -> State:
        return State()

    def actors(self, state: State) -> tuple[int, ...]:
        if len(state.settled) == self.hands:
            return ()
        if len(state.hand.cards) < 2:
            return (CHANCE,)
        return (self._seat(state, state.hand.to_move),)

    def chance_outcomes(self, state: State) -> tuple[tuple[Card, float], ...]:
        if self.actors(state) != (CHANCE,):
            return ()
        left = [card for card in DECK if card not in state.hand.cards]
        return tuple((card, 1 / len(left)) for card in left)

    def legal_moves(self, state: State, seat: int) -> tuple[Move, ...]:
        return MOVES if seat != CHANCE and seat in self.actors(state) else ()

    def play(self, state: State, moves: Mapping[int, Card | Move | Forfeit]) -> State:
        """A FORFEIT folds to a bet and otherwise checks."""
        actors, hand = self.actors(state), state.hand
        if tuple(moves) != actors:
            raise ValueError(f"{tuple(moves)} moved, but it is {actors}'s turn at {state}.")
        [(actor, move)] = moves.items()
        if actor == CHANCE:
            if move not in DECK or move in hand.cards:
                raise ValueError(f"cannot deal {move!r}: {hand.cards} are already dealt.")
            return State(state.settled, Hand((*hand.cards, DECK[DECK.index(move)]), hand.line))
        if isinstance(move, Forfeit):
            move = Move.PASS
        if move not in MOVES:
            raise ValueError(f"{move!r} is no move of Kuhn poker; the moves are pass and bet.")
        hand = Hand(hand.cards, hand.line + move[0])
        return State((*state.settled, hand)) if hand.over else State(state.settled, hand)

    def payoffs(self, state: State) -> tuple[tuple[float, float], ...]:
        """Each settled hand's points to seat 0 and seat 1."""
        paid = [
            PAID[number % 2][hand.cards, hand.line] for number, hand in enumerate(state.settled)
        ]
        return tuple(paid)

    def past(self, state: State) -> tuple[Hand, ...]:
        return state.settled

    def present(self, state: State) -> tuple[int, Hand]:
        """How many hands are settled, and the hand on the table."""
        return len(state.settled), state.hand

    def rejoin(self, past: tuple[Hand, ...], present: tuple[int, Hand]) -> State:
        return State(past, present[1])

    def payoff_range(self) -> tuple[float, float]:
        return -max(STAKE.values()), max(STAKE.values())

    def observe(self, state: State, seat: int) -> Observation:
        def seen(number: int, hand: Hand) -> tuple[Card, Card | None, str]:
            mine, theirs = hand.cards[:: 1 if number % 2 == seat else -1]
            return mine, None if hand.line in FOLDED_TO else theirs, hand.line

        return Observation(
            seat=seat,
            card=self.card(state, seat),
            line=state.hand.line,
            settled=tuple(seen(number, hand) for number, hand in enumerate(state.settled)),
        )

    def card(self, state: State, seat: int) -> Card | None:
        """What ``seat`` holds in the current hand; None before it is dealt."""
        position = self._seat(state, seat)
        return state.hand.cards[position] if len(state.hand.cards) > position else None

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (
            "I move first in this hand",
            "I hold the Jack",
            "I hold the Queen",
            "I hold the King",
            *(f"move {number} was {move}" for number in (1, 2) for move in MOVES),
            "share of hands settled",
        )

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        seen = self.observe(state, seat)
        line = seen.line.ljust(2)
        return (
            float(self._seat(state, seat) == FIRST),
            *(float(seen.card == card) for card in Card),
            *(float(line[number] == move[0]) for number in (0, 1) for move in MOVES),
            len(state.settled) / self.hands,
        )

    def _seat(self, state: State, position: int) -> int:
        """The seat at ``position`` of the current hand, and as well the position of a seat."""
        return (position + len(state.settled)) % 2
