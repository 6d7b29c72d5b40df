"""Pictures of a table: one palette, one layout and a few shapes. Knows no game.

The only file that speaks to Pillow, and only once a picture is drawn. Everything is drawn at twice
its size and scaled down, which smooths the edges. Positions and sizes are in pixels of the
finished picture, which is always ``WIDTH`` x ``HEIGHT``, so that frames make a video.

>>> canvas = headed("Nim", "round 1 of 3", (Seat("player_0", 2.0), Seat("player_1", -2.0)))
>>> canvas.text("5 matches left", (WIDTH / 2, 300), size=30)
>>> canvas.pixels().shape
(560, 896, 3)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from sepo_envs.game import Game, State

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH: Final = 896
HEIGHT: Final = 560
"""Both are multiples of 16, as video codecs like them."""
MARGIN: Final = 32
TOP: Final = 136
"""Where a game's own part of the picture begins."""
BOTTOM: Final = 516
"""Where it ends; below is the caption."""
FINER: Final = 2

Color: TypeAlias = str
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

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
    """Draws a game's states, every card open, as a spectator sees them."""

    def draw(self, state: State) -> Canvas:
        """The table in ``state``."""


class Seat(NamedTuple):
    """What the panel of one seat tells."""

    name: str
    points: float
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


def seats_at(game: Game, state: State, forfeits: Sequence[int] = ()) -> list[Seat]:
    """Every seat of the table; ``forfeits`` are the seats that forfeited, once for each time."""
    actors, rounds = game.actors(state), game.payoffs(state)
    return [
        Seat(
            f"player_{seat}",
            sum(paid[seat] for paid in rounds),
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
    """An empty picture to draw on.

    Raises:
        ImportError: Pillow is not installed; the message says how to install it.
    """

    def __init__(self) -> None:
        try:
            from PIL import Image, ImageDraw, ImageFont
        except ImportError as error:
            raise ImportError(
                "pictures are drawn with Pillow, which is not installed. Run "
                '`pip install "sepo[render]"`, or use render_mode="ansi", which needs nothing.'
            ) from error
        self._image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), PAPER)
        self._pen = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default

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
        font = self._font(size * FINER)
        if width is not None and font.getlength(words) > width * FINER:
            font = self._font(size * FINER * width * FINER / font.getlength(words))
        stroke = round(size * FINER / 36) if bold else 0
        self._pen.text(
            (at[0] * FINER, at[1] * FINER),
            words,
            fill=color,
            font=font,
            anchor=anchor,
            stroke_width=stroke,
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
        self._pen.rounded_rectangle(
            [number * FINER for number in box],
            radius=radius * FINER,
            fill=fill,
            outline=edge,
            width=round(line * FINER),
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
        self._pen.ellipse(self._around(center, radius), fill, edge, width=round(1.5 * FINER))

    def slice(self, center: Point, radius: float, start: float, end: float, *, fill: Color) -> None:
        """A slice of a pie, clockwise from ``start`` to ``end``; whole turns, 0 at the top."""
        if end > start:
            degrees = (360 * start - 90, 360 * end - 90)
            self._pen.pieslice(self._around(center, radius), *degrees, fill)

    def line(self, points: Iterable[Point], *, color: Color = LINE, width: float = 1.5) -> None:
        """A line through the points."""
        self._pen.line(self._scaled(points), color, round(width * FINER), joint="curve")

    def shape(self, points: Iterable[Point], *, fill: Color) -> None:
        """A filled polygon."""
        self._pen.polygon(self._scaled(points), fill)

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
        """``(HEIGHT, WIDTH, 3)``, red, green and blue from 0 to 255."""
        return np.asarray(self._finished(), np.uint8)

    def save(self, path: Path | str) -> None:
        """Write the picture in the format that the file's ending names, such as ``.png``.

        Raises:
            ValueError: Pillow knows no such ending.
        """
        self._finished().save(path)

    def _finished(self) -> Image:
        return self._image.reduce(FINER)

    @staticmethod
    def _around(center: Point, radius: float) -> list[float]:
        x, y = center
        box = (x - radius, y - radius, x + radius, y + radius)
        return [number * FINER for number in box]

    @staticmethod
    def _scaled(points: Iterable[Point]) -> list[Point]:
        return [(x * FINER, y * FINER) for x, y in points]


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
        points, big = f"{seat.points:g}", width > 200
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
