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

    SplitMix64 (Steele, Lea and Flood, 2014) as a counter-based generator, so a whole batch is one
    numpy expression and a row does not change with its neighbours.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        z = seeds[:, None] + golden * np.arange(1, count + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    draws: NDArray[np.float64] = (z >> np.uint64(11)) * 2.0**-53
    return draws
