"""Kuhn poker drawn: the hand on the table, the pot, and the results of the hands before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sepo_envs.canvas import (
    BAD,
    BOTTOM,
    FELT,
    GOOD,
    MARGIN,
    QUIET,
    TOP,
    WIDTH,
    Canvas,
    headed,
    newest,
    pale,
    seat_color,
    seats_at,
    signed,
)
from sepo_envs.game import CHANCE
from sepo_envs.games.kuhn_poker.rules import FOLDED_TO, Hand, KuhnPoker, State
from sepo_envs.games.kuhn_poker.words import named_bets

MOST_RESULTS: Final = 11
"""Settled hands that there is room for."""
CHIP: Final = "#d9b44a"


@dataclass(frozen=True, slots=True)
class KuhnPokerPicture:
    game: KuhnPoker

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        """The hand that is being played; at the end of the match its last one.

        To a seat the other's card is shown after a showdown alone.
        """
        over = len(state.settled) == self.game.hands
        number = len(state.settled) - over
        hand = state.settled[-1] if over else state.hand
        actors = self.game.actors(state)
        canvas = headed(
            "Kuhn Poker",
            f"hand {number + 1} of {self.game.hands}" + (", over" if over else ""),
            seats_at(self.game, state),
        )
        bottom = BOTTOM if self.game.hands == 1 else 404
        middle = (TOP + bottom) / 2
        canvas.panel((MARGIN, TOP, WIDTH - MARGIN, bottom), fill=FELT, edge=None, radius=60)
        for place in (0, 1):
            face_up = place == seat or _all_shown(hand, seat)
            self._place(canvas, hand, place, (place + number) % 2, middle, face_up=face_up)
        self._pot(canvas, hand, middle)
        if self.game.hands > 1:
            self._results(canvas, state, seat)
        canvas.caption(self._happened(hand, number, dealing=actors == (CHANCE,)))
        return canvas

    def _place(
        self,
        canvas: Canvas,
        hand: Hand,
        seat: int,
        position: int,
        middle: float,
        *,
        face_up: bool,
    ) -> None:
        """The card of ``seat``, who is first or second to act, and what it did."""
        x = 190 if seat == 0 else WIDTH - 190
        bets = named_bets(hand.line)[position::2]
        canvas.text(
            f"player_{seat}, first to act" if position == 0 else f"player_{seat}",
            (x, middle - 98),
            size=17,
            color=pale(FELT, 0.9),
        )
        if face_up and position < len(hand.cards):
            canvas.card((x, middle - 6), hand.cards[position].letter, color=seat_color(seat))
        else:
            canvas.card((x, middle - 6), "", face_up=False)
        canvas.text(", then ".join(bets), (x, middle + 92), size=21, color="#ffffff", bold=True)

    def _pot(self, canvas: Canvas, hand: Hand, middle: float) -> None:
        """An ante of 1 each, and a chip for every bet and call."""
        chips = 2 + hand.line.count("b")
        for number in range(chips):
            x = WIDTH / 2 + 40 * (number - (chips - 1) / 2)
            canvas.disc((x, middle - 20), 17, fill=CHIP, edge=pale(CHIP, 0.6))
            canvas.disc((x, middle - 20), 10, fill=None, edge=pale(CHIP, 0.6))
        canvas.text(f"pot {chips}", (WIDTH / 2, middle + 22), size=22, color="#ffffff", bold=True)
        if hand.over:
            ended = "fold" if hand.line in FOLDED_TO else "showdown"
            canvas.text(ended, (WIDTH / 2, middle + 56), size=17, color=pale(FELT, 0.9))

    def _results(self, canvas: Canvas, state: State, seat: int | None) -> None:
        """One tile per settled hand: its number, both cards by seat, and seat 0's points."""
        told = "settled hands: the cards of player_0 and player_1, and player_0's points"
        canvas.text(told, (MARGIN, 424), size=14, color=QUIET, anchor="lm")
        payoffs = self.game.payoffs(state)
        width = (WIDTH - 2 * MARGIN) / MOST_RESULTS
        for place, (number, hand) in enumerate(newest(state.settled, MOST_RESULTS)):
            left = MARGIN + width * place
            points = payoffs[number - 1][0]
            middle = left + (width - 8) / 2
            cards = hand.cards if number % 2 else hand.cards[::-1]
            canvas.panel((left, 438, left + width - 8, 512))
            canvas.text(f"hand {number}", (middle, 451), size=13, color=QUIET, width=width - 14)
            letters = [
                card.letter if place == seat or _all_shown(hand, seat) else "?"
                for place, card in enumerate(cards)
            ]
            canvas.text(" : ".join(letters), (middle, 472), size=17)
            canvas.text(
                signed(points), (middle, 496), size=20, color=GOOD if points > 0 else BAD, bold=True
            )

    def _happened(self, hand: Hand, number: int, *, dealing: bool) -> str:
        if hand.over:
            paid = hand.winnings()
            winner = 0 if paid[number % 2] > 0 else 1
            how = "by a fold" if hand.line in FOLDED_TO else "at the showdown"
            return f"player_{winner} wins {max(paid):g} {how}"
        if dealing:
            return "the cards are being dealt"
        if not hand.line:
            return f"player_{number % 2} opens"
        mover = (len(hand.line) - 1 + number) % 2
        return f"player_{mover} {named_bets(hand.line)[-1]}s"


def _all_shown(hand: Hand, seat: int | None) -> bool:
    """Whether ``seat`` has seen both cards; a spectator, None, always has."""
    return seat is None or (hand.over and hand.line not in FOLDED_TO)
