"""95 % bootstrap intervals of a mean, and of the mean difference of pairs.

The method is the percentile bootstrap with 9,999 resamples of a fixed seed, so equal values give
equal intervals. BCa is no better for means of so few values (`tests/benchmarks/test_bootstrap.py`
measures both), and unlike it the percentile interval exists for every sample that varies.

Few values give short intervals: of nominal 95 %, five normal draws cover about 84 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import bootstrap

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 9_999
FEWEST: Final = 3
"""With two values the resampled means are three points, whatever the spread."""
METHOD: Final = "percentile bootstrap, 9999 resamples"


class Bounds(NamedTuple):
    """An interval of the mean, in the unit of the values."""

    low: float
    high: float


def mean_interval(values: Sequence[float]) -> Bounds | str:
    """The interval of the mean of ``values``, or the reason why there is none.

    Equal values get none: the bootstrap would answer with a width of 0, which claims a certainty
    that a few equal values do not give.

    >>> mean_interval([0.5, 0.5, 0.5])
    'all 3 values are equal'
    >>> mean_interval([1.0, 2.0])
    'needs 3 values or more, has 2'
    """
    sample = np.asarray(values, dtype=np.float64)
    if not np.isfinite(sample).all():
        raise ValueError(f"{list(values)} holds a value that is no finite number.")
    if len(sample) < FEWEST:
        return f"needs {FEWEST} values or more, has {len(sample)}"
    if (sample == sample[0]).all():
        return f"all {len(sample)} values are equal"
    found = bootstrap(
        (sample,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Bounds(float(found.low), float(found.high))


def paired_differences(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """``mine - theirs``, value by value: both lists are in the order of the same seeds.

    >>> paired_differences([1.0, 2.0], [0.5, 2.5])
    [0.5, -0.5]
    """
    if len(mine) != len(theirs):
        raise ValueError(
            f"{len(mine)} values cannot be paired with {len(theirs)}: give both the same seeds."
        )
    return [one - other for one, other in zip(mine, theirs, strict=True)]
