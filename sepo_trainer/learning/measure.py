"""What is asked of next-token distributions, without ever holding all of them.

A distribution is a number for each token of the vocabulary, and a real model has a quarter of a
million of these: of all places of a batch at once, with what a gradient needs, they are many times
the model. So the places are walked in chunks. Each is taken from hidden states to what was asked of
it, and worked out once more when its gradient is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sepo_trainer.learning.loss import entropy, kl_to_reference
from sepo_trainer.policy.forward import HiddenStates, logits

CHUNK_BYTES = 2**28
"""Of the logits that are held at once, in single precision; some times as much is needed to work
with them. What fits into one chunk is not worked out twice."""


class Measured(NamedTuple):
    """What was asked, place by place; small tensors ``(rows, longest rest, ...)``, in nats. Where
    no reading was wanted the numbers mean nothing."""

    logprobs: Tensor
    """Of the ``tokens``."""
    entropy: Tensor | None
    """Of each distribution, ``(rows, longest rest)``."""
    reference_logprobs: Tensor | None
    """Of the ``tokens`` under the reference, without gradient."""
    kl: Tensor | None
    """KL(policy || reference) of each distribution, ``(rows, longest rest)``."""


def measure(
    seen: HiddenStates,
    tokens: Tensor,
    *,
    temperature: float = 1.0,
    spread: bool = False,
    reference: HiddenStates | None = None,
) -> Measured:
    """Log-probs of some tokens at every place; if wanted, how the distributions there are spread,
    and how far they are from a reference's.

    Args:
        tokens: ``(rows, longest rest, asked)``, ids of the vocabulary.
        temperature: logits are divided by it first.
        spread: whether entropies are wanted.
        reference: another model's reading of the same rows.
    """
    vocabulary: int = seen.model.config.get_text_config(decoder=True).vocab_size
    size = max(1, CHUNK_BYTES // (4 * vocabulary))
    firsts = range(0, len(seen.states), size)
    places, asked = seen.where.flatten(), tokens.flatten(0, 1)
    order = places.argsort()
    cuts = torch.searchsorted(places[order], torch.tensor([*firsts][1:]).to(places))
    parts = []
    for first, here in zip(firsts, order.tensor_split(cuts.cpu()), strict=True):
        nodes = slice(first, first + size)
        inputs = (
            HiddenStates(seen.states[nodes], places[here] - first, seen.model),
            asked[here],
            temperature,
            spread,
            reference and reference._replace(states=reference.states[nodes]),
        )
        if len(firsts) > 1 and torch.is_grad_enabled():
            parts.append(
                checkpoint(_measure_chunk, *inputs, use_reentrant=False, preserve_rng_state=False)
            )
        else:
            parts.append(_measure_chunk(*inputs))
    back = order.argsort()

    def whole(pieces: Iterable[Tensor | None]) -> Tensor | None:
        given = [piece for piece in pieces if piece is not None]
        return torch.cat(given)[back].unflatten(0, seen.where.shape) if given else None

    logprobs, *others = map(whole, zip(*parts, strict=True))
    assert logprobs is not None
    return Measured(logprobs, *others)


def _measure_chunk(
    seen: HiddenStates,
    tokens: Tensor,
    temperature: float,
    spread: bool,
    reference: HiddenStates | None,
) -> Measured:
    """The same for some of the nodes, and the places ``(places,)`` that stand at them."""
    at, nodes = seen.where, seen.where[:, None]
    logprobs = torch.log_softmax(logits(seen.model, seen.states) / temperature, dim=-1)
    theirs = kl = None
    if reference is not None:
        with torch.no_grad():
            held = logits(reference.model, reference.states) / temperature
            held = torch.log_softmax(held, dim=-1)
        theirs, kl = held[nodes, tokens], kl_to_reference(logprobs, held)[at]
    return Measured(logprobs[nodes, tokens], entropy(logprobs)[at] if spread else None, theirs, kl)
