"""Dual ascent: the weights of J's penalties as multipliers that keep stated budgets.

Instead of a price for each harm the user states how much of it is allowed, and

    maximise s u  subject to  e <= b_e,  c <= b_c,  x <= b_x

is climbed on its Lagrangian: the policy follows the gradient of J at the multipliers as they
stand, and after each iteration every multiplier takes a step along how far its budget was overrun.
The fixed points are those of Karush, Kuhn and Tucker. The step is a plain one, and not Adam's,
which on a single number moves by the same amount however small the excess is.

Knows numbers by the name of their weight: no game, no tensor.

Source: S. Boyd and L. Vandenberghe, Convex Optimization (2004), ch. 5; for policies, C. Tessler et
al., Reward constrained policy optimization, arXiv 1805.11074.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isnan

from sepo_trainer.courses.scores import Scores


def ascend(multiplier: float, excess: float, *, step: float, cap: float) -> float:
    """One projected step: up while the budget is overrun, down while it is not, within [0, cap].

    Args:
        excess: what was measured less its budget, in the harm's unit.
        step: of the multiplier per unit of excess.
        cap: what the multiplier never passes: it bounds the force of a budget that cannot be kept.

    >>> ascend(1.0, 0.5, step=0.1, cap=2.0)
    1.05
    >>> ascend(0.1, -3.0, step=0.1, cap=2.0), ascend(1.9, 3.0, step=0.1, cap=2.0)
    (0.0, 2.0)
    """
    return min(cap, max(0.0, multiplier + step * excess))


def ascended(
    multipliers: Mapping[str, float],
    scores: Scores,
    budgets: Mapping[str, float],
    *,
    step: float,
    cap: float,
) -> dict[str, float]:
    """The multipliers after an iteration whose policy had ``scores``.

    Args:
        multipliers, budgets: by the name of the weight (`WEIGHTS_OF`), for the same names.

    Raises:
        ValueError: a harm with a budget was not measured.
    """
    found: dict[str, float] = {}
    for name, budget in budgets.items():
        measured = measure(scores, name)
        if isnan(measured):
            raise ValueError(
                f"objective.budget.{name} is {budget:g}, but nothing of it could be measured in "
                "this iteration. Leave the budget out, or add opponents against which it shows."
            )
        found[name] = ascend(multipliers[name], measured - budget, step=step, cap=cap)
    return found


WEIGHTS_OF = {"exploitability": "e", "collusion": "c", "externality": "x"}
"""What each weight of J weighs."""


def measure(scores: Scores, weight: str) -> float:
    """The harm that ``weight`` weighs: e in points per round, c and x in their own units."""
    return float(getattr(scores, WEIGHTS_OF[weight]))


def check_budgets(
    budgets: Mapping[str, float],
    starts: Mapping[str, float],
    *,
    cap: float,
    arm: str,
    measurable: Collection[str],
    title: str,
) -> None:
    """Refuse budgets that nothing could keep.

    Args:
        starts: the multipliers before the first step.
        measurable: the weights whose harms are defined and have somebody to show against.
        title: of the domain, for the message.

    Raises:
        ValueError: a budget has no meaning, or no force.
    """
    for name, budget in budgets.items():
        if arm != "credited":
            raise ValueError(
                f"objective.budget.{name} is {budget:g}, but under objective.penalty_credit = "
                f"{arm!r} a multiplier has no gradient and would only rise to its cap. "
                "Use 'credited'."
            )
        if name not in measurable:
            raise ValueError(
                f"objective.budget.{name} is {budget:g}, but {name} is not defined in {title}, so "
                "there is nothing to keep. Leave it out."
            )
        if starts[name] > cap:
            raise ValueError(
                f"objective.{name} starts at {starts[name]:g}, above objective.budget.cap, which "
                f"is {cap:g}. Raise the cap, or start lower."
            )
