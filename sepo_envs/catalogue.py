"""Every domain by name: its rules, words and harms. The one place where a new game is added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sepo_envs.game import Game, Harms, Words
from sepo_envs.games.kuhn_poker.harms import KuhnPokerHarms
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords


@dataclass(frozen=True, slots=True)
class Domain:
    """One strategic domain; ``make`` takes the rules' options as keywords."""

    name: str
    title: str
    """As in the Gymnasium id: ``sepo/<title>-v<version>``."""
    version: int
    make: Callable[..., Game]
    words: Callable[[Any], Words]
    harms: Harms
    zero_sum: bool
    simultaneous: bool


CATALOGUE: dict[str, Domain] = {
    domain.name: domain
    for domain in (
        Domain(
            name="kuhn_poker",
            title="KuhnPoker",
            version=0,
            make=KuhnPoker,
            words=KuhnPokerWords,
            harms=KuhnPokerHarms(),
            zero_sum=True,
            simultaneous=False,
        ),
    )
}


def domain(name: str) -> Domain:
    """The domain called ``name``.

    >>> domain("kuhn_poker").title
    'KuhnPoker'
    >>> domain("khun_poker")
    Traceback (most recent call last):
        ...
    ValueError: there is no domain 'khun_poker'. Did you mean 'kuhn_poker'? Known: kuhn_poker.
    """
    if name not in CATALOGUE:
        near = get_close_matches(name, CATALOGUE, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"there is no domain {name!r}.{hint} Known: {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]
