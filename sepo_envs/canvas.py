"""Pictures of a table: one palette, one layout and a few shapes. Knows no game.

Positions and sizes are in pixels of the finished picture, which is always ``WIDTH`` x ``HEIGHT``,
so that frames make a video. What is drawn becomes pixels or markup once it is asked for either
(`sepo_envs.pens`).

>>> canvas = headed("Nim", "round 1 of 3", (Seat("player_0", 2.0), Seat("player_1", -2.0)))
>>> canvas.text("5 matches left", (WIDTH / 2, 300), size=30)
>>> canvas.pixels().shape
(560, 896, 3)
>>> canvas.svg().count("5 matches left")
1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sepo_envs.game import Game, State
from sepo_envs.pens import Box, Color, Pen, PillowPen, Point, SvgPen

WIDTH: Final = 896
HEIGHT: Final = 560
"""Both are multiples of 16, as video codecs like them."""
MARGIN: Final = 32
TOP: Final = 136
"""Where a game's own part of the picture begins."""
BOTTOM: Final = 516
"""Where it ends; below is the caption."""

PAPER: Final = "#f4f1ea"
PANEL: Final = "#ffffff"
INK: Final = "#22303c"
QUIET: Final = "#66737f"
LINE: Final = "#d5d9dc"
GOOD: Final = "#1f8a5b"
BAD: Final = "#c0392b"
FELT: Final = "#2f6b57"
SEATS: Final = ("#2f6db5", "#d0731b", "#7a4fa3", "#1b8c93", "#a8326e", "#6b7a1e")
"""One color per seat, again from the first for more than six."""
MOST_PANELS: Final = 6

T = TypeVar("T")


class Picture(Protocol):
    """Draws a game's states."""

    def draw(self, state: State, seat: int | None = None) -> Canvas:
        """The table in ``state`` as ``seat`` sees it; None is a spectator, who sees every card."""


class Seat(NamedTuple):
    """What the panel of one seat tells."""

    name: str
    points: float | None
    """None where nobody may see them."""
    on_turn: bool = False
    forfeits: int = 0

    @property
    def note(self) -> str:
        """
        >>> Seat("player_0", 3.0, on_turn=True, forfeits=2).note
        'to move, 2 forfeits'
        """
        counted = f"{self.forfeits} forfeit{'' if self.forfeits == 1 else 's'}"
        said = ["to move"] * self.on_turn + [counted] * (self.forfeits > 0)
        return ", ".join(said)


def seats_at(
    game: Game, state: State, forfeits: Sequence[int] = (), *, only: int | None = None
) -> list[Seat]:
    """Every seat of the table.

    Args:
        forfeits: the seats that forfeited, once for each time.
        only: the one seat whose points are shown; None shows all.
    """
    actors, rounds = game.actors(state), game.payoffs(state)
    return [
        Seat(
            f"player_{seat}",
            sum(paid[seat] for paid in rounds) if only in (None, seat) else None,
            seat in actors,
            forfeits.count(seat),
        )
        for seat in range(game.seats)
    ]


def seat_color(seat: int) -> Color:
    """
    >>> seat_color(0) == seat_color(6)
    True
    """
    return SEATS[seat % len(SEATS)]


def signed(points: float) -> str:
    """
    >>> signed(2.0), signed(-0.5), signed(0)
    ('+2', '-0.5', '0')
    """
    return f"{points:+g}" if points else "0"


def pale(color: Color, share: float = 0.82) -> Color:
    """``color`` mixed with white.

    >>> pale("#000000", 0.5)
    '#7f7f7f'
    """
    channels = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{int(c + (255 - c) * share):02x}" for c in channels)


def newest(things: Sequence[T], most: int) -> list[tuple[int, T]]:
    """The last ``most`` things, each with its number from 1: what there is room for.

    >>> newest("abc", 2)
    [(2, 'b'), (3, 'c')]
    """
    return list(enumerate(things, 1))[-most:]


