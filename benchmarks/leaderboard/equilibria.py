"""An equilibrium of every domain as a player: what ``nash`` plays.

    kuhn_poker          Kuhn's family at alpha = 1/3; NashConv 0
    prisoners_dilemma   the only subgame-perfect equilibrium, by dominance from the last round back
    repeated_auction    the one-round equilibrium that pays the bidders most, every round
    split_negotiation   half of the pie, Nash's own solution, every round
    item_negotiation    half of each item, every round; of an odd number the larger half to seat 0

What is played every round, whatever has happened, is an equilibrium of the whole game if it is one
of the round. Demands that fit exactly are: to demand less earns no more, to demand more breaks the
deal. There are other equilibria in all but the second; which one is played is a choice.

Sources: H. W. Kuhn, "A simplified two-person poker" (1950); J. F. Nash, "Two-person cooperative
games", Econometrica 21 (1953).

>>> from sepo_envs.exact import solver
>>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker
>>> print(solver(KuhnPoker()).exploitability_interval(equilibrium("kuhn_poker")))
0.0000 (exact)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from opponents.kuhn_poker import nash_table
from opponents.opponent import Opponent, from_table
from opponents.repeated_auction import HALF_VALUE, at_most
from opponents.split_negotiation import FAIR
from sepo_envs.catalogue import domain
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.induction import subgame_perfect
from sepo_envs.games.item_negotiation.rules import Observation as Items
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_envs.games.repeated_auction.stage import equilibria

KUHN: Final = "H. W. Kuhn, A simplified two-person poker (1950)"
NASH: Final = "J. F. Nash, Two-person cooperative games, Econometrica 21 (1953)"
INDUCTION: Final = "backward induction, sepo_envs.exact.induction"
STAGE: Final = "exact search, sepo_envs.games.repeated_auction.stage"
SITUATED: Final = "half of each item, odd units to seat 0"


def equilibrium(name: str) -> Opponent:
    """The equilibrium of the domain ``name`` under its default rules."""
    return _MADE[domain(name).name]()


def cfr_equilibrium() -> Opponent:
    """Of Kuhn poker, as OpenSpiel's CFR+ finds it.

    Raises:
        ImportError: OpenSpiel is not installed; the message says how.
    """
    from sepo_envs.exact.equilibria import cfr
    from sepo_envs.games.kuhn_poker.rules import KuhnPoker

    return from_table("cfr", cfr(KuhnPoker()), "O. Tammelin, arXiv 1407.5042; OpenSpiel")


def _kuhn_poker() -> Opponent:
    return from_table("nash", nash_table(1 / 3), KUHN)


def _prisoners_dilemma() -> Opponent:
    return from_table("nash", _table("prisoners_dilemma"), INDUCTION)


def _table(name: str) -> ActionTable:
    game: Any = domain(name).make()
    return subgame_perfect(game)


def _repeated_auction() -> Opponent:
    game = RepeatedAuction()
    bids = dict(zip(game.values, equilibria(game)[0].bids, strict=True))
    assert all(at_most(value / 2, game.bids) == bid for value, bid in bids.items())
    return replace(HALF_VALUE, name="nash", citation=STAGE)


def _split_negotiation() -> Opponent:
    return replace(FAIR, name="nash", citation=NASH)


def _item_negotiation() -> Opponent:
    def policy(seen: Items) -> Mapping[tuple[int, ...], float]:
        assert seen.table is not None, "nobody demands before the table is dealt"
        larger = 1 - seen.seat
        return {tuple((count + larger) // 2 for count in seen.table): 1.0}

    return Opponent("nash", policy, SITUATED)


_MADE: Final[Mapping[str, Callable[[], Opponent]]] = {
    "kuhn_poker": _kuhn_poker,
    "prisoners_dilemma": _prisoners_dilemma,
    "repeated_auction": _repeated_auction,
    "split_negotiation": _split_negotiation,
    "item_negotiation": _item_negotiation,
}
