"""Adapters that say much, in tiny models of the families that people have."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from sepo_trainer.policy import adapter
from tests.sepo_trainer.real_models import FAMILIES

IDS = torch.arange(5, 17)[None]


def built(family: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The same random weights every time."""
    return FAMILIES[family][0]().to(dtype)


def teach(model: torch.nn.Module, name: str, *, seed: int = 0) -> None:
    """Give the adapter a B, as if it had learned something."""
    draw = torch.Generator().manual_seed(seed)
    for key, weight in adapter.tensors(model, name).items():
        if key.endswith("B"):
            with torch.no_grad():
                weight.normal_(std=0.1, generator=draw)


def stacked(family: str = "qwen3") -> PreTrainedModel:
    """A model that speaks with two adapters of different rank and scaling, in double precision: so
    random a model makes much of the last digit."""
    model = built(family)
    adapter.attach(model, "warm", rank=4, alpha=8, weights_seed=1)
    adapter.attach(model, "policy", rank=2, alpha=8, weights_seed=2)
    adapter.speak(model, "warm", "policy")
    for seed, name in enumerate(("warm", "policy")):
        teach(model, name, seed=seed)
    return model.double()


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS, use_cache=False).logits
