"""Whom the train pool's payoffs are weighed for: risk over the opponents that may be met.

u is the mean of the policy's payoffs over the opponents of the train pool. A policy that does well
on average may do badly against one of them; a risk functional of the payoffs takes u's place in J:

* ``mean``: u itself.
* ``entropic``: ``-log(mean(exp(-tau payoff))) / tau``, tau > 0 per point: from the mean (tau to 0)
  to the worst case (tau to infinity).
* ``variance``: ``mean - gamma variance``, gamma >= 0 per point. Not monotone: beyond
  ``payoff - mean = 1 / (2 gamma)`` an opponent's payoff counts against J.
* ``worst_case``: the smallest payoff.

Each one's gradient is a weighted sum of the opponents' gradients, with weights that sum to 1
(`opponent_weights`), so the estimator needs no more than to weigh the payoffs of the train groups.
The weights hang on *expected* payoffs: they have to be known before the episodes that they weigh,
or the gradient is biased.

Knows numbers: no game, no tensor.

Sources: R. Howard and J. Matheson, Risk-sensitive Markov decision processes (1972), for the
exponential utility; H. Markowitz, Portfolio selection (1952), for the variance; A. Wald,
Statistical decision functions (1950), for the worst case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Risk = Literal["mean", "entropic", "variance", "worst_case"]
Floats = NDArray[np.float64]


def opponent_weights(payoffs: Floats, risk: Risk, aversion: float = 0.0) -> Floats:
    """How much each opponent's payoff counts: the gradient of `value` in the payoffs.

    Args:
        payoffs: ``(opponents,)`` points per round; at least one.
        aversion: tau of ``entropic`` or gamma of ``variance``; the others have none.

    Returns:
        ``(opponents,)`` weights that sum to 1. Opponents that share the worst case share its
        weight, which is one of the supergradients there.

    >>> opponent_weights(np.array([1.0, 3.0]), "mean").tolist()
    [0.5, 0.5]
    >>> opponent_weights(np.array([1.0, 3.0]), "entropic", 0.5).round(3).tolist()
    [0.731, 0.269]
    >>> opponent_weights(np.array([1.0, 3.0]), "variance", 0.25).tolist()
    [0.75, 0.25]
    >>> opponent_weights(np.array([1.0, 3.0, 1.0]), "worst_case").tolist()
    [0.5, 0.0, 0.5]
    """
    count = len(payoffs)
    match risk:
        case "mean":
            return np.full(count, 1 / count)
        case "entropic":
            tilted = np.exp(-aversion * (payoffs - payoffs.min()))
            return np.asarray(tilted / tilted.sum())
        case "variance":
            return np.asarray((1 - 2 * aversion * (payoffs - payoffs.mean())) / count)
        case "worst_case":
            worst = payoffs == payoffs.min()
            return np.asarray(worst / worst.sum())


def value(payoffs: Floats, risk: Risk, aversion: float = 0.0) -> float:
    """What takes u's place in J, in points per round. Arguments as of `opponent_weights`.

    >>> [value(np.array([1.0, 3.0]), "mean"), value(np.array([1.0, 3.0]), "worst_case")]
    [2.0, 1.0]
    >>> value(np.array([1.0, 3.0]), "variance", 0.25)
    1.75
    >>> round(value(np.array([1.0, 3.0]), "entropic", 0.5), 3)
    1.76
    """
    match risk:
        case "mean":
            return float(payoffs.mean())
        case "entropic" if aversion > 0:
            least = payoffs.min()
            return float(least - np.log(np.exp(-aversion * (payoffs - least)).mean()) / aversion)
        case "entropic":
            return float(payoffs.mean())
        case "variance":
            return float(payoffs.mean() - aversion * payoffs.var())
        case "worst_case":
            return float(payoffs.min())


def emphasis(
    names: Sequence[str], payoffs: Mapping[str, float], risk: Risk, aversion: float = 0.0
) -> dict[str, float]:
    """How many times each opponent's payoffs count, where 1 is the plain mean.

    Args:
        names: of the train pool, who all weigh alike in u.
        payoffs: what is known of the policy's payoffs against them; who is not known yet is taken
            to pay what the others do on average.

    >>> emphasis(["a", "b"], {"a": 1.0, "b": 3.0}, "variance", 0.25)
    {'a': 1.5, 'b': 0.5}
    >>> emphasis(["a", "b", "new"], {"a": 1.0, "b": 3.0}, "worst_case")
    {'a': 3.0, 'b': 0.0, 'new': 0.0}
    >>> emphasis(["a", "b"], {}, "worst_case")
    {'a': 1.0, 'b': 1.0}
    """
    known = [payoffs[name] for name in names if name in payoffs]
    usual = float(np.mean(known)) if known else 0.0
    found = np.array([payoffs.get(name, usual) for name in names])
    counts = len(names) * opponent_weights(found, risk, aversion)
    return dict(zip(names, counts.tolist(), strict=True))
