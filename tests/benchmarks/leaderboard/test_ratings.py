"""Bradley-Terry against a published fit, a law and hand-worked cases."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.leaderboard.ratings import elo, rated, strengths

BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ],
    dtype=float,
)
"""Wins of row over column: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland, Baltimore."""


def test_the_american_league_of_1987_is_fitted_as_published() -> None:
    """A. Agresti, Categorical Data Analysis (2nd edition, 2002), section 10.6: log strengths over
    Baltimore's."""
    logs = np.log(strengths(BASEBALL))
    published = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0]
    assert (logs - logs[-1]).round(2).tolist() == published


def test_expected_wins_are_the_wins_there_were() -> None:
    """The likelihood equations: at the maximum every agent's expected wins equal its own."""
    found = strengths(BASEBALL)
    met = BASEBALL + BASEBALL.T
    expected = (met * found[:, None] / (found[:, None] + found)).sum(1)
    assert expected == pytest.approx(BASEBALL.sum(1), abs=1e-6)


def test_ten_wins_to_one_are_400_points() -> None:
    ratings = elo(strengths(np.array([[0.0, 10.0], [1.0, 0.0]])))
    assert ratings == pytest.approx([200.0, -200.0])


def test_who_never_loses_has_no_likeliest_strength() -> None:
    with pytest.raises(ValueError, match="Add a drawn match to every pair"):
        strengths(np.array([[0.0, 3.0], [0.0, 0.0]]))


def test_a_drawn_match_is_added_so_that_who_always_wins_has_a_rating() -> None:
    """999.5 more wins against half a one: 1000.5 to 0.5."""
    always = np.zeros((500, 2, 2))
    always[:, 0, 1] = 1.0
    found = rated(always, matches=1_000)
    assert found.rating[0] - found.rating[1] == pytest.approx(400 * np.log10(1000.5 / 0.5))
    assert found.low[0] == found.high[0]
    assert found.rank.tolist() == [1.0, 2.0]


def test_who_always_draws_shares_its_rank() -> None:
    found = rated(np.full((10, 3, 3), 0.5), matches=20)
    assert found.rating == pytest.approx([0.0, 0.0, 0.0])
    assert found.rank.tolist() == [2.0, 2.0, 2.0]


def test_intervals_hold_whole_deals_together() -> None:
    """Two matches on a deal that always agree tell no more than one: the interval is that of as
    many independent deals, by the normal approximation of the log odds, 1 / sqrt(n p q)."""
    deals = 400
    rng = np.random.default_rng(0)
    won = (rng.random(deals) < 0.7).astype(float)
    shares = np.zeros((deals, 2, 2))
    shares[:, 0, 1], shares[:, 1, 0] = won, 1 - won
    found = rated(shares, matches=2 * deals)
    p = won.mean()
    width = 2 * 1.96 / np.sqrt(deals * p * (1 - p)) * 400 / np.log(10)
    difference = (found.high[0] - found.low[0]) * 2  # the ratings are half of it each, opposed
    assert difference == pytest.approx(width, rel=0.1)
