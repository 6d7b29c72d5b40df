"""A domain as the trainer meets it: rules, words, pools, demonstrators and its exact tree."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opponents.opponent import Opponent, Pool
from sepo_envs.catalogue import Domain, domain
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import Game, Words

MOST_SITUATIONS = 2_000
"""Of a game whose policy is read out at every iteration."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is fixed about one domain during a run."""

    domain: Domain
    game: Game
    words: Words
    tree: GameTree
    """Of the domain's default rules: one hand, where the game is a match of several."""
    pools: dict[str, Pool]
    demonstrators: tuple[tuple[Opponent, float], ...]


def set_stage(name: str, options: dict[str, Any] | None = None) -> Stage:
    """The stage of domain ``name`` with the rules' ``options``.

    Raises:
        ValueError: there is no such domain, or its rules have no such option.
    """
    found = domain(name)
    try:
        game = found.make(**(options or {}))
    except TypeError as error:
        known = ", ".join(found.make.__dataclass_fields__)  # type: ignore[attr-defined]
        raise ValueError(f"game.options: {error}. {found.title} has: {known}.") from error
    try:
        tree = GameTree(found.make())
    except ValueError as error:
        raise ValueError(
            f"{name} cannot be trained yet: a policy is scored on the whole tree, and {error} "
            "Train kuhn_poker, or play this game through its environments."
        ) from error
    if len(tree.situations) > MOST_SITUATIONS:
        raise ValueError(
            f"{name} cannot be trained yet: a policy is scored by reading every reply in each "
            f"of its {len(tree.situations):,} situations, and {MOST_SITUATIONS:,} is the most. "
            "Train kuhn_poker, or play this game through its environments."
        )
    library = import_module(f"opponents.{name}")
    return Stage(
        found,
        game,
        found.words(game),
        tree,
        library.POOLS,
        library.DEMONSTRATORS,
    )
