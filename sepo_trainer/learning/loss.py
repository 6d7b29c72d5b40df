"""Losses: tensors in, a scalar out. No model, optimiser, device or logger inside.

A policy loss is a sum over rows, each times its weight, its share of J. What it is divided by is a
constant, an average over the whole batch that is handed in, or the row's own length, and never
anything that a reward could change. So the losses of microbatches add up; what weighs one pool,
opponent or deal against another weighs their gradients alike under every kind; and so does lambda,
since each kind is linear in the advantages. A factor per token that has no gradient, such as a
truncated importance weight, may therefore be multiplied to the advantages.

Where every row of N weighs 1 / N, each kind but `clipped` is the loss of TRL's ``GRPOTrainer`` of
that name on one batch, without its ``delta`` (a further bound where an advantage is negative) and
its KL; GSPO is ``loss_type="grpo"`` with ``importance_sampling_level="sequence"`` there. TRL's
``epsilon_high`` is our ``clip_high``; for CISPO, 1 + ``clip_high``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

LossKind = Literal["clipped", "dr_grpo", "dapo", "gspo", "cispo"]


def policy_loss(
    kind: LossKind,
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    clip: float,
    clip_high: float,
    longest: int,
    mean_length: float,
) -> Tensor:
    """The loss of that ``kind``; the tensors are those of `clipped_policy_loss`.

    Args:
        longest: see `dr_grpo_loss`.
        mean_length: that of the whole batch, see `dapo_loss`.
    """
    rows = logprobs, old_logprobs, advantages, mask, weights
    match kind:
        case "clipped":
            return clipped_policy_loss(*rows, clip=clip, clip_high=clip_high)
        case "dr_grpo":
            return dr_grpo_loss(*rows, clip=clip, clip_high=clip_high, longest=longest)
        case "dapo":
            return dapo_loss(*rows, clip=clip, clip_high=clip_high, mean_length=mean_length)
        case "gspo":
            return gspo_loss(*rows, clip=clip, clip_high=clip_high)
        case "cispo":
            return cispo_loss(*rows, clip_high=clip_high, mean_length=mean_length)


def clipped_policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    clip: float = 0.2,
    clip_high: float | None = None,
) -> Tensor:
    """The negated clipped surrogate (PPO-clip), summed over tokens and weighted by row.

    ``-sum_i w_i sum_t min(r_it A_it, clip(r_it, 1 - clip, 1 + clip_high) A_it)``

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
        clip: how far a token's probability ratio may fall before it gets no more push.
        clip_high: how far it may rise; as far, unless given.

    Source: Schulman et al. 2017; token-wise without length normalisation as Dr. GRPO, 2503.20783.
    """
    ratio = token_ratios(logprobs, old_logprobs, mask)
    gain = _clipped_gain(ratio, advantages, clip, clip if clip_high is None else clip_high)
    return -weighted_sum(gain, mask, weights)


def dr_grpo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    longest: int,
    clip: float = 0.2,
    clip_high: float | None = None,
) -> Tensor:
    """`clipped_policy_loss` over a constant: ``longest``, the most tokens that a reply may have.

    Its gradient is that of J over ``longest``. Beside `clipped_policy_loss` that shifts the balance
    with the KL and the entropy, which are not divided; under Adam nothing else.

    TRL divides the sum over a batch by ``batch x max_completion_length``.

    Source: Liu et al. 2025, 2503.20783, with the constant of its code; PPO's clip.
    """
    rows = logprobs, old_logprobs, advantages, mask, weights
    return clipped_policy_loss(*rows, clip=clip, clip_high=clip_high) / longest


def dapo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    mean_length: float,
    clip: float = 0.2,
    clip_high: float | None = None,
) -> Tensor:
    """`clipped_policy_loss` as a mean over the tokens of the batch, times the sum of its weights.

    ``-sum_i w_i sum_t min(...) / (sum_i w_i |o_i| / sum_i w_i)``, with the sums below the line, in
    ``mean_length``, over the whole batch: a token counts alike in short and long replies. A row
    of weight 0 changes nothing, nor does a row that is there twice at half its weight. The gradient
    is that of J over a mean length, with a bias of the order of 1 / rows, as that mean is of the
    same rows.

    TRL divides the sum by ``num_items_in_batch``, the written tokens of the generation batch.

    Args:
        mean_length: what `mean_length` has of the whole batch, not of this microbatch.

    Source: Yu et al. 2025, 2503.14476, equation 8; it has ``clip_high`` at 0.28 and ``clip`` at
    0.2. Its dynamic sampling and its penalty for long replies are no part of this.
    """
    rows = logprobs, old_logprobs, advantages, mask, weights
    return clipped_policy_loss(*rows, clip=clip, clip_high=clip_high) / mean_length


def gspo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    clip: float = 3e-4,
    clip_high: float | None = 4e-4,
) -> Tensor:
    """The clipped surrogate with one ratio per row, as a mean over the row's tokens.

    ``-sum_i w_i / |o_i| sum_t min(s_it A_it, clip(s_it, 1 - clip, 1 + clip_high) A_it)``

    ``s_it`` has the value of ``s_i = exp(mean_t log r_it)``, and as its slope ``s_i`` times that of
    the token's own log-prob. This is GSPO-token: where a row has one advantage it is GSPO in value
    and gradient, and where its turns have several, each goes to its own tokens.

    Every row is divided by its own length, so long replies are pushed less per token: this is no
    gradient of J where lengths differ. A mean of log-ratios moves little, so it wants a clip some
    hundred times narrower than a token's.

    TRL takes the mean over rows of the mean over their tokens.

    Source: Zheng et al. 2025, 2507.18071, section 4.3; the clips are those of its section 5.1.
    """
    ratio = sequence_ratios(logprobs, old_logprobs, mask)
    gain = _clipped_gain(ratio, advantages, clip, clip if clip_high is None else clip_high)
    return -weighted_sum(gain / mask.sum(1, keepdim=True).clamp(min=1), mask, weights)


def cispo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    mean_length: float,
    clip_high: float = 4.0,
) -> Tensor:
    """REINFORCE with truncated importance weights: no token is ever without push.

    ``-sum_i w_i sum_t sg(min(r_it, 1 + clip_high)) A_it log p_it / mean_length``

    ``sg`` stops the gradient; ``mean_length`` is that of `dapo_loss`. Its value means little.

    TRL divides by ``num_items_in_batch`` as for DAPO, and bounds the ratio at ``epsilon_high``.

    Source: MiniMax-M1, 2506.13585, equation 4, without a lower bound as there; the bound of 5 is
    that of Khatri et al. 2025, 2510.13786.
    """
    ratio = token_ratios(logprobs, old_logprobs, mask).detach().clamp(max=1 + clip_high)
    gain = ratio * advantages * torch.where(mask, logprobs, 0.0)
    return -weighted_sum(gain, mask, weights) / mean_length


def expected_gain(logprobs: Tensor, gains: Tensor) -> Tensor:
    """``sum_a p_a (r_a - mean)`` of choices that would earn ``r``, with the mean held fixed: its
    value is 0, and its gradient that of what they earn on average.

    The probabilities are those of the choices among each other, so that nothing is learned here of
    what else might be said in their place.

    Args:
        logprobs: ``(..., choices)``, nats.
        gains: same shape, times their weights; NaN for what is no choice.

    >>> logprobs = torch.tensor([0.5, 0.25, 0.25]).log().requires_grad_()
    >>> expected_gain(logprobs, torch.tensor([1.0, 0.0, 2.0])).backward()
    >>> logprobs.grad.tolist()  # p (r - mean): the mean is 1
    [0.0, -0.25, 0.25]
    """
    chances = torch.where(gains.isnan(), 0.0, logprobs.exp())
    now, gains = chances.detach(), gains.nan_to_num(0.0)
    whole = now.sum(-1, keepdim=True).clamp(min=torch.finfo(now.dtype).tiny)
    mean = (now * gains).sum(-1, keepdim=True) / whole
    return (chances / whole * (gains - mean)).sum()


def token_ratios(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor) -> Tensor:
    """Each token's probability now over that when it was written; 1 where ``mask`` is False."""
    # Where nothing was written the difference may be anything, and exp of it inf: zero it first.
    return torch.exp(torch.where(mask, logprobs - old_logprobs, 0.0))


