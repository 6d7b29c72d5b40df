"""What the weights that learn make of replies that a sampler wrote. Knows tokens only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from sepo_trainer.learning.measure import measure
from sepo_trainer.policy.forward import hidden_states, pad_right
from sepo_trainer.records import Ids


class Written(NamedTuple):
    """A prompt and what followed it, some of it to be read."""

    prompt_ids: Ids
    rest_ids: Ids
    wanted: tuple[bool, ...]
    """At which of ``rest_ids``."""


@torch.no_grad()
def read_back(
    model: PreTrainedModel,
    sequences: Sequence[Written],
    *,
    pad_id: int,
    temperature: float,
    at_once: int = 256,
) -> list[tuple[float, ...]]:
    """The model's log-probs of every sequence's ``rest_ids``, in nats; where none are wanted, the
    numbers mean nothing. Equal sequences are read once.

    Args:
        at_once: most sequences in one forward pass.
    """
    # Like lengths together make less padding, like beginnings fewer nodes.
    distinct = sorted(set(sequences), key=lambda each: (len(each.prompt_ids), each))
    found: dict[Written, tuple[float, ...]] = {}
    for start in range(0, len(distinct), at_once):
        chunk = distinct[start : start + at_once]
        rows = [(each.prompt_ids, each.rest_ids) for each in chunk]
        wanted = [each.wanted for each in chunk]
        ids = pad_right([each.rest_ids for each in chunk], 0).to(model.device)
        seen = hidden_states(model, rows, pad_id=pad_id, wanted=wanted)
        logprobs = measure(seen, ids[..., None], temperature=temperature).logprobs[..., 0]
        for each, row in zip(chunk, logprobs.tolist(), strict=True):
            found[each] = tuple(row[: len(each.rest_ids)])
    return [found[each] for each in sequences]
