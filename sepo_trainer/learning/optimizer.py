"""Who turns gradients into steps: AdamW, or Muon for the matrices inside the layers and AdamW for
what else there is.

Muon moves a matrix by its averaged gradient with all singular values made alike, so what is rarely
met moves it as far as what is met all the time. Vectors have no such values, and of the tables of
tokens each step needs a few rows alone, so AdamW keeps those.

Sources: Loshchilov and Hutter, arXiv 1711.05101. Jordan et al., Muon: an optimizer for hidden
layers in neural networks (2024); its steps are made as long as AdamW's usually are, so that rates
carry over, as in Liu et al., arXiv 2502.16982, section 2.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer
from transformers import PreTrainedModel

Betas = tuple[float, float]


def adamw(weights: Iterable[Tensor], *, betas: Betas) -> Optimizer:
    """Without decay of the weights."""
    return AdamW(weights, betas=betas, weight_decay=0.0)


class MuonAndAdamW(Optimizer):
    """Muon for ``matrices`` and AdamW for ``others`` as one optimiser, with a group of each and the
    state of both, which is saved and put back like that of any other."""

    def __init__(
        self, matrices: Sequence[Tensor], others: Sequence[Tensor], *, betas: Betas
    ) -> None:
        self._parts: list[Optimizer] = []
        if matrices:
            muon = torch.optim.Muon(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
            self._parts.append(muon)
        if others:
            self._parts.append(adamw(others, betas=betas))
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for part in self._parts:
            part.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Let each part have its group and the state, which is kept by parameter, of all."""
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state


def optimizer(
    kind: Literal["adamw", "muon"],
    model: PreTrainedModel,
    weights: Collection[Tensor],
    *,
    betas: Betas,
) -> Optimizer:
    """The optimiser of ``weights``, which are some or all of the ``model``'s."""
    if kind == "adamw":
        return adamw(weights, betas=betas)
    tables = (model.get_input_embeddings(), model.get_output_embeddings())
    looked_up = {id(table.weight) for table in tables if table is not None}
    inside = [weight.ndim == 2 and id(weight) not in looked_up for weight in weights]
    matrices = [weight for weight, found in zip(weights, inside, strict=True) if found]
    others = [weight for weight, found in zip(weights, inside, strict=True) if not found]
    return MuonAndAdamW(matrices, others, betas=betas)