def sequence_ratios(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor) -> Tensor:
    """The geometric mean of a row's token ratios at each of its tokens, ``(rows, tokens)``.

    Its gradient at a token is that of the token's own log-prob, times its value (GSPO-token).
    """
    moved = torch.where(mask, logprobs - old_logprobs, 0.0)
    mean = moved.detach().sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
    return torch.exp(mean + moved - moved.detach())


def clipped_tokens(
    kind: LossKind,
    logprobs: Tensor,
    old_logprobs: Tensor,
    mask: Tensor,
    *,
    clip: float,
    clip_high: float,
) -> Tensor:
    """``(rows, tokens)``, bool: where a written token's ratio, as ``kind`` has it, is out of range.

    That is where the loss clips if the advantage pulls further out; in CISPO, whatever it is.
    """
    of = sequence_ratios if kind == "gspo" else token_ratios
    ratio = of(logprobs, old_logprobs, mask).detach()
    above = ratio > 1 + clip_high
    return mask & (above if kind == "cispo" else above | (ratio < 1 - clip))


def mean_length(lengths: Sequence[int], weights: Sequence[float]) -> float:
    """Of the rows of a batch in written tokens, each row as often as it weighs; of no rows, 1.

    >>> mean_length([10, 40], [1.0, 0.5])
    20.0
    """
    weighed = sum(weight * length for weight, length in zip(weights, lengths, strict=True))
    return weighed / sum(weights) if lengths else 1.0


def _clipped_gain(ratio: Tensor, advantages: Tensor, down: float, up: float) -> Tensor:
    """The smaller of what a move of the ratio gains, and gains within its range."""
    return torch.minimum(ratio * advantages, ratio.clamp(1 - down, 1 + up) * advantages)


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
