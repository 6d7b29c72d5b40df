"""Where replies come from: one protocol, one file per engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sepo_trainer.records import Reply, Request


class Sampler(Protocol):
    """Writes replies with the newest published weights. Knows tokens only."""

    version: int
    """Of the weights it writes with."""

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order; equal requests give equal replies."""

    def publish(self, version: int) -> None:
        """Take over the learner's weights as ``version``."""


@dataclass(frozen=True, slots=True)
class TextOpponent:
    """An opponent that reads prompts and writes replies, as the policy does, under its rules of
    fouls. A pool may hold it beside strategies that are scripted."""

    name: str
    sampler: Sampler
    """Who writes for it."""
