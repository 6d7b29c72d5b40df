"""Cross-play as tables whose cells are shaded by their number: the darker, the more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.leaderboard.page import shown
from benchmarks.leaderboard.page.shown import Shown
from benchmarks.leaderboard.page.tables import limits
from benchmarks.leaderboard.records import CrossPlay, Measured


class Tile(NamedTuple):
    """What the row's agent got against the column's."""

    text: str
    limits: str
    shade: int
    """Of 100, from the least number in the matrix to the most."""
    title: str


class Matrix(NamedTuple):
    what: str
    """Its numbers, in short."""
    caption: str
    names: tuple[str, ...]
    """The strongest first; rows and columns alike."""
    rows: tuple[tuple[Tile, ...], ...]


def matrices(record: CrossPlay) -> tuple[Matrix, ...]:
    """What everybody earns against everybody, and who earns more; nothing of what is empty."""
    payoffs = _matrix(
        record,
        record.payoffs,
        "what each earns against each",
        "Points per round that the row's agent earns against the column's.",
    )
    wins = _matrix(
        record,
        record.wins,
        "who earns more",
        "Share of matches in which the row's agent earns more than the column's, draws counted "
        "half.",
    )
    return tuple(matrix for matrix in (payoffs, wins) if matrix.rows)


def _matrix(
    record: CrossPlay, numbers: Sequence[Sequence[Measured]], what: str, caption: str
) -> Matrix:
    places = {who.name: place for place, who in enumerate(record.agents)}
    names = tuple(rating.name for rating in record.ratings)
    found = [[shown.of(numbers[places[a]][places[b]]) for b in names] for a in names if numbers]
    scale = shown.scale(number for row in found for number in row)

    def tile(number: Shown, row: str, column: str) -> Tile:
        if number.value is None:
            return Tile("none", "", 0, f"{row} against {column}: {number.reason}")
        return Tile(
            scale.write(number.value),
            limits(number, scale),
            round(scale.at(number.value, 100)),
            f"{row} against {column}",
        )

    return Matrix(
        what,
        caption,
        names,
        tuple(
            tuple(tile(number, a, b) for b, number in zip(names, row, strict=True))
            for a, row in zip(names, found, strict=False)
        ),
    )
