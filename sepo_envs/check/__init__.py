"""Does a game, or an opponent, keep the laws on which everything else is built?

For whoever adds one: random episodes are played, forfeits included, and at every state each law is
tried. What is broken comes back as findings that say which law, where, why it matters and how to
mend it; an empty list means that nothing was found, not that there is nothing.

>>> from sepo_envs.catalogue import domain
>>> check_domain(domain("kuhn_poker"), episodes=5)
[]

In the tests of a package of one's own: ``assert not check_domain(NIM)``, or from a terminal,
``python -m sepo_envs check my_package.nim:NIM``.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from sepo_envs.catalogue import Domain
from sepo_envs.check.harms import HARM_LAWS
from sepo_envs.check.information import WALK_LAWS
from sepo_envs.check.law import Finding, Laws, Subject, Walk, walk
from sepo_envs.check.meetings import MEETING_LAWS
from sepo_envs.check.opponents import OPPONENT_LAWS, Seating, name_clashes, seatings
from sepo_envs.check.rules import GAME_LAWS, PLACE_LAWS, TURN_LAWS
from sepo_envs.check.words import DECISION_LAWS, TEXT_LAWS

__all__ = ["Finding", "check_domain", "check_opponent"]


def check_domain(
    domain: Domain, *, episodes: int = 50, seed: int = 0, **options: Any
) -> list[Finding]:
    """Everything found wrong with the rules, words and harms of ``domain``; each law at most once.

    Args:
        episodes: how many are played. A law that breaks rarely needs more.
        options: the rules' options; check a game in all of its variants.
    """
    laws = Laws()
    subject = laws.attempt("the game can be made", lambda: Subject.of(domain, options))
    if subject is None:
        return laws.findings
    laws.try_all(GAME_LAWS, subject, "in the game as it is made")
    walks: list[Walk] = []
    for number in range(episodes):
        rng = Random(f"{seed} {number}")
        places = []
        for place in walk(subject, rng, laws):
            places.append(place)
            laws.try_all((*PLACE_LAWS, *TEXT_LAWS), place, place.where)
            if place.seats:
                laws.try_all(DECISION_LAWS, place, place.where)
            if place.actors:
                laws.try_all(TURN_LAWS, place, place.where)
        if laws.stuck:
            return laws.findings
        laws.try_all(HARM_LAWS, places[-1], places[-1].where)
        walks.append(Walk(tuple(places), rng))
    for law in (*WALK_LAWS, *MEETING_LAWS):
        laws.try_all((law,), walks, f"over {episodes} episodes")
    return laws.findings


def check_opponent(
    opponent: Any,
    domain: Domain,
    *,
    known: Mapping[str, Any] | None = None,
    episodes: int = 50,
    seed: int = 0,
    **options: Any,
) -> list[Finding]:
    """Everything found wrong with ``opponent`` in that game, in every seat, against random play.

    Args:
        known: the opponents that its name must not clash with, by name; it may be one of them.
    """
    laws = Laws()
    subject = laws.attempt("the game can be made", lambda: Subject.of(domain, options))
    if subject is None:
        return laws.findings
    laws.try_all((name_clashes(known or {}),), opponent, "in the opponent as it is made")
    for number in range(episodes):
        rng = Random(f"{seed} {number}")
        for place in seatings(opponent, subject, rng, laws):
            laws.try_all(OPPONENT_LAWS, Seating(opponent, place), place.where)
        if laws.stuck:
            break
    return laws.findings
