"""The repeated auction drawn: a column a round, a row a bidder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sepo_envs.canvas import (
    BAD,
    BOTTOM,
    GOOD,
    INK,
    LINE,
    MARGIN,
    MOST_PANELS,
    PANEL,
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
from sepo_envs.games.repeated_auction.rules import RepeatedAuction, Round, State
from sepo_envs.pens import Box

MOST_ROUNDS: Final = 6
"""Columns that there is room for."""
LEFT: Final = 132
"""Where the first column begins."""
HEAD: Final = 176
"""Where the first row begins."""


@dataclass(frozen=True, slots=True)
class RepeatedAuctionPicture:
    game: RepeatedAuction

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        """The newest rounds: what the item was worth, what was bid, who won, and what it earned.

        A seat sees its own values and earnings alone.
        """
        game, played = self.game, len(state.settled)
        forfeits = [
            seat for past in state.settled for seat, bid in enumerate(past.bids) if bid is None
        ]
        over = played == game.rounds
        canvas = headed(
            "Repeated Auction",
            f"over after {played} rounds" if over else f"round {played + 1} of {game.rounds}",
            seats_at(game, state, forfeits, only=seat),
        )
        rounds = (*state.settled, *([] if over else [state.round]))
        places = min(game.rounds, MOST_ROUNDS)
        shown = newest(rounds, places)
        step = min(160.0, (WIDTH - MARGIN - LEFT) / places)
        rows = min(game.bidders, MOST_PANELS)
        high = min(132.0, (BOTTOM - 44 - HEAD) / rows)
        for row in range(rows):
            y = HEAD + high * (row + 0.5)
            name = f"player_{row}"
            canvas.text(name, (MARGIN, y), size=17, anchor="lm", color=seat_color(row), width=92)
        canvas.text("price", (MARGIN, HEAD + high * rows + 22), size=17, color=QUIET, anchor="lm")
        for place in range(places):
            x = LEFT + step * place
            number, round_ = shown[place] if place < len(shown) else (shown[0][0] + place, Round())
            middle = x + (step - 6) / 2
            canvas.text(f"round {number}", (middle, TOP + 22), size=15, color=QUIET, width=step - 8)
            for row in range(rows):
                top = HEAD + high * row
                box = (x, top + 3, x + step - 6, top + high - 3)
                self._cell(canvas, round_, row, box, is_open=seat in (None, row))
            price = "-" if round_.price is None else f"{round_.price}"
            at = (middle, HEAD + high * rows + 22)
            canvas.text(price, at, size=20, bold=round_.price is not None)
        canvas.caption(self._happened(state, seat))
        return canvas

    def _cell(self, canvas: Canvas, round_: Round, seat: int, box: Box, *, is_open: bool) -> None:
        left, top, right, bottom = box
        won = round_.winner == seat
        dealt, bid = seat < len(round_.values), round_.bids[seat : seat + 1]
        fill = pale(seat_color(seat), 0.75) if won else PANEL if dealt else None
        edge = seat_color(seat) if won else LINE
        canvas.panel(box, fill=fill, edge=edge, line=2.5 if won else 1.5, radius=8)
        if not dealt:
            return
        x, y, room = (left + right) / 2, (top + bottom) / 2, right - left - 14
        tall = bottom - top > 90
        at = (x, y - 32) if tall else (x, y - 11)
        worth = f"worth {round_.values[seat] if is_open else '?'}"
        canvas.text(worth, at, size=15 if tall else 13, color=QUIET, width=room)
        if bid:
            told, color = ("no bid", BAD) if bid[0] is None else (f"bid {bid[0]}", INK)
            at = (x, y) if tall else (x - room / 5 if won else x, y + 9)
            size = 24 if tall else 16
            canvas.text(told, at, size=size, color=color, bold=True, width=room * 0.6)
        if won and bid and bid[0] is not None:
            profit = self.game.profit(round_.values[seat], bid[0])
            color = GOOD if profit > 0 else BAD if profit < 0 else QUIET
            told, at = signed(profit), (x + room / 3, y + 9)
            if not is_open:
                told, color = "", QUIET
            if tall:
                told, at = f"wins {told}".strip(), (x, y + 34)
            canvas.text(told, at, size=17, color=color, bold=True, width=room)

    def _happened(self, state: State, seat: int | None) -> str:
        if state.round.bids:
            tied = [bid for bid in state.round.bids if bid is not None]
            return f"a tie at {max(tied)} is broken by lot"
        if not state.settled:
            if seat is not None:
                return "each bidder sees only its own value"
            return "every value is open here; a bidder sees only its own value"
        last, number = state.settled[-1], len(state.settled)
        if last.winner is None or last.price is None:
            return f"round {number}: nobody bid, and nobody won"
        if seat not in (None, last.winner):
            return f"round {number}: player_{last.winner} wins and pays {last.price}"
        value = last.values[last.winner]
        earned = signed(self.game.profit(value, last.price))
        return (
            f"round {number}: player_{last.winner} pays {last.price} for what is worth {value} "
            f"to it, and earns {earned}"
        )
