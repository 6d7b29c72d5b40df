"""The strategies of the iterated prisoner's dilemma and their pools.

A strategy is the probability of COOPERATE, given both players' moves so far as everyone saw them.
Even those that other libraries write as state machines are functions of that history, so nothing
has to be carried along and every probability can be asked for. A test plays them against the
strategies of the Axelrod library, which this module does not need.

Source of the definitions, unless they say otherwise: V. Knight et al., "An open framework for the
reproducible study of the iterated prisoner's dilemma", Journal of Open Research Software 4 (2016).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from opponents.opponent import Opponent, Pool
from sepo_envs.games.prisoners_dilemma.rules import Move, Observation

C, D = Move.COOPERATE, Move.DEFECT

Moves: TypeAlias = tuple[Move, ...]
"""One player's moves, oldest first."""
Strategy: TypeAlias = Callable[[Moves, Moves], float]
"""``strategy(mine, theirs) -> probability of cooperating``."""

AXELROD = "R. Axelrod, The Evolution of Cooperation (1984)"
NOWAK = "M. Nowak and K. Sigmund, Tit for tat in heterogeneous populations, Nature 355 (1992)"
SEPO = "Safe Equilibrium Policy Optimization, arXiv 2605.30854"
PROJECT = "this project, docs/opponents.md"


def plays(name: str, strategy: Strategy, citation: str) -> Opponent:
    """The opponent that plays ``strategy``."""

    def policy(seen: Observation) -> dict[Move, float]:
        probability = strategy(seen.mine, seen.theirs)
        return {C: probability, D: 1 - probability}

    policy.__doc__ = strategy.__doc__
    return Opponent(name, policy, citation)


def constant(probability: float, about: str) -> Strategy:
    """Cooperates with one probability whatever happens.

    >>> constant(0.9, "mostly cooperates")((), ())
    0.9
    """

    def strategy(mine: Moves, theirs: Moves) -> float:
        return probability

    strategy.__doc__ = about
    return strategy


def memory_one(first: float, cc: float, cd: float, dc: float, dd: float, about: str) -> Strategy:
    """Cooperates with a probability that hangs on the last round only, own move first.

    Args:
        first: in the first round.
        cc, cd, dc, dd: after each outcome of the last round.
        about: what it does, in words.
    """
    after = {(C, C): cc, (C, D): cd, (D, C): dc, (D, D): dd}

    def strategy(mine: Moves, theirs: Moves) -> float:
        return after[mine[-1], theirs[-1]] if theirs else first

    strategy.__doc__ = about
    return strategy


def grim(mine: Moves, theirs: Moves) -> float:
    """cooperates until the other has defected once, then never again"""
    return float(D not in theirs)


def prober(mine: Moves, theirs: Moves) -> float:
    """D, C, C; then defects for ever if that was forgiven twice, else tit-for-tat"""
    if len(theirs) < 3:
        return float(len(theirs) > 0)
    return 0.0 if theirs[1:3] == (C, C) else float(theirs[-1] is C)


def gradual(mine: Moves, theirs: Moves) -> float:
    """answers the n-th defection it notices by n defections and two Cs, in which it looks away"""
    offences, until, looks_again = 0, 0, 0
    now = len(theirs)
    for round_, move in enumerate(theirs, 1):
        if round_ >= looks_again and move is D:
            offences += 1
            until = round_ + offences
            looks_again = until + 2
    return float(now >= until)


TIT_FOR_TAT = plays(
    "tit-for-tat",
    memory_one(1, 1, 0, 1, 0, "cooperates, then repeats the other's last move"),
    f"A. Rapoport's, in {AXELROD}",
)
GENEROUS = plays(
    "generous-tit-for-tat",
    memory_one(1, 1, 1 / 4, 1, 1 / 4, "tit-for-tat that forgives a defection with 1/4"),
    NOWAK,
)
RANDOM = plays("random", constant(1 / 2, "cooperates with 1/2 whatever happens"), AXELROD)
LENIENT = plays("lenient", constant(0.9, "cooperates with .9 whatever happens"), PROJECT)
ALWAYS_DEFECT = plays("always-defect", constant(0, "defects whatever happens"), AXELROD)
ALTERNATOR = plays(
    "alternator", memory_one(0, 0, 0, 1, 1, "defects, then changes its move each round"), SEPO
)
ALWAYS_COOPERATE = plays("always-cooperate", constant(1, "cooperates whatever happens"), AXELROD)
GRIM = plays(
    "grim",
    grim,
    "J. Friedman, A non-cooperative equilibrium for supergames, Review of Economic Studies 38 "
    "(1971)",
)
WIN_STAY = plays(
    "win-stay-lose-shift",
    memory_one(1, 1, 0, 0, 1, "cooperates, then keeps its move if that earned R or T"),
    "M. Nowak and K. Sigmund, A strategy of win-stay, lose-shift, Nature 364 (1993)",
)
SUSPICIOUS = plays(
    "suspicious-tit-for-tat",
    memory_one(0, 1, 0, 1, 0, "defects, then repeats the other's last move"),
    "R. Boyd and J. Lorberbaum, No pure strategy is evolutionarily stable, Nature 327 (1987)",
)
EXTORT_2 = plays(
    "zd-extort-2",
    memory_one(1, 8 / 9, 1 / 2, 1 / 3, 0, "C, then C with 8/9 after CC, 1/2 CD, 1/3 DC, 0 DD"),
    "A. Stewart and J. Plotkin, Extortion and cooperation in the prisoner's dilemma, PNAS 109 "
    "(2012)",
)
"""Against the default payoffs it gains twice as much over P as the other does."""
PROBER = plays(
    "prober",
    prober,
    "J. Li, P. Hingston and G. Kendall, Engineering design of strategies, IEEE TCIAIG 3 (2011)",
)
GRADUAL = plays(
    "gradual",
    gradual,
    "B. Beaufils, J.-P. Delahaye and P. Mathieu, Our meeting with gradual, Artificial Life V "
    "(1997)",
)

POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (TIT_FOR_TAT, GENEROUS, RANDOM, LENIENT)),
        Pool("exploit", (ALWAYS_DEFECT, ALTERNATOR)),
        Pool("collusive", (ALWAYS_COOPERATE,)),
        Pool("heldout", (GRIM, WIN_STAY, SUSPICIOUS, EXTORT_2, PROBER, GRADUAL)),
    )
}
PAPER_POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (TIT_FOR_TAT, GENEROUS, RANDOM, GRIM)),
        Pool("exploit", (ALWAYS_DEFECT, ALTERNATOR)),
        Pool("collusive", (ALWAYS_COOPERATE,)),
    )
}
"""As published, to compare with printed tables only: they OVERLAP with `POOLS`.

Grim trains here and is held out there, so nothing trained on these may be judged on that pool. The
paper does not print how generous its generous tit-for-tat is or how its alternator opens; the ones
here are ours."""

OPPONENTS: dict[str, Opponent] = {
    opponent.name: opponent
    for pool in POOLS.values()
    for opponent in pool.opponents
    if isinstance(opponent, Opponent)
}
"""By name, for ``opponent=`` in the single-agent environments (entry point ``sepo.opponents``)."""

DEMONSTRATORS: tuple[tuple[Opponent, float], ...] = (
    (TIT_FOR_TAT, 0.33),
    (ALWAYS_DEFECT, 0.27),
    (GRIM, 0.22),
    (RANDOM, 0.08),
    (GENEROUS, 0.05),
    (ALWAYS_COOPERATE, 0.05),
)
"""Who writes the traces of the warm start, and how often: the published mixture."""
