"""The settings of play: what a batch of episodes is, and how a reply is asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sepo_trainer.settings.section import Positive, Section, Share


class RolloutConfig(Section):
    group_size: int = 8
    """Episodes per (pool, opponent, deal, seat); each one's baseline is the others' mean."""
    deals: Positive | Literal["all"] = "all"
    """`all` plays every opening of the cards in every batch; a number draws that many."""
    own_deals: bool = False
    """Draw the `deals` anew for every opponent in every seat, so that a batch holds many more; else
    all of them meet the same."""
    style: Literal["conversation", "fresh"] = "fresh"
    """One growing chat per episode, or one complete prompt per decision."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Of the policy. Play, training and every exact number use this one."""
    max_new_tokens: Positive = 32
    """A reply that has not ended by then is cut off, and most likely unreadable."""
    max_retries: Annotated[int, Field(ge=0)] = 1
    """Further tries after an unreadable reply before the move is forfeited."""
    most_fouls: Share = 0.5
    """Forfeits per decision above which a run stops: it would learn from babble."""

    @model_validator(mode="after")
    def _a_group_needs_company(self) -> RolloutConfig:
        if self.group_size < 2:
            raise ValueError(
                f"group_size is {self.group_size}, but a group of one is its own baseline, so "
                "every advantage is zero. Use at least 2 (8 is usual)."
            )
        return self
