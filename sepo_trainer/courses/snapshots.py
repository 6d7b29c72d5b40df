"""The policy as it was: frozen copies that it meets as opponents. Knows no game.

A policy that only meets itself as it stands can chase its own tail, and unlearn what it knew; a few
earlier ones among its opponents hold it to both. The copies never learn, so what they say to the
same prompt stays the same.

Source: T. Bansal et al., Emergent complexity via multi-agent competition, arXiv 1710.03748, who
draw opponents from a policy's past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from sepo_trainer.policy.weights import Frozen, Policy
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers import Sampler, Writer

PREFIX = "snapshot-"


@dataclass(slots=True)
class Snapshots:
    """The last ``keep`` of the copies taken every ``every`` iterations, oldest first."""

    every: int
    keep: int
    kept: dict[str, Frozen] = field(default_factory=dict)
    """By name: ``snapshot-`` and the iteration."""

    def take(self, policy: Policy, iteration: int) -> None:
        """Copy ``policy`` before its update of ``iteration``, where a copy is due."""
        if iteration % self.every:
            return
        name = f"{PREFIX}{iteration:06d}"
        self.kept[name] = policy.freeze(name)
        for old in list(self.kept)[: -self.keep]:
            del self.kept[old]
            policy.forget(old)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Their weights, as a checkpoint holds them."""
        return {name: frozen.tensors() for name, frozen in self.kept.items()}

    def restore(
        self, tensors: Mapping[str, Mapping[str, Tensor]], *, policy: Policy, source: Path
    ) -> None:
        """Put back what `tensors` gave, as copies of ``policy``."""
        self.kept = {
            name: policy.restore_frozen(name, tensors[name], source=source)
            for name in sorted(tensors)
            if name.startswith(PREFIX)
        }


class SnapshotWriter:
    """Writes as a snapshot does.

    Args:
        sampler: the policy's; this one writes likewise.
    """

    def __init__(self, snapshot: Frozen, sampler: Sampler) -> None:
        self._snapshot = snapshot
        self._writer: Writer = sampler.with_weights_of(snapshot.model)

    @property
    def version(self) -> int:
        return self._writer.version

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        with self._snapshot.speaking():
            return self._writer.generate(requests)
