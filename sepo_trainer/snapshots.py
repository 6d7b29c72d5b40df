"""The policy as it was: frozen copies that it meets as opponents. Knows no game.

A policy that only meets itself as it stands can chase its own tail, and unlearn what it knew; a few
earlier ones among its opponents hold it to both. The copies never learn, so what they say to the
same prompt stays the same.

Source: T. Bansal et al., Emergent complexity via multi-agent competition, arXiv 1710.03748, who
draw opponents from a policy's past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel

from sepo_trainer.checkpoint import restore_weights
from sepo_trainer.learner import frozen_copy

PREFIX = "snapshot-"


@dataclass(slots=True)
class Snapshots:
    """The last ``keep`` of the copies taken every ``every`` iterations, oldest first."""

    every: int
    keep: int
    models: dict[str, PreTrainedModel] = field(default_factory=dict)
    """By name: ``snapshot-`` and the iteration."""

    def take(self, model: PreTrainedModel, iteration: int) -> None:
        """Copy ``model`` before its update of ``iteration``, where a copy is due."""
        if iteration % self.every:
            return
        self.models[f"{PREFIX}{iteration:06d}"] = frozen_copy(model)
        for old in list(self.models)[: -self.keep]:
            del self.models[old]

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Their weights, as a checkpoint holds them."""
        return {name: dict(model.named_parameters()) for name, model in self.models.items()}

    def restore(
        self,
        tensors: Mapping[str, Mapping[str, Tensor]],
        *,
        like: PreTrainedModel,
        source: Path,
    ) -> None:
        """Put back what `tensors` gave, into copies of ``like``."""
        self.models = {}
        for name in sorted(name for name in tensors if name.startswith(PREFIX)):
            self.models[name] = frozen_copy(like)
            restore_weights(self.models[name], tensors[name], source=source)
