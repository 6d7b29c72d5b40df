"""The split negotiation drawn: a pie a round, and how much of it each seat demanded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sepo_envs.canvas import (
    BAD,
    GOOD,
    LINE,
    MARGIN,
    PANEL,
    QUIET,
    TOP,
    WIDTH,
    Canvas,
    headed,
    newest,
    seat_color,
    seats_at,
)
from sepo_envs.games.split_negotiation.rules import Demands, SplitNegotiation, State

MOST_ROUNDS: Final = 8
"""Pies that there is room for."""


@dataclass(frozen=True, slots=True)
class SplitNegotiationPicture:
    game: SplitNegotiation

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        """The newest rounds; demands start at the top, seat 0's to the left, seat 1's to the right.

        Where the demands exceed the pie, what both of them claim is red. Every seat sees all of it.
        """
        forfeits = [place for both in state.history for place in (0, 1) if not both[place]]
        played, rounds = len(state.history), self.game.rounds
        canvas = headed(
            "Split Negotiation",
            f"round {played + 1} of {rounds}" if played < rounds else f"over after {rounds} rounds",
            seats_at(self.game, state, forfeits),
        )
        places = min(rounds, MOST_ROUNDS)
        step = (WIDTH - 2 * MARGIN) / places
        shown = newest(state.history, places)
        for place in range(places):
            left = MARGIN + step * place
            number = shown[0][0] + place if shown else place + 1
            demands = shown[place][1] if place < len(shown) else None
            self._round(canvas, number, demands, left + step / 2, step)
        for number, (words, color) in enumerate(
            (
                ("player_0's demand", seat_color(0)),
                ("player_1's demand", seat_color(1)),
                ("demanded by both", BAD),
                ("demanded by nobody", LINE),
            )
        ):
            x = MARGIN + 208 * number
            canvas.disc((x + 8, 496), 8, fill=color)
            canvas.text(words, (x + 26, 496), size=15, color=QUIET, anchor="lm")
        canvas.caption(self._happened(state))
        return canvas

    def _round(
        self, canvas: Canvas, number: int, demands: Demands | None, x: float, step: float
    ) -> None:
        radius, pie = min(92.0, step / 2 - 8), self.game.pie
        y = TOP + 146.0
        center = (x, y)
        canvas.text(f"round {number}", (x, y - radius - 28), size=17, color=QUIET, width=step - 8)
        if demands is None:
            canvas.disc(center, radius, fill=None, edge=LINE)
            canvas.text(f"{pie:g}", center, size=min(34, radius / 2), color=LINE)
            return
        first, second = (demand / pie for demand in demands)
        over = max(0.0, first + second - 1)
        canvas.disc(center, radius, fill=LINE)
        canvas.slice(center, radius, 0, second - over, fill=seat_color(1))
        canvas.slice(center, radius, second - over, second, fill=BAD)
        canvas.slice(center, radius, 1 - first + over, 1, fill=seat_color(0))
        canvas.disc(center, radius * 0.5, fill=PANEL)
        canvas.text(f"{sum(demands)}", center, size=min(34, radius / 2.4), bold=True)
        deal = self.game.deal(demands)
        paid = demands if deal else (0, 0)
        at = y + radius + 28
        for seat, side in ((0, -1), (1, 1)):
            canvas.text(
                f"{demands[seat] or 'none'}",
                (x + side * step / 5, at),
                size=24,
                color=seat_color(seat),
                bold=True,
                width=step / 2.6,
            )
        canvas.text(
            "deal" if deal else "no deal",
            (x, at + 34),
            size=18,
            color=GOOD if deal else BAD,
            bold=True,
            width=step - 8,
        )
        canvas.text(
            f"paid {paid[0]} : {paid[1]}", (x, at + 60), size=15, color=QUIET, width=step - 8
        )

    def _happened(self, state: State) -> str:
        if not state.history:
            return f"a pie of {self.game.pie} points; nothing is demanded yet"
        first, second = state.history[-1]
        told = f"round {len(state.history)}: player_0 demands {first}, player_1 demands {second}"
        if self.game.deal((first, second)):
            return f"{told}; they fit, and both are paid"
        if first + second > self.game.pie:
            return f"{told}; together more than {self.game.pie}, so nobody is paid"
        return f"{told}; nobody is paid"
