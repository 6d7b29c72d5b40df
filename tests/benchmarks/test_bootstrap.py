"""Bootstrap intervals against hand cases, a second implementation and their own promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from benchmarks.bootstrap import Bounds, mean_interval, paired_differences


def bounds(values) -> Bounds:
    found = mean_interval(values)
    assert isinstance(found, Bounds)
    return found


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        # The resampled mean is the number of threes, binomial(3, 1/3): it is 3 in 1/27 > 2.5 %.
        ([0, 0, 3], 0, 3),
        # binomial(5, 1/5): at most 2 in 94.2 %, at most 3 in 99.3 %.
        ([0, 0, 0, 0, 5], 0, 3),
        # The same from the other end.
        ([5, 5, 5, 5, 0], 2, 5),
    ],
)
def test_the_interval_of_a_hand_case(values, low, high):
    assert bounds(values) == Bounds(low, high)


def test_the_interval_agrees_with_resampling_by_hand():
    values = np.array([0.006, 0.014, 0.017, 0.009, 0.011])
    picks = np.random.default_rng(7).integers(5, size=(50_000, 5))
    low, high = np.quantile(values[picks].mean(1), [0.025, 0.975])
    assert bounds(values) == pytest.approx((low, high), abs=3e-4)


@given(
    st.lists(st.integers(-50, 50), min_size=3, max_size=6).filter(lambda v: len(set(v)) > 1),
    st.integers(1, 9),
    st.integers(-100, 100),
)
@settings(max_examples=25)
def test_the_interval_moves_and_stretches_with_its_values(values, scale, shift):
    """And it holds the mean, and never leaves the range of the values."""
    low, high = bounds(values)
    moved = bounds([scale * value + shift for value in values])
    assert moved == pytest.approx((scale * low + shift, scale * high + shift))
    assert min(values) <= low <= np.mean(values) <= high <= max(values)


def test_equal_values_and_few_values_get_a_reason_instead():
    assert mean_interval([0.1] * 5) == "all 5 values are equal"
    assert mean_interval([0.1, 0.2]) == "needs 3 values or more, has 2"
    with pytest.raises(ValueError, match="no finite number"):
        mean_interval([0.1, 0.2, float("nan")])


@pytest.mark.parametrize(("size", "lowest", "highest"), [(5, 0.80, 0.88), (20, 0.89, 0.96)])
def test_the_coverage_is_what_the_readme_says(size, lowest, highest):
    """About 84 % from five normal draws, nearer to 95 % from twenty; BCa is no better from five."""
    draws = np.random.default_rng(0).normal(size=(400, size))
    covered = np.mean([low <= 0 <= high for low, high in map(bounds, draws)])
    assert lowest <= covered <= highest
    if size == 5:
        other = [
            bootstrap(
                (row,), np.mean, n_resamples=999, method="BCa", rng=np.random.default_rng(0)
            ).confidence_interval
            for row in draws
        ]
        assert np.mean([one.low <= 0 <= one.high for one in other]) <= covered + 0.03


def test_pairs_need_a_partner():
    with pytest.raises(ValueError, match="3 values cannot be paired with 2"):
        paired_differences([1, 2, 3], [1, 2])
