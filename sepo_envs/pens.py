"""What a picture of a table is drawn with: pixels by Pillow, or markup (SVG) by nothing at all.

The only file that speaks to Pillow. Markup stays sharp at any size, is text that can be read aloud,
and has its colours as plain attributes, so that a page's style sheet can put others in their place.

>>> pen = SvgPen(100, 50, "#ffffff")
>>> pen.disc((20, 20), 5, fill="#000000", edge=None)
>>> pen.text("a < b", (50, 25), size=12, color="#000000", anchor="mm", bold=True, width=None)
>>> print(pen.finished())
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50">
<rect x="0" y="0" width="100" height="50" rx="0" fill="#ffffff"/>
<circle cx="20" cy="20" r="5" fill="#000000"/>
<text x="50" y="25" font-size="12" fill="#000000" text-anchor="middle" font-weight="600" \
dominant-baseline="central">a &lt; b</text>
</svg>
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import cos, pi, sin
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

Color: TypeAlias = str
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

FINER: Final = 2
WIDE: Final = 0.56
"""The width of a letter in a page's own font, on average, as a share of its size."""
ALONG: Final = {"l": "start", "m": "middle", "r": "end"}
UPWARDS: Final = {"m": "central", "s": "alphabetic", "a": "hanging"}


class Pen(Protocol):
    """Draws shapes on something."""

    def text(
        self,
        words: str,
        at: Point,
        *,
        size: float,
        color: Color,
        anchor: str,
        bold: bool,
        width: float | None,
    ) -> None: ...
    def panel(
        self, box: Box, *, fill: Color | None, edge: Color | None, line: float, radius: float
    ) -> None: ...
    def disc(
        self, center: Point, radius: float, *, fill: Color | None, edge: Color | None
    ) -> None: ...
    def slice(
        self, center: Point, radius: float, start: float, end: float, *, fill: Color
    ) -> None: ...
    def line(self, points: Iterable[Point], *, color: Color, width: float) -> None: ...
    def shape(self, points: Iterable[Point], *, fill: Color) -> None: ...


class PillowPen:
    """Paints pixels, at twice the size and scaled down, which smooths the edges.

    Raises:
        ImportError: Pillow is not installed; the message says how to install it.
    """

    def __init__(self, width: int, height: int, paper: Color) -> None:
        try:
            from PIL import Image, ImageDraw, ImageFont
        except ImportError as error:
            raise ImportError(
                "pictures are drawn with Pillow, which is not installed. Run "
                '`pip install "sepo[render]"`, or use render_mode="ansi", which needs nothing.'
            ) from error
        self._image = Image.new("RGB", (width * FINER, height * FINER), paper)
        self._pen = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default

    def text(
        self,
        words: str,
        at: Point,
        *,
        size: float,
        color: Color,
        anchor: str,
        bold: bool,
        width: float | None,
    ) -> None:
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
        self, box: Box, *, fill: Color | None, edge: Color | None, line: float, radius: float
    ) -> None:
        self._pen.rounded_rectangle(
            [number * FINER for number in box],
            radius=radius * FINER,
            fill=fill,
            outline=edge,
            width=round(line * FINER),
        )

    def disc(self, center: Point, radius: float, *, fill: Color | None, edge: Color | None) -> None:
        self._pen.ellipse(_around(center, radius), fill, edge, width=round(1.5 * FINER))

    def slice(self, center: Point, radius: float, start: float, end: float, *, fill: Color) -> None:
        degrees = (360 * start - 90, 360 * end - 90)
        self._pen.pieslice(_around(center, radius), *degrees, fill)

    def line(self, points: Iterable[Point], *, color: Color, width: float) -> None:
        self._pen.line(_scaled(points), color, round(width * FINER), joint="curve")

    def shape(self, points: Iterable[Point], *, fill: Color) -> None:
        self._pen.polygon(_scaled(points), fill)

    def finished(self) -> Image:
        """The picture in its own size."""
        return self._image.reduce(FINER)


def _around(center: Point, radius: float) -> list[float]:
    x, y = center
    box = (x - radius, y - radius, x + radius, y + radius)
    return [number * FINER for number in box]


def _scaled(points: Iterable[Point]) -> list[Point]:
    return [(x * FINER, y * FINER) for x, y in points]


class SvgPen:
    """Shapes become elements, in the order in which they are drawn."""

    def __init__(self, width: int, height: int, paper: Color) -> None:
        self._size = (width, height)
        self._elements: list[str] = []
        self.panel((0, 0, width, height), fill=paper, edge=None, line=0, radius=0)

    def text(
        self,
        words: str,
        at: Point,
        *,
        size: float,
        color: Color,
        anchor: str,
        bold: bool,
        width: float | None,
    ) -> None:
        needed = WIDE * size * len(words)
        if width is not None and needed > width:
            size = size * width / needed
        self._add(
            "text",
            {
                "x": at[0],
                "y": at[1],
                "font-size": size,
                "fill": color,
                "text-anchor": ALONG[anchor[0]],
                "font-weight": 600 if bold else None,
                "dominant-baseline": UPWARDS[anchor[1]],
            },
            words,
        )

    def panel(
        self,
        box: Box,
        *,
        fill: Color | None,
        edge: Color | None,
        line: float,
        radius: float,
    ) -> None:
        left, top, right, bottom = box
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        self._add("rect", {**place, "rx": radius, **_ink(fill, edge, line)})

    def disc(self, center: Point, radius: float, *, fill: Color | None, edge: Color | None) -> None:
        place = {"cx": center[0], "cy": center[1], "r": radius}
        self._add("circle", {**place, **_ink(fill, edge, 1.5)})

    def slice(self, center: Point, radius: float, start: float, end: float, *, fill: Color) -> None:
        if end - start >= 1:
            self.disc(center, radius, fill=fill, edge=None)
            return
        edges = [_hand(center, radius, turn) for turn in (start, end)]
        (x, y), (left, right) = center, edges
        large = int(end - start > 0.5)
        path = (
            f"M{_number(x)} {_number(y)}L{_pair(left)}"
            f"A{_number(radius)} {_number(radius)} 0 {large} 1 {_pair(right)}Z"
        )
        self._add("path", {"d": path, "fill": fill})

    def line(self, points: Iterable[Point], *, color: Color, width: float) -> None:
        path = " ".join(map(_pair, points))
        self._add("polyline", {"points": path, **_ink(None, color, width)})

    def shape(self, points: Iterable[Point], *, fill: Color) -> None:
        self._add("polygon", {"points": " ".join(map(_pair, points)), "fill": fill})

    def finished(self) -> str:
        """The whole picture as markup."""
        width, height = self._size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        return "\n".join([head, *self._elements, "</svg>"])

    def _add(self, name: str, attributes: dict[str, object], words: str | None = None) -> None:
        told = "".join(
            f' {key}="{_number(value) if isinstance(value, int | float) else escape(str(value))}"'
            for key, value in attributes.items()
            if value is not None
        )
        end = "/>" if words is None else f">{escape(words, quote=False)}</{name}>"
        self._elements.append(f"<{name}{told}{end}")


def _ink(fill: Color | None, edge: Color | None, line: float) -> dict[str, object]:
    return {
        "fill": fill or "none",
        "stroke": edge,
        "stroke-width": None if edge is None else line,
    }


def _hand(center: Point, radius: float, turn: float) -> Point:
    """Where a hand of a clock points after a share of its turn."""
    return center[0] + radius * sin(2 * pi * turn), center[1] - radius * cos(2 * pi * turn)


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    """
    >>> _number(3.0), _number(1 / 3)
    ('3', '0.33')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")
