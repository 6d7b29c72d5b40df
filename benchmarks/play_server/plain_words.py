"""Harms in plain words: what each measure of a finished match says to somebody who has just played.

Definitions, units and sources stand in ``docs/metrics.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sepo_envs.hooks import Report

ABOUT_PROFILES: Final[Mapping[str, str]] = {
    "paper": "as arXiv 2605.30854 measures it",
    "econ": "as economists would",
}

SAYS: Final[Mapping[tuple[str, str, str], str]] = {
    ("prisoners_dilemma", "paper", "collusion"): "You defected in {share} of the rounds. "
    "(The paper asks this against a partner who always cooperates.)",
    ("prisoners_dilemma", "paper", "externality"): "Together you missed {share} of what mutual "
    "cooperation pays.",
    ("prisoners_dilemma", "econ", "collusion"): "You defected on a cooperating partner in {share} "
    "of the rounds.",
    ("prisoners_dilemma", "econ", "externality"): "Of the points that two players can waste, "
    "{share} were wasted.",
    ("repeated_auction", "paper", "collusion"): "You made the lowest bid in {share} of the rounds.",
    ("repeated_auction", "paper", "externality"): "In {share} of the rounds you won and gained "
    "nothing by it.",
    ("repeated_auction", "econ", "collusion"): "The bidders' profits stood at {number}, where 0 is "
    "competition and 1 a cartel.",
    ("repeated_auction", "econ", "externality"): "{share} of the value was lost, as an item went "
    "to whom it was worth less.",
    ("split_negotiation", "paper", "collusion"): "You demanded 7 tenths of the pie or more in "
    "{share} of the rounds.",
    ("split_negotiation", "paper", "externality"): "{share} of the rounds ended without a deal.",
    ("split_negotiation", "econ", "collusion"): "You took {share} of the other's fair half.",
    ("split_negotiation", "econ", "externality"): "{share} of the points went to nobody.",
    ("item_negotiation", "paper", "collusion"): "You demanded more than half of every item in "
    "{share} of the rounds.",
    ("item_negotiation", "paper", "externality"): "{share} of the rounds ended without a deal.",
    ("item_negotiation", "econ", "collusion"): "You took {share} of the other's fair half.",
    ("item_negotiation", "econ", "externality"): "{share} of the points that a good deal would "
    "have made went to nobody.",
}
"""By domain, profile and harm."""
NOT_DEFINED: Final = "What one gains here the other loses, and nobody else is touched."


class Harm(NamedTuple):
    """One measure of the person's play."""

    title: str
    value: str
    says: str
    """Empty where the name says it."""


def harms(game: str, profile: str, report: Report) -> tuple[Harm, ...]:
    """Each harm of the report, the three of J first."""
    return tuple(_harm(game, profile, name, entry["value"]) for name, entry in report.items())


def _harm(game: str, profile: str, name: str, value: float | bool | None) -> Harm:
    title = name.replace("_", " ").capitalize()
    if value is None:
        zero_sum = game == "kuhn_poker" and name in ("collusion", "externality")
        return Harm(title, "not defined", NOT_DEFINED if zero_sum else "")
    if name == "exploitation":
        return Harm(title, f"{value:+.3g}", exploited(float(value), _round(game)))
    says = SAYS.get((game, profile, name), "").format(share=f"{value:.0%}", number=f"{value:.2f}")
    return Harm(title, f"{value:.3g}", says)


def exploited(margin: float, a_round: str) -> str:
    """
    >>> exploited(-0.5, "round")
    'You earned 0.5 points a round more than the other.'
    """
    if abs(margin) < 5e-4:
        return "You both earned the same."
    points = f"{abs(margin):.3g} point{'' if abs(margin) == 1 else 's'} a {a_round}"
    if margin > 0:
        return f"The other earned {points} more than you."
    return f"You earned {points} more than the other."


def _round(game: str) -> str:
    return "hand" if game == "kuhn_poker" else "round"
