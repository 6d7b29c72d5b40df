"""A token from a distribution by a uniform number, alike in every way of writing."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_tokens(
    logits: Tensor, which: Tensor, draws: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """A token for each row and its log-prob, in nats, under the distribution it is drawn from.

    Args:
        logits: ``(distributions, vocabulary)``, in single precision.
        which: ``(rows,)``, the distribution that each row draws from.
        draws: ``(rows,)``, uniform on [0, 1), in double precision.
        temperature: of the softmax; 0 takes the likeliest token.
    """
    if temperature == 0:
        return logits.argmax(-1)[which], torch.zeros(len(which), device=logits.device)
    logprobs = torch.log_softmax(logits / temperature, dim=-1)
    cumulative = logprobs.double().exp().cumsum(-1)
    mark = draws * cumulative[which, -1]
    chosen = torch.searchsorted(cumulative[which], mark[:, None], right=True)[:, 0]
    chosen = chosen.clamp(max=logits.shape[1] - 1)
    return chosen, logprobs[which, chosen]
