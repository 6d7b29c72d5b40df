"""Kuhn poker's strategies and its pools.

A strategy is the probability of BET in each of the twelve situations: the card, then the line so
far (``p`` a pass, ``b`` a bet). ``J`` opens with a Jack, ``Qpb`` faces a bet after checking a
Queen, ``Kp`` answers a check with a King.

There is no collusive pool: a zero-sum game has nothing to share.
"""

from __future__ import annotations

from functools import cache

from opponents.adaptive import BEST_RESPONSE, quantal_equilibrium
from opponents.opponent import Opponent, Pool, from_table
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, Move

SITUATIONS = tuple(card + line for line in ("", "p", "b", "pb") for card in "JQK")

KUHN = "H. W. Kuhn, A simplified two-person poker (1950)"
SEPO = "Safe Equilibrium Policy Optimization, arXiv 2605.30854"
PROJECT = "this project, docs/opponents.md"


def bets(**probability: float) -> ActionTable:
    """The policy that bets or calls with these probabilities, and elsewhere passes.

    >>> bets(K=1)["K"]
    {<Move.PASS: 'pass'>: 0, <Move.BET: 'bet'>: 1}
    """
    return ActionTable(
        {
            key: {Move.PASS: 1 - probability.get(key, 0), Move.BET: probability.get(key, 0)}
            for key in SITUATIONS
        }
    )


def nash_table(alpha: float) -> ActionTable:
    """Kuhn's equilibrium family: the first player bluffs a Jack with probability ``alpha``.

    Raises:
        ValueError: alpha is outside [0, 1/3], where the strategy is no equilibrium.
    """
    if not 0 <= alpha <= 1 / 3:
        raise ValueError(
            f"alpha is {alpha}, but Kuhn's equilibria have alpha between 0 and 1/3 "
            "(the King is bet three times as often, and a probability ends at 1)."
        )
    # fmt: off
    return bets(
        J=alpha, Q=0,             K=3 * alpha,
                 Qpb=alpha + 1/3, Kpb=1,
        Jp=1/3,  Qp=0,            Kp=1,
                 Qb=1/3,          Kb=1,
    )
    # fmt: on


NASH = from_table("nash", nash_table(1 / 3), KUHN)
NASH_CHECKING = from_table("nash-checking", nash_table(0), KUHN)
TIGHT_PASSIVE = from_table("tight-passive", bets(K=1, Kpb=1, Kp=1, Kb=1), SEPO)
LOOSE_AGGRESSIVE = from_table(
    "loose-aggressive", bets(J=0.5, Q=1, K=1, Qpb=1, Kpb=1, Jp=0.5, Qp=1, Kp=1, Qb=1, Kb=1), SEPO
)
ALWAYS_BET = from_table("always-bet", bets(**dict.fromkeys(SITUATIONS, 1)), SEPO)
UNIFORM = from_table("uniform", bets(**dict.fromkeys(SITUATIONS, 0.5)), PROJECT)
JACK_BLUFFER = from_table(
    "jack-bluffer", bets(J=1, K=1, Jp=1, Kp=1, Qpb=1 / 3, Kpb=1, Qb=1 / 3, Kb=1), PROJECT
)
NASH_APPROX = from_table(
    "nash-approx", bets(J=1 / 3, K=1, Qpb=1 / 3, Kpb=1, Jp=1 / 3, Kp=1, Qb=1 / 3, Kb=1), SEPO
)
"""Published as an equilibrium, but it calls a bet with the Queen 1/3 of the time in both seats."""


@cache
def quantal_table() -> ActionTable:
    """The logit equilibrium at a temperature of half a point."""
    return quantal_equilibrium(GameTree(KuhnPoker()), temperature=0.5)


QUANTAL = Opponent(
    "quantal-0.5",
    lambda observation: quantal_table()[observation.situation],
    "McKelvey and Palfrey, Quantal response equilibria (1995)",
)

POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (NASH, TIGHT_PASSIVE, LOOSE_AGGRESSIVE)),
        Pool("exploit", (ALWAYS_BET, BEST_RESPONSE)),
        Pool("heldout", (UNIFORM, NASH_CHECKING, JACK_BLUFFER, QUANTAL)),
    )
}
PAPER_POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (NASH_APPROX, TIGHT_PASSIVE, LOOSE_AGGRESSIVE)),
        Pool("exploit", (NASH_APPROX, ALWAYS_BET)),
    )
}
"""As published. They overlap, and nobody in them answers the policy: nash-approx stands in both."""
OPPONENTS: dict[str, Opponent] = {
    opponent.name: opponent
    for opponent in (
        *(o for pool in POOLS.values() for o in pool.opponents if isinstance(o, Opponent)),
        NASH_APPROX,
    )
}
"""By name, for ``opponent=`` in the single-agent environments (entry point ``sepo.opponents``)."""

TIGHT_VALUE = from_table("tight-value", bets(K=1, Qp=1, Kp=1, Kb=1, Kpb=1), SEPO)
POT_CONTROL = from_table("pot-control", bets(K=0.5, Kp=0.5, Kb=1, Kpb=1), SEPO)
PASSIVE_QUEEN = from_table("passive-queen", bets(J=1 / 3, K=1, Kpb=1, Jp=1 / 3, Kp=1, Kb=1), SEPO)
DEMONSTRATORS: tuple[tuple[Opponent, float], ...] = (
    (NASH_APPROX, 0.45),
    (TIGHT_VALUE, 0.25),
    (POT_CONTROL, 0.20),
    (UNIFORM, 0.08),
    (PASSIVE_QUEEN, 0.02),
)
"""Who writes the traces of the warm start, and how often.

Names and weights are the published mixture's; it does not print the strategies, so the numbers are
ours: value bets with the King and a checked-to Queen, a slow hand that checks half its Kings, and
neither ever bluffs."""
