"""The settings of what holds a policy while it learns from reward."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from sepo_trainer.settings.section import NotNegative, Positive, Section


class ReferenceConfig(Section):
    kind: Literal["fixed", "refresh", "off"] = "fixed"
    """What the choice of a move is pulled to, as hard as `kl_move` says: the warm start or, by
    `refresh`, the policy some iterations ago. What is said around it is held to the warm start, as
    hard as `kl_talk` says. 'off': neither."""
    every: Positive = 50
    """Iterations after which `refresh` takes the policy as it stands; until then moves are pulled
    to the warm start."""
    kl_talk: NotNegative = 10.0
    """Weight per nat of KL on what is said around the move. It holds the format together, in seldom
    met situations as in common ones."""
    kl_move: NotNegative = 0.0
    """Weight per nat of KL on the choice of a move. To the warm start, it bars the equilibrium;
    `refresh` needs it above 0."""

    @model_validator(mode="after")
    def _off_weighs_nothing(self) -> ReferenceConfig:
        if self.kind == "off" and (self.kl_talk or self.kl_move):
            raise ValueError(
                "kind is 'off', but reference.kl_talk or reference.kl_move is above 0. "
                "Set both to 0, or choose the kind 'fixed' or 'refresh'."
            )
        return self

    @model_validator(mode="after")
    def _only_what_is_renewed_has_a_rhythm(self) -> ReferenceConfig:
        if self.kind != "refresh":
            self.idle(
                "every",
                as_long_as=f"reference.kind is {self.kind!r}, which renews nothing",
                mend="Set reference.kind to 'refresh' and reference.kl_move above 0",
            )
        return self

    @model_validator(mode="after")
    def _what_is_renewed_pulls(self) -> ReferenceConfig:
        if self.kind == "refresh" and not self.kl_move:
            raise ValueError(
                "kind is 'refresh', which renews what the choice of a move is pulled to, but "
                "reference.kl_move is 0, so nothing pulls. Set it, say to 0.1, or choose the kind "
                "'fixed'."
            )
        return self
