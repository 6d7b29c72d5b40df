"""Settings of what a run keeps, shows and gives away. None of them changes what it learns, so a run
may be resumed with others."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from sepo_trainer.settings.section import Positive, Section

Tracker = Literal["tensorboard", "wandb", "trackio"]


class KeepConfig(Section):
    """Which checkpoints stay."""

    last: Positive = 2
    """The newest so many."""
    best: Literal["objective", "exploitability", "none"] = "objective"
    """And the one that an iteration measured best: by J, of a joint run the weighted sum; or by
    exploitability, where the policy is read out. A J by play is an estimate from one iteration, so
    the best of many is partly lucky: evaluate it anew before you quote it."""


class TrackingConfig(Section):
    """Who hears what `metrics.jsonl` and `timings.jsonl` hold, besides these two."""

    to: tuple[Tracker, ...] = ()
    """Any of `tensorboard`, `wandb` and `trackio`; on the command line with commas between."""
    project: str = "sepo"
    """Under which W&B and trackio file the run."""
    wandb: Literal["offline", "online"] = "offline"
    """`offline` sends nothing: `wandb sync` uploads the run later."""

    @field_validator("to", mode="before")
    @classmethod
    def _commas_divide(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value


class HubConfig(Section):
    """The finished model on the Hugging Face Hub."""

    push_to_hub: bool = False
    """Upload the model and its card when the run has ended; else nothing leaves the machine."""
    repo: str | None = None
    """Where to, as `owner/name`; made if it is not there."""
    private: bool = True
    """Whether a repository that is made is hidden from others."""
    base: str | None = None
    """What the Hub calls the model in `model.path`, or the one under the adapter there, as
    `owner/name`: an adapter is of no use to others without. It is written into the card."""

    @model_validator(mode="after")
    def _an_upload_has_a_place(self) -> HubConfig:
        if self.push_to_hub and (self.repo or "").count("/") != 1:
            raise ValueError(
                f"repo is {self.repo!r}, but hub.push_to_hub needs a place to upload to. "
                "Set hub.repo to 'owner/name', or leave push_to_hub out."
            )
        if self.base is not None and self.base.count("/") != 1:
            raise ValueError(
                f"base is {self.base!r}, but the Hub calls models 'owner/name', such as "
                "'Qwen/Qwen3.5-4B'. Set hub.base to that, or leave it out."
            )
        return self
