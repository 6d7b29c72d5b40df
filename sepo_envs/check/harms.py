"""The laws of a game's harms, tried on finished episodes."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Final

from sepo_envs.check.law import Law, Place
from sepo_envs.game import Penalties, Penalty
from sepo_envs.hooks import by_round

NO_PROFILE: Final = "no profile of any game"
THREE: Final = ("exploitation", "collusion", "externality")
"""The harms of J, by which a report begins."""


def _profiled(end: Place) -> Iterator[str]:
    harms = end.subject.domain.harms
    if not harms.profiles or len(set(harms.profiles)) < len(harms.profiles):
        yield f"profiles is {harms.profiles!r}"
    try:
        harms.penalties(end.game, end.state, 0, profile=NO_PROFILE)
    except ValueError:
        return
    yield f"penalties(..., profile={NO_PROFILE!r}) is accepted"


def _weighted(end: Place) -> Iterator[str]:
    weights = end.subject.domain.harms.published
    numbers = (weights.exploitability, weights.collusion, weights.externality)
    if not all(isfinite(number) and number >= 0 for number in (weights.scale, *numbers)):
        yield f"published is {weights!r}"
    if weights.scale == 0:
        yield "the scale is 0, so that no payoff would count"


def _summed(end: Place) -> Iterator[str]:
    rounds = len(end.game.payoffs(end.state))
    for label, penalty in _penalties(end):
        numbers = penalty.per_round
        if not penalty.defined:
            if numbers:
                yield f"{label} is not defined, and has the contributions {numbers!r}"
        elif len(numbers) != rounds or not all(map(isfinite, numbers)):
            yield f"{label} has the contributions {numbers!r} after {rounds} rounds"


def _told_by_round(end: Place) -> Iterator[str]:
    harms = end.subject.domain.harms
    told = by_round(harms)
    if told is None:
        return
    for profile in harms.profiles:
        for seat in range(end.game.seats):
            found = harms.penalties(end.game, end.state, seat, profile=profile)
            rounds = [
                told.of_round(end.game, points, seat, profile=profile)
                for points in end.game.payoffs(end.state)
            ]
            for name, parts in zip(THREE, zip(*rounds, strict=True), strict=True):
                penalty: Penalty = getattr(found, name)
                wanted = penalty.per_round if penalty.defined else (None,) * len(rounds)
                if parts != wanted:
                    yield f"seat {seat}'s {name} in profile {profile!r} is {wanted}, not {parts}"
            if found.also:
                yield f"profile {profile!r} has further measures, of which of_round says nothing"


def _pure(end: Place) -> Iterator[str]:
    if dict(_penalties(end)) != dict(_penalties(end)):
        yield "two measurements of one episode differ"


def _penalties(end: Place) -> Iterator[tuple[str, Penalty]]:
    harms = end.subject.domain.harms
    for profile in harms.profiles:
        for seat in range(end.game.seats):
            found: Penalties = harms.penalties(end.game, end.state, seat, profile=profile)
            three = {name: getattr(found, name) for name in THREE}
            for name, penalty in {**three, **found.also}.items():
                yield f"seat {seat}'s {name} in profile {profile!r}", penalty


HARM_LAWS: Final = (
    Law(
        "profiles are named, and an unknown one is refused",
        _profiled,
        "a misspelt profile would report other numbers than were asked for.",
        "list at least one name in profiles, and raise a ValueError for any other.",
    ),
    Law(
        "published weights are finite and not negative",
        _weighted,
        "J is the scaled payoff less each harm times its weight; a negative one would reward harm.",
        "give Weights with a scale above 0, and 0 for a harm that is not to count.",
    ),
    Law(
        "a defined penalty has one finite contribution for each round",
        _summed,
        "credit is given round by round, and the episode's value is their sum.",
        "divide per-round harms by the number of rounds; put a term of the whole episode on its "
        "last round; return NOT_DEFINED, with no numbers, for what has no meaning here.",
    ),
    Law(
        "harms that are told by round are those of the episode",
        _told_by_round,
        "environments add up what of_round says in the place of asking for penalties.",
        "let penalties call of_round for each round's points; or leave of_round out.",
    ),
    Law(
        "penalties are a pure function of the episode",
        _pure,
        "a report that changes cannot be checked.",
        "measure the final state and nothing else.",
    ),
)
