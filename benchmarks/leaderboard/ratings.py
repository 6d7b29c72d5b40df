"""Ratings of agents that have met, with intervals: the Bradley-Terry model. Knows no game.

Whoever has strength s beats whoever has strength t with probability s / (s + t). Strengths are
fitted to the shares of matches won, by maximum likelihood, with the minorisation of D. R. Hunter,
and told in Elo's points: 400 points are ten to one, and the mean of all is 0.

What a *win* is, is the caller's to say. On the leaderboards it is to earn more than the other in a
match, a draw counting half. In a game that is not zero-sum this is a narrow view: who ruins both,
the other a little more, wins; who shares a cake evenly draws; who yields for the good of both
loses. So a rating says who comes out ahead of whom, not who does well, and certainly not who is
safe: that is what SAFETY and its parts are for. The model also assumes that strength is one number:
where a beats b, b beats c and c beats a, it says nothing of it. The matrix of wins does.

To every pair one drawn match is added. Without it an agent that always wins would be infinitely
strong; beside a thousand matches it weighs a thousandth.

Sources: R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs", Biometrika 39
(1952); D. R. Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32
(2004).

>>> won = np.array([[0.0, 3.0], [1.0, 0.0]])  # three of four matches: three to one
>>> (elo(strengths(won)) @ [1, -1]).round(6) == (400 * np.log10(3)).round(6)
np.True_
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

TEN_TO_ONE: Final = 400.0
"""Elo's points between agents of which one wins ten times as often as the other."""
CLOSE: Final = 1e-10
"""Strengths that change less than this, in proportion, have settled."""
MOST_STEPS: Final = 100_000
RESAMPLES: Final = 1_000
TAILS: Final = (0.025, 0.975)
"""Of the 95 % intervals."""


class Rated(NamedTuple):
    """Each agent's rating and rank, ``(agents,)``, with their 95 % intervals."""

    rating: Floats
    low: Floats
    high: Floats
    rank: Floats
    """From 1; equal ratings share the mean of their ranks."""
    rank_low: Floats
    rank_high: Floats


def strengths(won: Floats) -> Floats:
    """The likeliest strengths, ``(..., agents)``, of geometric mean 1.

    Args:
        won: ``(..., agents, agents)``; ``won[a, b]`` is how often a beat b, draws counted half.

    Raises:
        ValueError: somebody never lost or never won, or two groups never met, so that the
            likelihood has no maximum.
    """
    met = won + np.swapaxes(won, -1, -2)
    wins = won.sum(-1)
    _check_comparable(won)
    found = np.ones(wins.shape)
    for _ in range(MOST_STEPS):
        both = found[..., :, None] + found[..., None, :]
        better = wins / (met / both).sum(-1)
        better /= np.exp(np.log(better).mean(-1, keepdims=True))
        settled = np.abs(better / found - 1).max() < CLOSE
        found = better
        if settled:
            return np.asarray(found)
    raise ValueError(
        f"the strengths have not settled after {MOST_STEPS:,} steps: somebody all but never wins. "
        "Add a drawn match to every pair."
    )


def elo(found: Floats) -> Floats:
    """Strengths in Elo's points."""
    points: Floats = TEN_TO_ONE * np.log10(found)
    return points


def rated(shares: Floats, matches: int) -> Rated:
    """Ratings of agents that all have met on the same deals.

    Args:
        shares: ``(deals, agents, agents)``; ``shares[d, a, b]`` is the share of the matches on deal
            d between a and b that a won, draws counted half.
        matches: of each pair, on all deals together.

    An interval comes from resampled deals, each with all the matches that were played on it.
    """
    count = shares.shape[-1]
    drawn = np.full((count, count), 0.5)
    np.fill_diagonal(drawn, 0.0)
    flat = shares * (1 - np.eye(count))
    value = elo(strengths(matches * flat.mean(0) + drawn))
    spread = elo(strengths(matches * resampled(flat) + drawn))
    ranks, spread_ranks = _ranks(value), _ranks(spread)
    low, high = np.quantile(spread, TAILS, axis=0)
    first, last = np.quantile(spread_ranks, TAILS, axis=0)
    return Rated(value, low, high, ranks, first, last)


def resampled(numbers: Floats) -> Floats:
    """Means over resampled deals, ``(resamples, ...)``, of ``(deals, ...)`` numbers."""
    deals = len(numbers)
    rng = np.random.default_rng(0)
    chosen = rng.multinomial(deals, np.full(deals, 1 / deals), size=RESAMPLES) / deals
    means: Floats = np.tensordot(chosen, numbers, axes=1)
    return means


def limits(numbers: Floats) -> Floats:
    """The ends of the 95 % intervals of the means over deals, ``(2, ...)``."""
    ends: Floats = np.quantile(resampled(numbers), TAILS, axis=0)
    return ends


def _ranks(values: Floats) -> Floats:
    """From 1 for the highest, ``(..., agents)``; those closer than rounding share their mean."""
    others, mine = values[..., None, :], values[..., :, None]
    above = (others > mine + 1e-6).sum(-1)
    equal = (np.abs(others - mine) <= 1e-6).sum(-1)
    ranks: Floats = above + (equal + 1) / 2
    return ranks


def _check_comparable(won: Floats) -> None:
    """Refuse wins of which no strengths are the likeliest: somebody must lead back to everybody."""
    reach = (won > 0) | np.eye(won.shape[-1], dtype=np.bool_)
    for _ in range(int(np.ceil(np.log2(max(2, won.shape[-1]))))):
        reach = np.matmul(reach.astype(np.int64), reach.astype(np.int64)) > 0
    if not reach.all():
        raise ValueError(
            "the agents fall into groups of which one never loses to the other, so no strengths "
            "are the likeliest. Add a drawn match to every pair."
        )
