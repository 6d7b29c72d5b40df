"""Every equilibrium of one auction round between two bidders, mixed and asymmetric ones included.

A strategy is a distribution over bids for each value. With two bidders the payoff of a bid is
linear in the other's strategy x, so what is asked for is linear but for one product: with v the
payoff that each value can reach and w = v - (payoff of the bid), both x >= 0 and w >= 0, and
x * w = 0. The equilibria are a union of faces of that polyhedron; all its corners with x * w = 0
are found here, in fractions. Equilibria that are no corner lie between corners that share their
zeros, so where no mixed corner is found and no such pair, there is none.

Between bidders who play x and y the payoffs of each are linear in the other's strategy alone, so
two corners (x, w) and (y, u) of the same polyhedron are an equilibrium where x * u = 0 and
y * w = 0. In any other equilibrium each strategy is a mixture of corners every pair of which is an
equilibrium, so where no two different corners are one, no asymmetric equilibrium exists.

Source: O. L. Mangasarian, "Equilibrium points of bimatrix games", Journal of SIAM 12 (1964), for
equilibria as such corners.

>>> from sepo_envs.games.repeated_auction.rules import RepeatedAuction
>>> for found in symmetric_equilibria(RepeatedAuction(rounds=1, values=(3,), bids=(0, 2))):
...     print(*found[0])
0 1
1/2 1/2
1 0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Final, TypeAlias

from sepo_envs.games.repeated_auction.rules import RepeatedAuction

MOST_CORNERS: Final = 20_000
"""With more to try there is no answer, rather than a search without end."""

Strategy: TypeAlias = tuple[tuple[Fraction, ...], ...]
"""For each value of ``game.values`` the probability of each bid of ``game.bids``."""
Row: TypeAlias = list[Fraction]


def symmetric_equilibria(game: RepeatedAuction) -> tuple[Strategy, ...]:
    """The corners of the set of symmetric equilibria of one round, in increasing order.

    By default all three are pure, those of `stage.equilibria`:

    >>> for found in symmetric_equilibria(RepeatedAuction(rounds=1)):
    ...     print(*[game_bid for row in found for game_bid, p in zip((1, 2, 3), row) if p == 1])
    2 3
    2 2
    1 2

    Raises:
        ValueError: there are more than two bidders, or too many corners to try.
    """
    return tuple(sorted({x for x, w in _corners(game) if _fits(x, w)}))


def asymmetric_equilibria(game: RepeatedAuction) -> tuple[tuple[Strategy, Strategy], ...]:
    """The corners of the set of equilibria in which the two bidders differ, each pair once.

    By default there is none, pure or mixed, so the symmetric ones are all:

    >>> asymmetric_equilibria(RepeatedAuction(rounds=1))
    ()

    Raises:
        ValueError: as `symmetric_equilibria`.
    """
    pairs = combinations(sorted(set(_corners(game))), 2)
    return tuple((x, y) for (x, w), (y, u) in pairs if _fits(x, u) and _fits(y, w))


def _corners(game: RepeatedAuction) -> Iterator[tuple[Strategy, Strategy]]:
    """Every corner: a strategy, and by how much each bid falls short against it.

    Raises:
        ValueError: there are too many to try.
    """
    tried = comb(2 * len(game.values) * len(game.bids), len(game.values) * len(game.bids))
    if game.bidders != 2 or tried > MOST_CORNERS:
        raise ValueError(
            f"{game.bidders} bidders, {len(game.values)} values and {len(game.bids)} bids: mixed "
            f"equilibria are enumerated for 2 bidders and up to {MOST_CORNERS:,} corners, here "
            f"{tried:,}. Use stage.equilibria for the pure ones, or a smaller grid."
        )
    kinds, bids = range(len(game.values)), range(len(game.bids))
    cells = [(kind, bid) for kind in kinds for bid in bids]
    width = len(cells) + len(kinds)  # the unknowns: x by cell, then v by value
    chances = [_unit(width, number) for number in range(len(cells))]
    short = []  # w by cell
    for kind, bid in cells:
        row = [-share for share in _payoff(game, kind, bid, cells)] + [Fraction(0)] * len(kinds)
        row[len(cells) + kind] = Fraction(1)
        short.append(row)
    sums = [[Fraction(cell < len(cells) and cells[cell][0] == kind) for cell in range(width)]
            for kind in kinds]  # fmt: skip
    right = [Fraction(1)] * len(kinds) + [Fraction(0)] * len(cells)
    for zeros in combinations(chances + short, len(cells)):
        corner = _solved([*sums, *zeros], right)
        if corner is None:
            continue
        x = corner[: len(cells)]
        w = [sum((a * b for a, b in zip(row, corner, strict=True)), Fraction(0)) for row in short]
        if min(x) >= 0 and min(w) >= 0:
            yield _by_value(x, len(bids)), _by_value(w, len(bids))


def _fits(strategy: Strategy, short: Strategy) -> bool:
    """Whether every bid that is made falls short by nothing."""
    rows = zip(strategy, short, strict=True)
    return not any(a * b for made, less in rows for a, b in zip(made, less, strict=True))


def _by_value(cells: Row, bids: int) -> Strategy:
    return tuple(tuple(cells[first : first + bids]) for first in range(0, len(cells), bids))


def _payoff(game: RepeatedAuction, kind: int, bid: int, cells: Sequence[tuple[int, int]]) -> Row:
    """What ``bid`` with that value earns, as shares of the other's chances of each cell."""
    profit = Fraction(game.profit(game.values[kind], game.bids[bid])) / len(game.values)
    return [profit * (Fraction(other < bid) + Fraction(int(other == bid), 2)) for _, other in cells]


def _unit(width: int, place: int) -> Row:
    return [Fraction(number == place) for number in range(width)]


def _solved(left: Sequence[Row], right: Sequence[Fraction]) -> Row | None:
    """The solution of a square system by Gauss and Jordan; None where there is not just one."""
    rows = [[*row, value] for row, value in zip(left, right, strict=True)]
    for column in range(len(rows)):
        pivot = next((n for n in range(column, len(rows)) if rows[n][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [entry / rows[column][column] for entry in rows[column]]
        for number, row in enumerate(rows):
            if number != column and row[column]:
                rows[number] = [a - row[column] * b for a, b in zip(row, rows[column], strict=True)]
    return [row[-1] for row in rows]
