"""Stateless seeds: every random draw has an address, and its seed is a hash of it.

No generator outlives a step, so replicates share deals and opponents by sharing addresses,
processes shard groups without talking, and a resumed run draws what the unbroken one would have
drawn.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sepo_envs import draws

Stream = Literal["deal", "opponent", "sample", "shuffle", "weights"]


def seed(
    run: int,
    stream: Stream,
    *,
    iteration: int = 0,
    group: str = "",
    replicate: int = 0,
    seat: int = 0,
    turn: int = 0,
) -> int:
    """A 63-bit seed for one draw.

    >>> seed(0, "deal", iteration=3) == seed(0, "deal", iteration=3)
    True
    >>> seed(0, "deal", iteration=3) == seed(0, "deal", iteration=4)
    False
    """
    address = f"{run}|{stream}|{iteration}|{group}|{replicate}|{seat}|{turn}"
    return int.from_bytes(blake2b(address.encode(), digest_size=8).digest(), "big") >> 1


def generator(*args: int | str, **address: int | str) -> Random:
    """A fresh ``random.Random`` at the address that `seed` takes."""
    return Random(seed(*args, **address))  # type: ignore[arg-type]


def uniforms(seeds: NDArray[np.uint64], count: int) -> NDArray[np.float64]:
    """``(seeds, count)`` numbers in [0, 1): row i depends on seed i alone, column j on j.

    A whole batch is one numpy expression and a row does not change with its neighbours.
    """
    return draws.uniforms(seeds[:, None], np.arange(count))
