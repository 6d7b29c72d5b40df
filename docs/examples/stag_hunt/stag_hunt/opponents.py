"""The stag hunt's strategies and its pools."""

from __future__ import annotations

from opponents import Opponent, Pool
from stag_hunt.rules import Move, Observation

ROUSSEAU = "J.-J. Rousseau, Discourse on the Origin of Inequality (1755)"
AXELROD = "R. Axelrod, The Evolution of Cooperation (1984)"


def mirror(seen: Observation) -> dict[Move, float]:
    """Hunts the stag, then what the other hunted last; after a forfeit, a hare."""
    last = seen.played[-1][1] if seen.played else Move.STAG
    return {Move.STAG if last is Move.STAG else Move.HARE: 1.0}


LOYAL = Opponent("loyal", lambda seen: {Move.STAG: 1.0}, ROUSSEAU)
DESERTER = Opponent("deserter", lambda seen: {Move.HARE: 1.0}, ROUSSEAU)
MIRROR = Opponent("mirror", mirror, AXELROD)
COIN = Opponent("coin", lambda seen: {Move.STAG: 0.5, Move.HARE: 0.5}, "ours")

POOLS = {
    pool.name: pool
    for pool in (
        Pool("train", (LOYAL, COIN)),
        Pool("exploit", (DESERTER,)),
        Pool("heldout", (MIRROR,)),
    )
}
OPPONENTS = {opponent.name: opponent for pool in POOLS.values() for opponent in pool.opponents}
