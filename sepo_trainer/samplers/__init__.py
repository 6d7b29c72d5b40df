"""Where replies come from: one protocol, one file per engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sepo_trainer.records import Reply, Request

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Writer(Protocol):
    """Writes replies. Knows tokens only."""

    @property
    def version(self) -> int:
        """Of the weights it writes with."""

    def generate(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order; equal requests give equal replies."""


class Sampler(Writer, Protocol):
    """Writes replies with the newest published weights of the policy."""

    def publish(self, version: int) -> None:
        """Take over the learner's weights as ``version``, which names these and no others."""

    def rest(self) -> None:
        """Nothing is asked for a while, and the memory that it took is wanted for learning."""

    def with_weights_of(self, model: PreTrainedModel) -> Sampler:
        """One that writes likewise, with another model of the same tokens."""


@dataclass(frozen=True, slots=True)
class TextOpponent:
    """An opponent that reads prompts and writes replies, as the policy does, under its rules of
    fouls. A pool may hold it beside strategies that are scripted."""

    name: str
    sampler: Writer
    """Who writes for it."""
