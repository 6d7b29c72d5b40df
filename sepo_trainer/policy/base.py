"""Which weights adapters lie on.

An adapter on another model of the same shape loads without a sound and says something else. So the
weights under it have a digest, which is kept with whatever was learned on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sepo_trainer.policy.adapter import BASE_DIGEST, SETTINGS


def weights_digest(folder: Path) -> str:
    """SHA-256 over the names, types, shapes and bytes of all weights in the safetensors of
    ``folder``, however they are cut into files; it reads all of them.

    Raises:
        ValueError: a file is damaged.
    """
    files = [_opened(path) for path in sorted(folder.glob("*.safetensors"))]
    places = {name: file for file in files for name in file.keys()}  # noqa: SIM118, no mapping
    return digest_of((name, places[name].get_tensor(name)) for name in sorted(places))


def digest_of(weights: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 over names, types, shapes and bytes, in this order.

    >>> digest_of([("a", torch.zeros(2))]) == digest_of([("a", torch.zeros(1, 2))])
    False
    """
    found = sha256()
    for name, weight in weights:
        found.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        plain = weight.detach().cpu().reshape(-1).view(torch.uint8)
        found.update(plain.numpy().data)
    return found.hexdigest()


def check_base(adapter: Path, base: Path, digest: str) -> None:
    """Refuse the adapter in a PEFT folder where it was trained on other weights.

    Args:
        base: where the weights lie that it would be put on.
        digest: of these. An adapter that was not saved here knows none, and is taken.

    Raises:
        ValueError: it was trained on others.
    """
    kept = adapter / BASE_DIGEST
    known = kept.read_text().strip() if kept.is_file() else digest
    if known != digest:
        raise ValueError(
            f"the adapter in {adapter} was trained on other weights than lie in {base} now "
            f"(SHA-256 {known[:12]}, now {digest[:12]}), so it would not say what it learned to. "
            f"Put that model back, or put its path into base_model_name_or_path in {SETTINGS}."
        )


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise ValueError(f"the weights in {path} cannot be loaded: {error}") from error
