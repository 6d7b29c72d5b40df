"""The settings of learning: the loss, how long and how fast."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sepo_trainer.settings.section import NotNegative, Positive, Section, Share

Credit = Literal["turn", "episode", "counterfactual"]

WIDEST_OF_A_REPLY = 0.05
"""Most that `clip` may be in `gspo`. In a reply of 12 tokens one has to move by 80 % for that."""


class LearningConfig(Section):
    iterations: Positive = 300
    """GRPO steps; each plays every group once."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 6e-4
    """Its peak: at the first iteration, or after `rise`."""
    final_rate: Share = 0.01
    """The share of it that is left at the last iteration; linear in between."""
    rise: Annotated[int, Field(ge=0)] = 0
    """Iterations over which the rate rises first, while AdamW learns how large gradients are."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """After the warm start. `muon` makes all directions of a matrix alike, so that rare situations
    move it as far as common ones: of those inside the layers; AdamW moves the rest."""
    advantage: Literal["centered", "std", "rae"] = "centered"
    """Leave-one-out mean; divided by the group's deviation; or less a running mean of the role."""
    loss: Literal["clipped", "dr_grpo", "dapo", "gspo", "cispo"] = "clipped"
    """How advantages push log-probs. `clipped` is PPO's surrogate, whose gradient is that of J; the
    others are it over a length or with other ratios, as others published them."""
    clip: Annotated[float, Field(gt=0)] = 0.2
    """How far a token's probability ratio may move in one iteration; in `gspo` a reply's, for which
    3e-4 was published; `cispo` has no lower bound, and takes none. The gains of moves that were not
    made (`credit`) have no ratio, and no clip."""
    clip_high: Annotated[float, Field(gt=0)] | None = None
    """How far it may move up; as far as down, unless set. Published: `dapo` 0.28, `gspo` 4e-4,
    `cispo` 4, which needs one."""
    epochs: Positive = 1
    """Passes over a batch of episodes, each of `minibatches` updates."""
    minibatches: Positive = 1
    """Parts of a batch, each learned from in an update of its own: more steps for the same play.
    Each has as many episodes with every opponent in every seat, so it divides `group_size`, or
    that times `deals` where these are a number."""
    credit: Credit = "turn"
    """A reply is credited with the rounds from its own onwards, or with the whole episode; or every
    legal move with what it would have earned in its round, and the one made with those after."""
    discount: Share = 1.0
    """Of each later round, but where whole episodes are credited; below 1 there is less noise, and
    some bias where others mind what was done earlier."""
    entropy: NotNegative = 0.0
    """Bonus per nat of entropy on the move's tokens, falling in a line to 0 at the end."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    microbatch: Positive = 256
    """Most distinct sequences in one forward pass; it changes memory and speed, not the result."""

    @model_validator(mode="after")
    def _clips_are_of_the_loss(self) -> LearningConfig:
        if self.loss == "gspo":
            wide = {"clip": self.clip, "clip_high": self.clip_high or 0.0}
            for name, value in wide.items():
                if value > WIDEST_OF_A_REPLY:
                    raise ValueError(
                        f"{name} is {value:g}, as for a token, but gspo bounds the mean over a "
                        "reply, which hardly ever moves so far: nothing would be clipped. Set "
                        "learning.clip to 3e-4 and learning.clip_high to 4e-4, as published, or "
                        f"to anything up to {WIDEST_OF_A_REPLY:g}."
                    )
        if self.loss == "cispo" and self.clip_high is None:
            raise ValueError(
                "loss is 'cispo', which bounds a token's weight from above alone, but "
                "learning.clip_high is not set. Set it to 4, for a bound of 5 as published."
            )
        if self.loss == "cispo" and any(self.changed("clip")):
            raise ValueError(
                f"clip is {self.clip:g}, but cispo has no lower bound and would never read it. "
                "Leave learning.clip out; the upper bound is learning.clip_high."
            )
        return self
