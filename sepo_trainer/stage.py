"""A domain as the trainer meets it: rules, words, pools, demonstrators and its exact tree."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from opponents.opponent import Opponent, Pool
from sepo_envs.catalogue import Domain, domain
from sepo_envs.exact.tree import GameTree, TooLargeError
from sepo_envs.game import Game, NotingWords, Words

MOST_NODES = 2_000
"""Of the tree of a game whose policy is read out at every iteration."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is fixed about one domain during a run."""

    domain: Domain
    game: Game
    words: Words
    tree: GameTree | None
    """Of the domain's default rules: one hand, where the game is a match of several. None where it
    would be too large to be read out at every iteration; a policy is then measured by play."""
    pools: dict[str, Pool]
    demonstrators: tuple[tuple[Opponent, float], ...]

    @property
    def noting(self) -> NotingWords:
        """Its words, as words that know what is worth noting down.

        Raises:
            ValueError: they do not.
        """
        if not isinstance(self.words, NotingWords):
            raise ValueError(
                f"warm_start.notes is true, but the words of {self.domain.title} have no notes to "
                "write down. Set it to false, or give them a method `notes` "
                "(sepo_envs.game.NotingWords)."
            )
        return self.words


def set_stage(
    name: str,
    options: dict[str, Any] | None = None,
    *,
    preset: Literal["default", "paper"] = "default",
) -> Stage:
    """The stage of domain ``name`` with the rules' ``options``.

    Args:
        preset: ``paper`` is the game as arXiv 2605.30854 played it: its rules, but for ``options``,
            and its pools, which overlap and have nobody held out.

    Raises:
        ValueError: there is no such domain, or its rules have no such option.
    """
    found = domain(name)
    try:
        game = found.make(**found.preset(preset) | (options or {}))
    except TypeError as error:
        known = ", ".join(found.make.__dataclass_fields__)  # type: ignore[attr-defined]
        raise ValueError(f"game.options: {error}. {found.title} has: {known}.") from error
    library = import_module(f"opponents.{name}")
    return Stage(
        found,
        game,
        found.words(game),
        _tree(found),
        library.PAPER_POOLS if preset == "paper" else library.POOLS,
        library.DEMONSTRATORS,
    )


def _tree(found: Domain) -> GameTree | None:
    if not found.zero_sum:
        return None  # J has harms that the tree does not know
    try:
        return GameTree(found.make(), most_nodes=MOST_NODES)
    except TooLargeError:
        return None
