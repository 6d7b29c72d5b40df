"""What a model reads of Kuhn poker, and how its reply is read. Knows no API.

Each hand opens a new conversation and tells nothing of earlier hands, so twelve situations describe
any policy that plays from this text. `tests/transcripts/kuhn_poker.txt` is the reviewed artefact.

>>> from sepo_envs.games.kuhn_poker.rules import CHANCE, Card, KuhnPoker
>>> game = KuhnPoker()
>>> words, state = KuhnPokerWords(game), game.start()
>>> for card in (Card.QUEEN, Card.JACK):
...     state = game.play(state, {CHANCE: card})
>>> words.news(state, 0)
'You are dealt the Queen. You act first.'
>>> words.parse("A bet folds out nothing worse. [check]", state, 0)
<Move.PASS: 'pass'>
>>> words.parse("[call]", state, 0).reason
'[call] is not legal here; the legal moves are [check] or [bet]'
"""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.game import Unreadable
from sepo_envs.games.kuhn_poker.rules import FIRST, FOLDED_TO, Card, KuhnPoker, Move, State
from sepo_envs.replies import one_of, read_answer

QUIET = {Move.PASS: "check", Move.BET: "bet"}
"""What the moves are called while nobody has bet."""
FACING_A_BET = {Move.PASS: "fold", Move.BET: "call"}

ASK_QUIET, ASK_FACING_A_BET = (
    f"You may think first. End your reply with exactly one move: {one_of(names.values())}."
    for names in (QUIET, FACING_A_BET)
)

NEWS = {
    (card, line): f"You are dealt the {card.name.title()}. {so_far}"
    for card in Card
    for line, so_far in [
        ("", "You act first."),
        ("p", "Your opponent checks."),
        ("b", "Your opponent bets."),
    ]
}
"""Of a seat's first decision in a hand."""

RULES = (
    "You are playing Kuhn poker against one opponent.\n"
    "The deck has three cards: Jack, Queen and King. "
    "The King beats the Queen and the Queen beats the Jack.\n"
    "Both players put 1 point into the pot and are dealt one card that the other cannot see.\n"
    "The first player checks or bets 1 point. "
    "After a check, the second player also checks or bets 1 point.\n"
    "A player who faces a bet folds, and loses the pot, or calls it with 1 point.\n"
    "If nobody folds, the higher card wins the pot."
)


@dataclass(frozen=True, slots=True)
class KuhnPokerWords:
    game: KuhnPoker

    def rules(self, seat: int) -> str:
        return RULES

    def news(self, state: State, seat: int) -> str:
        card = self.game.card(state, seat)
        if card is None:
            return "The cards are being dealt."
        return NEWS.get((card, state.hand.line), "Your opponent bets.")

    def ask(self, state: State, seat: int) -> str:
        return ASK_FACING_A_BET if "b" in state.hand.line else ASK_QUIET

    def parse(self, reply: str, state: State, seat: int) -> Move | Unreadable:
        names = self._names(state)
        legal = tuple(names.values())
        word = read_answer(reply, legal=legal)
        return word if isinstance(word, Unreadable) else tuple(names)[legal.index(word)]

    def say(self, move: Move, state: State, seat: int) -> str:
        return f"[{self._names(state)[move]}]"

    def thoughts(self, state: State, seat: int) -> tuple[str, ...]:
        card = self.game.card(state, seat)
        assert card is not None, "a seat decides only once it holds a card"
        stake = "my opponent has bet" if "b" in state.hand.line else "nobody has bet"
        return (f"I hold the {card.name.title()}.", f"With the {card.name.title()}, and {stake}:")

    def conversation(self, state: State) -> int:
        return len(state.settled)

    def memory(self, state: State) -> None:
        """Nothing of earlier hands is told."""

    def show(self, state: State) -> str:
        """One line a hand: cards, betting and, once settled, the points to both seats.

        >>> from sepo_envs.games.kuhn_poker.rules import Card, Hand
        >>> words = KuhnPokerWords(KuhnPoker())
        >>> words.show(State((Hand((Card.KING, Card.JACK), "pbb"),)))
        'hand 1: player_0 King, player_1 Jack: check bet call -> player_0 +2, player_1 -2'
        """
        lines = []
        payoffs = self.game.payoffs(state)
        unsettled = (state.hand,) if len(state.settled) < self.game.hands else ()
        for number, hand in enumerate((*state.settled, *unsettled)):
            players = [f"player_{(number + position) % 2}" for position in range(2)]
            cards = ", ".join(
                f"{player} {card.name.title()}"
                for player, card in zip(players, hand.cards, strict=False)
            )
            bets = named_bets(hand.line)
            text = f"hand {number + 1}: {cards or 'not dealt yet'}" + (
                f": {' '.join(bets)}" if bets else ""
            )
            if hand.over:
                folded = " (cards not shown)" if hand.line in FOLDED_TO else ""
                points = ", ".join(
                    f"player_{seat} {payoffs[number][seat]:+g}"
                    for seat in ((number + FIRST) % 2, (number + 1) % 2)
                )
                text += f"{folded} -> {points}"
            lines.append(text)
        return "\n".join(lines)

    def _names(self, state: State) -> dict[Move, str]:
        return FACING_A_BET if "b" in state.hand.line else QUIET


def named_bets(line: str) -> list[str]:
    """The moves of ``line`` as a player would call them, oldest first.

    >>> named_bets("pbp")
    ['check', 'bet', 'fold']
    """
    return [
        (FACING_A_BET if "b" in line[:index] else QUIET)[Move.BET if letter == "b" else Move.PASS]
        for index, letter in enumerate(line)
    ]
