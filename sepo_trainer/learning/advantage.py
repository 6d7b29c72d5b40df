"""Rewards become advantages: one rule per function, arrays in, arrays out. Knows no game.

Every function takes the rewards-to-go of one group, ``(replicates, rounds)`` in scaled points, and
returns advantages of the same shape. A group is never mixed over seats, pools or opponents.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIGITS = 9
"""Decimals of an advantage in scaled points; what is beyond them is rounding."""
ALIKE = 1e-6
"""Spread in scaled points below which a group's rewards agree but for rounding."""


def rewards_to_go(rewards: Floats, discount: float = 1.0) -> Floats:
    """What each round and those after it earned: a turn cannot have caused what came before.

    Args:
        discount: of each later round. Below 1 there is less noise, and what a move brings about
            later counts less than it does in J.

    >>> rewards_to_go(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[6.0, 5.0, 3.0]]
    >>> rewards_to_go(np.array([[1.0, 2.0, 4.0]]), discount=0.5).tolist()
    [[3.0, 4.0, 4.0]]
    """
    returns = rewards.copy()
    for number in range(rewards.shape[1] - 2, -1, -1):
        returns[:, number] += discount * returns[:, number + 1]
    return returns


def whole_episode(rewards: Floats) -> Floats:
    """What the whole episode earned, at each of its rounds alike: no round is told apart.

    >>> whole_episode(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[6.0, 6.0, 6.0]]
    """
    return np.repeat(rewards.sum(1, keepdims=True), rewards.shape[1], axis=1)


def centered(returns: Floats) -> Floats:
    """Each return less the mean of the *other* replicates (leave-one-out, RLOO).

    Unbiased, unlike subtracting the group's own mean, which shrinks the gradient by (G - 1)/G. A
    group of one has no others: its advantage is 0. Source: Kool, van Hoof and Welling (2019).

    >>> centered(np.array([[1.0], [0.0], [2.0]])).ravel().tolist()
    [0.0, -1.5, 1.5]
    """
    count = len(returns)
    if count < 2:
        return np.zeros_like(returns)
    others = (returns.sum(0) - returns) / (count - 1)
    # What all replicates share cancels to the last digit: not even its rounding is learned from.
    advantage: Floats = np.round(returns - others, DIGITS)
    return advantage


def standardized(returns: Floats) -> Floats:
    """Deviation from the group's mean over its standard deviation (GRPO as published).

    Kept for comparison. It gives every group equal force, so a weight on one pool's rewards changes
    nothing between the pools; rewards that agree to 1e-6 carry no signal. Source: arXiv 2402.03300.

    >>> standardized(np.array([[1.0], [3.0]])).ravel().tolist()
    [-1.0, 1.0]
    """
    deviation = np.round(returns - returns.mean(0), DIGITS)  # as in `centered`
    deviation -= deviation.mean(0)
    spread = np.sqrt((deviation**2).mean(0))
    safe = np.where(spread > ALIKE, spread, 1.0)
    return np.where(spread > ALIKE, deviation / safe, 0.0)


def role_conditioned(
    returns: Floats, baselines: MutableMapping[Any, float], key: Any, *, decay: float = 0.95
) -> Floats:
    """Each return less a running mean of its role's, read before it is updated (RAE, SPIRAL).

    Replicates update one after the other. Source: arXiv 2506.24119.

    >>> role_conditioned(np.array([[1.0], [1.0], [-1.0]]), {}, "seat 0").ravel().round(4).tolist()
    [1.0, 0.95, -1.0975]
    """
    advantage = np.empty_like(returns)
    for column in range(returns.shape[1]):
        place = f"{key}/{column}"
        for row, value in enumerate(returns[:, column]):
            baseline = baselines.get(place, 0.0)
            advantage[row, column] = value - baseline
            baselines[place] = decay * baseline + (1 - decay) * float(value)
    return advantage