class Canvas:
    """An empty picture to draw on."""

    def __init__(self) -> None:
        self._strokes: list[Callable[[Pen], None]] = []

    def text(
        self,
        words: str,
        at: Point,
        *,
        size: float = 18,
        color: Color = INK,
        anchor: str = "mm",
        bold: bool = False,
        width: float | None = None,
    ) -> None:
        """One line of text.

        Args:
            at: where the anchor stands.
            anchor: ``l``, ``m`` or ``r`` for left, middle or right of the line, then ``m`` for its
                middle height, ``s`` for its base line or ``a`` for its top.
            width: what there is room for; longer text is set smaller.
        """
        self._strokes.append(
            lambda pen: pen.text(
                words, at, size=size, color=color, anchor=anchor, bold=bold, width=width
            )
        )

    def panel(
        self,
        box: Box,
        *,
        fill: Color | None = PANEL,
        edge: Color | None = LINE,
        line: float = 1.5,
        radius: float = 10,
    ) -> None:
        """A rectangle with round corners."""
        self._strokes.append(
            lambda pen: pen.panel(box, fill=fill, edge=edge, line=line, radius=radius)
        )

    def bar(self, box: Box, share: float, *, color: Color) -> None:
        """A horizontal bar, filled from the left by ``share``, 0 to 1."""
        left, top, right, bottom = box
        radius = (bottom - top) / 2
        self.panel(box, fill=LINE, edge=None, radius=radius)
        if share > 0:
            end = max(left + 2 * radius, left + (right - left) * share)
            self.panel((left, top, end, bottom), fill=color, edge=None, radius=radius)

    def disc(
        self, center: Point, radius: float, *, fill: Color | None, edge: Color | None = None
    ) -> None:
        """A circle."""
        self._strokes.append(lambda pen: pen.disc(center, radius, fill=fill, edge=edge))

    def slice(self, center: Point, radius: float, start: float, end: float, *, fill: Color) -> None:
        """A slice of a pie, clockwise from ``start`` to ``end``; whole turns, 0 at the top."""
        if end > start:
            self._strokes.append(lambda pen: pen.slice(center, radius, start, end, fill=fill))

    def line(self, points: Iterable[Point], *, color: Color = LINE, width: float = 1.5) -> None:
        """A line through the points."""
        kept = list(points)
        self._strokes.append(lambda pen: pen.line(kept, color=color, width=width))

    def shape(self, points: Iterable[Point], *, fill: Color) -> None:
        """A filled polygon."""
        kept = list(points)
        self._strokes.append(lambda pen: pen.shape(kept, fill=fill))

    def card(self, center: Point, letter: str, *, color: Color = INK, face_up: bool = True) -> None:
        """A playing card, 92 x 128; its back while ``face_up`` is False."""
        x, y = center
        box = (x - 46, y - 64, x + 46, y + 64)
        self.panel(box, fill=PANEL, edge=LINE, radius=9)
        if not face_up:
            self.panel(
                (x - 39, y - 57, x + 39, y + 57), fill=pale(QUIET, 0.45), edge=None, radius=6
            )
            return
        self.text(letter, (x, y), size=58, color=color, bold=True)
        self.text(letter, (x - 34, y - 48), size=16, color=color)
        self.text(letter, (x + 34, y + 48), size=16, color=color)

    def caption(self, words: str) -> None:
        """One line below the game's part: what has happened last."""
        at = (WIDTH / 2, (BOTTOM + HEIGHT) / 2)
        self.text(words, at, size=17, color=QUIET, width=WIDTH - 2 * MARGIN)

    def pixels(self) -> NDArray[np.uint8]:
        """``(HEIGHT, WIDTH, 3)``, red, green and blue from 0 to 255.

        Raises:
            ImportError: Pillow is not installed; the message says how to install it.
        """
        return np.asarray(self._painted().finished(), np.uint8)

    def save(self, path: Path | str) -> None:
        """Write the picture in the format that the file's ending names, such as ``.png``.

        Raises:
            ImportError: Pillow is not installed.
            ValueError: Pillow knows no such ending.
        """
        self._painted().finished().save(path)

    def svg(self) -> str:
        """The picture as markup, which needs no Pillow."""
        pen = SvgPen(WIDTH, HEIGHT, PAPER)
        self._draw_with(pen)
        return pen.finished()

    def _painted(self) -> PillowPen:
        pen = PillowPen(WIDTH, HEIGHT, PAPER)
        self._draw_with(pen)
        return pen

    def _draw_with(self, pen: Pen) -> None:
        for stroke in self._strokes:
            stroke(pen)


def headed(title: str, status: str, seats: Sequence[Seat]) -> Canvas:
    """The part that all pictures share: the title, how far play is, and a panel for every seat."""
    canvas = Canvas()
    canvas.text(title, (MARGIN, 33), size=27, anchor="lm", bold=True)
    canvas.text(status, (WIDTH - MARGIN, 33), size=18, color=QUIET, anchor="rm")
    shown = seats if len(seats) <= MOST_PANELS else seats[: MOST_PANELS - 1]
    places = min(len(seats), MOST_PANELS)
    gap, top, bottom = 12, 58, 122
    width = (WIDTH - 2 * MARGIN - gap * (places - 1)) / places
    for number, seat in enumerate(shown):
        left, color = MARGIN + number * (width + gap), seat_color(number)
        edge, line = (color, 3.5) if seat.on_turn else (LINE, 1.5)
        canvas.panel((left, top, left + width, bottom), edge=edge, line=line)
        canvas.disc((left + 20, 78 if seat.note else 90), 7, fill=color)
        points, big = "?" if seat.points is None else f"{seat.points:g}", width > 200
        at = (left + width - 16, 90 if big else 79)
        canvas.text(points, at, size=30 if big else 20, anchor="rm", color=color, bold=True)
        room = width - 58 - (17 if big else 12) * len(points)
        at = (left + 36, 78 if seat.note else 90)
        canvas.text(seat.name, at, size=18, anchor="lm", width=room)
        room = room if big else width - 46
        canvas.text(seat.note, (left + 36, 104), size=14, color=QUIET, anchor="lm", width=room)
    if len(shown) < len(seats):
        left = MARGIN + len(shown) * (width + gap)
        canvas.text(f"and {len(seats) - len(shown)} more", (left + width / 2, 90), color=QUIET)
    return canvas


def text_page(title: str, text: str, seats: Sequence[Seat]) -> Canvas:
    """The table in words, for a game that has no picture of its own: the newest lines that fit."""
    canvas = headed(title, "", seats)
    canvas.panel((MARGIN, TOP, WIDTH - MARGIN, BOTTOM))
    step, room = 26, 14
    lines = text.splitlines()
    skipped = max(0, len(lines) - room)
    for number, line in enumerate(lines[skipped:]):
        at = (MARGIN + 20, TOP + 22 + step * number)
        canvas.text(line, at, size=18, anchor="lm", width=WIDTH - 2 * MARGIN - 40)
    if skipped:
        canvas.caption(f"{skipped} earlier lines are not shown")
    return canvas
