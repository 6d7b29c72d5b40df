"""What harms cost in a run: the weights of J as they are chosen, and as they move from there.

Knows settings and stages; no policy, no episode.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from sepo_envs.game import Weights
from sepo_trainer.courses.duals import check_budgets
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.stage import Stage


def chosen_weights(config: RunConfig, stage: Stage) -> Weights:
    """The published weights, but for those that the configuration sets.

    Raises:
        ValueError: a weight is set for a harm that is not defined in this domain.
    """
    chosen = config.objective.model_dump(
        include={"scale", "exploitability", "collusion", "externality"}, exclude_none=True
    )
    idle = sorted({"collusion", "externality"} & {name for name, value in chosen.items() if value})
    if stage.domain.zero_sum and idle:
        raise ValueError(
            f"objective.{idle[0]} is {chosen[idle[0]]:g}, but {idle[0]} is not defined in "
            f"{stage.domain.title}, which is zero sum: the weight would do nothing. Leave it out."
        )
    return replace(stage.domain.harms.published, **chosen)


def charged_share(rising: float, iteration: int) -> float:
    """Share of what the penalties weigh that is charged in ``iteration``.

    Args:
        rising: iterations over which they come to weigh their all.

    >>> [charged_share(4, iteration) for iteration in (0, 1, 4, 9)], charged_share(0, 0)
    ([0.0, 0.25, 1.0, 1.0], 1.0)
    """
    return min(1.0, iteration / rising) if rising else 1.0


def first_multipliers(config: RunConfig, stage: Stage, at: Weights) -> dict[str, float]:
    """Where the weights that keep a budget start: at what they would be without one.

    Raises:
        ValueError: a budget has no meaning, or no force.
    """
    budget, starts = config.objective.budget, asdict(at)
    pool_of = {"exploitability": "exploit", "collusion": "collusive", "externality": "train"}
    check_budgets(
        budget.allowed,
        starts,
        cap=budget.cap,
        arm=config.objective.penalty_credit,
        measurable=[
            name
            for name, pool in pool_of.items()
            if pool in stage.pools and (name == "exploitability" or not stage.domain.zero_sum)
        ],
        title=stage.domain.title,
    )
    return {name: starts[name] for name in budget.allowed}
