"""The settings of adapters: whether all weights learn, or a few on top of frozen ones."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from sepo_trainer.settings.section import Positive, Section


class AdapterConfig(Section):
    """What of the model learns. An adapter has no dropout: replies are written without, and what
    is learned from has to be what was played."""

    kind: Literal["none", "lora"] = "none"
    """`none` trains all weights; `lora` low-rank adapters of attention and MLP, on frozen ones."""
    warm_rank: Positive = 32
    """Of the warm start's adapter; where `model.path` is a folder with one, it has its own."""
    warm_alpha: Positive = 64
    """Its scaling times its rank."""
    warm: Literal["stacked", "merged"] = "stacked"
    """After the warm start its adapter is frozen under the policy's, or merged into the weights."""
    rank: Positive = 16
    """Of the policy's adapter."""
    alpha: Positive = 32
    """Its scaling times its rank."""
    save_merged: bool = False
    """Write the final policy as a whole model, too; in half precision that rounds it."""

    @model_validator(mode="after")
    def _only_adapters_have_a_rank(self) -> AdapterConfig:
        if self.kind == "none":
            others = [name for name in type(self).model_fields if name != "kind"]
            self.idle(
                *others,
                as_long_as="adapter.kind is 'none' and all weights learn",
                mend="Set adapter.kind to 'lora'",
            )
        return self
