"""Losses: tensors in, a scalar out. No model, optimiser, device or logger inside."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    clip: float = 0.2,
) -> Tensor:
    """The negated clipped surrogate (PPO-clip), summed over tokens and weighted by row.

    Before the first update of a batch its gradient is the policy gradient itself: minus the sum
    over rows of weight x sum over tokens of advantage x score. Nothing is divided by a length or
    by the batch, so with weights that are shares of J it estimates dJ/dtheta, and microbatches add
    up.

    Args:
        logprobs: ``(rows, tokens)``, nats, under the weights being trained.
        old_logprobs: same shape, under the weights that wrote the rows.
        advantages: same shape, in scaled points.
        mask: same shape, bool; True only on tokens that the policy wrote.
        weights: ``(rows,)``, each row's share of the objective.
        clip: how far a token's probability ratio may move before it gets no more push.

    Source: Schulman et al. 2017; token-wise without length normalisation as Dr. GRPO, 2503.20783.
    """
    # Where nothing was written the difference may be anything, and exp of it inf: zero it first.
    ratio = torch.exp(torch.where(mask, logprobs - old_logprobs, 0.0))
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -weighted_sum(gain, mask, weights)


def kl_to_reference(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Generalised KL(policy || reference) over the tokens of the last dimension, in nats.

    Over the whole vocabulary it is the KL divergence. Over some of the tokens it is their share of
    it, which is at least 0 and 0 only where the two agree on each of them; shares add up.

    Args:
        logprobs: ``(..., tokens)``, nats, of the policy.
        reference: same shape, of the reference; no gradient is wanted through it.
    """
    policy = logprobs.exp()
    return (policy * (logprobs - reference) - policy + reference.exp()).sum(-1)


def entropy(logprobs: Tensor) -> Tensor:
    """Entropy of next-token distributions ``(..., vocabulary)``, in nats."""
    return -(logprobs.exp() * logprobs).sum(-1)


def weighted_sum(values: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """``values`` ``(rows, tokens)`` summed where ``mask`` is True, each row times its weight."""
    return (torch.where(mask, values, 0.0).sum(1) * weights).sum()
