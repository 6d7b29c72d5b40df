"""The item negotiation drawn: what lies on the table, what it is worth to whom, and every round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sepo_envs.canvas import (
    BAD,
    BOTTOM,
    GOOD,
    LINE,
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
)
from sepo_envs.games.item_negotiation.rules import (
    ITEMS,
    MOST_UNITS,
    ItemNegotiation,
    Round,
    State,
    deal,
)
from sepo_envs.games.item_negotiation.words import counted

MOST_ROUNDS: Final = 6
"""Rows that there is room for."""
SPLIT: Final = 396
"""Between the items on the left and the rounds on the right."""
COLORS: Final = ("#8c5a3c", "#3c4f76", "#c8553d")
"""Of books, hats and balls."""


@dataclass(frozen=True, slots=True)
class ItemNegotiationPicture:
    game: ItemNegotiation

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        """The items with both seats' values, and the newest rounds with what they paid.

        A seat sees its own values and points alone.
        """
        played, rounds = len(state.settled), self.game.rounds
        canvas = headed(
            "Item Negotiation",
            f"over after {rounds} rounds"
            if played == rounds
            else f"round {played + 1} of {rounds}",
            seats_at(self.game, state, only=seat),
        )
        self._items(canvas, state, seat)
        self._rounds(canvas, state, seat)
        canvas.caption(self._happened(state, seat))
        return canvas

    def _items(self, canvas: Canvas, state: State, viewer: int | None) -> None:
        """One row per type: its units drawn, and what one of them is worth to each seat."""
        canvas.panel((MARGIN, TOP, SPLIT - 12, BOTTOM))
        canvas.text("on the table", (MARGIN + 20, TOP + 26), size=17, anchor="lm", bold=True)
        canvas.text("one is worth", (SPLIT - 80, TOP + 18), size=14, color=QUIET)
        for seat in (0, 1):
            at = (SPLIT - 106 + 62 * seat, TOP + 40)
            canvas.text(f"p_{seat}", at, size=15, color=seat_color(seat), bold=True)
        for row, item in enumerate(ITEMS):
            y = TOP + 104 + 104 * row
            canvas.line([(MARGIN + 16, y - 48), (SPLIT - 28, y - 48)])
            told = item if state.table is None else counted(state.table[row], item)
            canvas.text(told, (MARGIN + 20, y - 28), size=16, color=QUIET, anchor="lm")
            for unit in range(state.table[row] if state.table else MOST_UNITS):
                place = (MARGIN + 42 + 50 * unit, y + 14)
                _draw_item(canvas, row, place, COLORS[row] if state.table else LINE)
            for seat, values in enumerate(state.values):
                at = (SPLIT - 106 + 62 * seat, y)
                is_open = viewer in (None, seat)
                told = str(values[row]) if values is not None and is_open else "?"
                canvas.text(told, at, size=26, color=seat_color(seat), bold=True)

    def _rounds(self, canvas: Canvas, state: State, viewer: int | None) -> None:
        """One row a round: both demands item by item, and what each seat was paid."""
        places = min(self.game.rounds, MOST_ROUNDS)
        high = min(80.0, (BOTTOM - TOP - 52) / places)
        columns = (SPLIT + 128, SPLIT + 278, SPLIT + 408)
        for x, words in zip(columns, ("player_0 demands", "player_1 demands", "paid"), strict=True):
            canvas.text(words, (x, TOP + 16), size=14, color=QUIET)
        for row, item in enumerate(ITEMS):
            for seat in (0, 1):
                at = (columns[seat] + 44 * (row - 1), TOP + 38)
                canvas.text(item, at, size=13, color=COLORS[row])
        shown = newest(state.settled, places)
        for place in range(places):
            top = TOP + 52 + high * place
            number = shown[0][0] + place if shown else place + 1
            round_ = shown[place][1] if place < len(shown) else None
            paid = _paid(self.game.payoffs(state)[number - 1], viewer) if round_ else None
            self._round(canvas, state, number, round_, paid, top, high, columns)

    def _round(
        self,
        canvas: Canvas,
        state: State,
        number: int,
        round_: Round | None,
        paid: str | None,
        top: float,
        high: float,
        columns: tuple[int, int, int],
    ) -> None:
        y = top + high / 2
        box = (SPLIT, top + 3, WIDTH - MARGIN, top + high - 3)
        if round_ is None or paid is None or state.table is None:
            canvas.panel(box, fill=None, radius=8)
            canvas.text(str(number), (SPLIT + 22, y), size=16, color=QUIET)
            return
        struck = deal(state.table, round_.demands)
        canvas.panel(box, fill=pale(GOOD if struck else BAD, 0.88), radius=8)
        canvas.text(str(number), (SPLIT + 22, y), size=16, color=QUIET)
        for row, count in enumerate(state.table):
            short = round_.demands[0][row] + round_.demands[1][row] > count
            for seat in (0, 1):
                x = columns[seat] + 44 * (row - 1)
                if short:
                    canvas.panel(
                        (x - 16, y - 15, x + 16, y + 15), fill=pale(BAD, 0.6), edge=None, radius=6
                    )
                canvas.text(
                    str(round_.demands[seat][row]),
                    (x, y),
                    size=22,
                    color=seat_color(seat),
                    bold=True,
                )
        told = paid if struck else "no deal"
        canvas.text(told, (columns[2], y), size=19, color=GOOD if struck else BAD, bold=True)

    def _happened(self, state: State, viewer: int | None) -> str:
        if state.table is None:
            return "the items are being laid out"
        if not state.settled:
            if viewer is not None:
                return "each seat sees only its own values"
            return "every value is open here; a seat sees only its own values"
        last, number = state.settled[-1], len(state.settled)
        if deal(state.table, last.demands):
            paid = self.game.payoffs(state)[-1]
            if viewer is not None:
                return f"round {number}: the demands fit; player_{viewer} is paid {paid[viewer]:g}"
            told = f"player_0 is paid {paid[0]:g}, player_1 {paid[1]:g}"
            return f"round {number}: the demands fit; {told}"
        short = [
            item
            for item, mine, theirs, count in zip(ITEMS, *last.demands, state.table, strict=True)
            if mine + theirs > count
        ]
        if not short:
            return f"round {number}: nobody demanded anything, so nobody is paid"
        return f"round {number}: not enough {' and '.join(short)}, so nobody is paid"


def _paid(points: tuple[float, float], viewer: int | None) -> str:
    """
    >>> _paid((7.0, 9.0), None), _paid((7.0, 9.0), 1)
    ('7 : 9', '? : 9')
    """
    shown = [f"{number:g}" if viewer in (None, seat) else "?" for seat, number in enumerate(points)]
    return " : ".join(shown)


def _draw_item(canvas: Canvas, row: int, center: tuple[float, float], color: str) -> None:
    x, y = center
    if row == 0:  # a book
        canvas.panel((x - 15, y - 20, x + 15, y + 20), fill=color, edge=None, radius=4)
        canvas.line([(x - 9, y - 20), (x - 9, y + 20)], color=pale(color, 0.5), width=2)
        canvas.line([(x - 2, y - 8), (x + 9, y - 8)], color=pale(color, 0.7), width=2)
    elif row == 1:  # a hat
        canvas.panel((x - 13, y - 20, x + 13, y + 14), fill=color, edge=None, radius=5)
        canvas.panel((x - 13, y + 2, x + 13, y + 8), fill=pale(color, 0.5), edge=None, radius=0)
        canvas.panel((x - 22, y + 9, x + 22, y + 17), fill=color, edge=None, radius=4)
    else:  # a ball
        canvas.disc(center, 19, fill=color)
        canvas.disc((x - 6, y - 7), 5, fill=pale(color, 0.5))
