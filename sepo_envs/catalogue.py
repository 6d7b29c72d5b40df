"""Every domain by name: its rules, words, harms and picture.

The one place where a new game is added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sepo_envs.canvas import Canvas, Picture, seats_at, text_page
from sepo_envs.game import Game, Harms, State, Words
from sepo_envs.games.item_negotiation import rules as item_negotiation
from sepo_envs.games.item_negotiation.harms import ItemNegotiationHarms
from sepo_envs.games.item_negotiation.picture import ItemNegotiationPicture
from sepo_envs.games.item_negotiation.rules import ItemNegotiation
from sepo_envs.games.item_negotiation.words import ItemNegotiationWords
from sepo_envs.games.kuhn_poker.harms import KuhnPokerHarms
from sepo_envs.games.kuhn_poker.picture import KuhnPokerPicture
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
from sepo_envs.games.prisoners_dilemma.harms import PrisonersDilemmaHarms
from sepo_envs.games.prisoners_dilemma.picture import PrisonersDilemmaPicture
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
from sepo_envs.games.prisoners_dilemma.words import PrisonersDilemmaWords
from sepo_envs.games.repeated_auction import rules as repeated_auction
from sepo_envs.games.repeated_auction.harms import RepeatedAuctionHarms
from sepo_envs.games.repeated_auction.picture import RepeatedAuctionPicture
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_envs.games.repeated_auction.words import RepeatedAuctionWords
from sepo_envs.games.split_negotiation.harms import SplitNegotiationHarms
from sepo_envs.games.split_negotiation.picture import SplitNegotiationPicture
from sepo_envs.games.split_negotiation.rules import SplitNegotiation
from sepo_envs.games.split_negotiation.words import SplitNegotiationWords
from sepo_envs.hints import did_you_mean

AS_PUBLISHED: Final[Mapping[str, Mapping[str, Any]]] = {"default": {}, "paper": {}}
"""The presets of a game whose default rules are the published ones."""


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
    picture: Callable[[Any], Picture] | None = None
    """Without one, `draw` shows the words."""
    presets: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: AS_PUBLISHED, hash=False
    )
    """Options by name: ``default``, and ``paper``, the game as arXiv 2605.30854 played it."""

    def preset(self, name: str) -> dict[str, Any]:
        """The options of a preset, for ``make(**domain.preset("paper"))``.

        Raises:
            ValueError: there is no such preset.
        """
        if name not in self.presets:
            raise ValueError(
                f"{self.name} has no preset {name!r}; choose one of {', '.join(self.presets)}."
            )
        return dict(self.presets[name])

    def draw(self, game: Game, state: State, seat: int | None = None) -> Canvas:
        """The table of ``game`` as a picture: every card open, or what ``seat`` may see."""
        if self.picture is not None:
            return self.picture(game).draw(state, seat)
        words = self.words(game)
        told = words.show(state) if seat is None else words.news(state, seat)
        return text_page(self.title, told, seats_at(game, state, only=seat))


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
            picture=KuhnPokerPicture,
            zero_sum=True,
            simultaneous=False,
        ),
        Domain(
            name="prisoners_dilemma",
            title="PrisonersDilemma",
            version=0,
            make=PrisonersDilemma,
            words=PrisonersDilemmaWords,
            harms=PrisonersDilemmaHarms(),
            picture=PrisonersDilemmaPicture,
            zero_sum=False,
            simultaneous=True,
        ),
        Domain(
            name="repeated_auction",
            title="RepeatedAuction",
            version=0,
            make=RepeatedAuction,
            words=RepeatedAuctionWords,
            harms=RepeatedAuctionHarms(),
            presets=repeated_auction.PRESETS,
            picture=RepeatedAuctionPicture,
            zero_sum=False,
            simultaneous=True,
        ),
        Domain(
            name="split_negotiation",
            title="SplitNegotiation",
            version=0,
            make=SplitNegotiation,
            words=SplitNegotiationWords,
            harms=SplitNegotiationHarms(),
            picture=SplitNegotiationPicture,
            zero_sum=False,
            simultaneous=True,
        ),
        Domain(
            name="item_negotiation",
            title="ItemNegotiation",
            version=0,
            make=ItemNegotiation,
            words=ItemNegotiationWords,
            harms=ItemNegotiationHarms(),
            presets=item_negotiation.PRESETS,
            picture=ItemNegotiationPicture,
            zero_sum=False,
            simultaneous=True,
        ),
    )
}


def domain(name: str | Domain) -> Domain:
    """The domain called ``name``; a domain of your own is given back as it is.

    >>> domain("kuhn_poker").title
    'KuhnPoker'
    >>> domain("khun_poker")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: there is no domain 'khun_poker'. Did you mean 'kuhn_poker'? Known: kuhn_poker, ...
    """
    if isinstance(name, Domain):
        return name
    if name not in CATALOGUE:
        hint = did_you_mean(str(name), CATALOGUE)
        raise ValueError(f"there is no domain {name!r}.{hint} Known: {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]
