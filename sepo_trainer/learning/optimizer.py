"""What turns gradients into steps: AdamW, or Muon for the matrices inside the layers and AdamW for
the rest.

Muon moves a matrix along its averaged gradient with all singular values made alike, so that what is
rarely met moves it as far as what is met all the time. Vectors have no such values, and the tables
of tokens are left to AdamW, as both sources do.

Its steps do not shrink with the gradient: what brings it to rest is the rate.

Sources: Loshchilov and Hutter, arXiv 1711.05101. Jordan et al., Muon: an optimizer for hidden
layers in neural networks (2024), https://kellerjordan.github.io/posts/muon/; its steps are as long
as AdamW's usually are, so that rates carry over, as in Liu et al., arXiv 2502.16982, section 2.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

Betas = tuple[float, float]

MOMENTUM = 0.95
NEWTON_SCHULZ_STEPS = 5
"""As published, and as torch has them; with these the singular values end between .7 and 1.2. They
are worked out in bfloat16, whatever the weights are in."""


def adamw(weights: Iterable[Tensor], *, betas: Betas) -> Optimizer:
    """Without decay of the weights."""
    return AdamW(weights, betas=betas, weight_decay=0.0)


class MuonAndAdamW(Optimizer):
    """Muon for ``matrices`` and AdamW for ``others`` as one optimiser, with a group of each and the
    state of both, which is saved and put back like that of any other."""

    def __init__(
        self, matrices: Sequence[Tensor], others: Sequence[Tensor], *, betas: Betas
    ) -> None:
        muon = torch.optim.Muon(
            matrices,
            weight_decay=0.0,
            momentum=MOMENTUM,
            nesterov=True,
            ns_steps=NEWTON_SCHULZ_STEPS,
            adjust_lr_fn="match_rms_adamw",
        )
        self._parts: list[Optimizer] = [muon]
        if others:  # an adapter has matrices alone
            self._parts.append(adamw(others, betas=betas))
        super().__init__([group for part in self._parts for group in part.param_groups], {})

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        assert closure is None, "gradients are there already"
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state
            part.step()


def optimizer(
    kind: Literal["adamw", "muon"],
    model: PreTrainedModel,
    weights: Collection[Tensor],
    *,
    betas: Betas,
) -> Optimizer:
    """The optimiser of ``weights``, which are some or all of the ``model``'s.

    Raises:
        ValueError: Muon would have nothing to move.
    """
    if kind == "adamw":
        return adamw(weights, betas=betas)
    inside = {id(weight) for weight in _matrices(model)}
    matrices = [weight for weight in weights if id(weight) in inside]
    if not matrices:
        raise ValueError(
            f"learning.optimizer is 'muon', but no layer of {type(model).__name__} has a matrix "
            "that learns. Set it to 'adamw'."
        )
    others = [weight for weight in weights if id(weight) not in inside]
    return MuonAndAdamW(matrices, others, betas=betas)


def _matrices(model: PreTrainedModel) -> Iterable[Tensor]:
    """Those inside the layers that look nothing up; experts that lie in one tensor are none."""
    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            for part in layer.modules():
                if not isinstance(part, nn.Embedding):
                    yield from (w for w in part.parameters(recurse=False) if w.ndim == 2)
