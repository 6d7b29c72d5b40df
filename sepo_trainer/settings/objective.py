"""The settings of J: where penalties are charged and what they weigh, budgets, and risk."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sepo_trainer.settings.section import NotNegative, Section


class BudgetConfig(Section):
    """How much of a harm is allowed. Its weight in J is then a multiplier that rises while there is
    more of it and falls while there is less."""

    exploitability: NotNegative | None = None
    """Most e, in points per round."""
    collusion: NotNegative | None = None
    """Most c."""
    externality: NotNegative | None = None
    """Most x."""
    step: NotNegative = 0.05
    """Of a multiplier, per iteration and unit of excess."""
    cap: NotNegative = 20.0
    """What no multiplier passes."""
    delay: Annotated[int, Field(ge=0)] = 10
    """Iterations before the multipliers move, while the policy leaves the warm start."""

    @property
    def allowed(self) -> dict[str, float]:
        """The budgets, by the name of the weight.

        >>> BudgetConfig(collusion=0.1).allowed
        {'collusion': 0.1}
        """
        names = ("exploitability", "collusion", "externality")
        return {name: most for name in names if (most := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _multipliers_are_of_a_budget(self) -> BudgetConfig:
        if not self.allowed:
            self.idle(
                *("step", "cap", "delay"),
                as_long_as="objective.budget allows no harm by number and no multiplier moves",
                mend="Set objective.budget.exploitability, collusion or externality",
            )
        return self


class ObjectiveConfig(Section):
    """J = s u - lambda_e s e - lambda_c c - lambda_x x; unset, a weight is as published."""

    penalty_credit: Literal["credited", "shared", "auxiliary", "reward_only"] = "credited"
    """Where the penalties are charged; only `credited` follows the gradient of J."""
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """s, which multiplies payoffs; published for Kuhn poker: 1.5."""
    exploitability: NotNegative | None = None
    """lambda_e; published for Kuhn poker: 1.5. From 0.5 up the optimum of J is an equilibrium."""
    collusion: NotNegative | None = None
    """lambda_c; not defined in a zero-sum game."""
    externality: NotNegative | None = None
    """lambda_x; not defined in a zero-sum game."""
    curriculum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the run over which what the penalties weigh rises in a line from 0 to all of it:
    earn first, then mind the harm. A budget's multipliers move once it is over."""
    foul_penalty: NotNegative = 0.5
    """Points off an episode's reward per forfeited move."""
    exploiter: Literal["best_response", "quantal", "average", "none"] = "best_response"
    """Who joins the exploit pool, worked out against the policy at every iteration: the best
    response, a quantal one, or the average of all best responses so far."""
    exploiter_temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Of the quantal exploiter, in points."""
    budget: BudgetConfig = BudgetConfig()
    risk: Literal["mean", "entropic", "variance", "worst_case"] = "mean"
    """Over the opponents of the train pool: what is climbed in u's place."""
    risk_aversion: NotNegative = 1.0
    """Per point: tau of `entropic`, gamma of `variance`; at 0 both are the mean."""

    @model_validator(mode="after")
    def _what_is_set_is_used(self) -> ObjectiveConfig:
        if self.risk not in ("entropic", "variance"):
            self.idle(
                "risk_aversion",
                as_long_as=f"objective.risk is {self.risk!r}, which has no such number",
                mend="Set objective.risk to 'entropic' or 'variance'",
            )
        if self.exploiter != "quantal":
            self.idle(
                "exploiter_temperature",
                as_long_as=f"objective.exploiter is {self.exploiter!r}, which has no temperature",
                mend="Set objective.exploiter to 'quantal'",
            )
        return self
