"""The laws of an opponent, tried wherever its own play leads against random play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from sepo_envs.check.law import Law, Laws, Place, Subject, random_move, walk
from sepo_envs.choices import fault
from sepo_envs.game import FORFEIT, Forfeit, Move

DRAWS: Final = 4
"""Draws at each decision that are held against the probabilities."""


@dataclass(frozen=True, slots=True)
class Seating:
    """An opponent at a place where it may have to decide, in any of the seats that are to move."""

    opponent: Any
    place: Place

    def questions(self) -> Iterator[tuple[Any, Sequence[Move]]]:
        """What it sees and may do, seat by seat."""
        game, state = self.place.game, self.place.state
        for seat in self.place.seats:
            yield game.observe(state, seat), game.legal_moves(state, seat)


def seatings(opponent: Any, subject: Subject, rng: Random, laws: Laws) -> Iterator[Place]:
    """An episode in which it sits in one seat, and random players in the others."""
    own = rng.randrange(subject.game.seats)

    def choose(place: Place, seat: int) -> Move | Forfeit:
        if seat != own:
            return random_move(place, seat)
        legal = place.game.legal_moves(place.state, seat)
        try:
            move = opponent.act(place.game.observe(place.state, seat), legal, rng)
        except Exception:  # the laws tell; the episode goes on, to see the rest
            return rng.choice(legal)
        return move if move in legal or move is FORFEIT else rng.choice(legal)

    yield from walk(subject, rng, laws, choose)


def name_clashes(known: Mapping[str, Any]) -> Law:
    """The law on names and citations, among the opponents ``known`` by name."""

    def breaches(opponent: Any) -> Iterator[str]:
        name, citation = getattr(opponent, "name", None), getattr(opponent, "citation", None)
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            yield f"its name is {name!r}"
        elif known.get(name, opponent) is not opponent:
            yield f"another opponent is called {name!r} as well"
        elif opponent in list(known.values()) and name not in known:
            yield f"it is called {name!r}, but is offered under another name"
        if not isinstance(citation, str) or not citation.strip():
            yield f"{name!r} has the citation {citation!r}"

    return Law(
        "an opponent has a name of its own and a citation",
        breaches,
        "results are reported by name, and a strategy without a source cannot be compared.",
        "set .name, and .citation to where the strategy is from; your own work is a source too.",
    )


def _distributed(seating: Seating) -> Iterator[str]:
    if not hasattr(seating.opponent, "probabilities"):
        return
    for seen, legal in seating.questions():
        wrong = fault(seating.opponent.probabilities(seen, legal), legal)
        if wrong is not None:
            yield f"in {seen!r} {wrong}"


def _acts(seating: Seating) -> Iterator[str]:
    for seen, legal in seating.questions():
        move = seating.opponent.act(seen, legal, Random(0))
        if move is not FORFEIT and move not in legal:
            yield f"it acts {move!r} in {seen!r}, where {tuple(legal)!r} are legal"


def _spelled(seating: Seating) -> Iterator[str]:
    for seen, legal in seating.questions():
        move = seating.opponent.act(seen, legal, Random(0))
        for meant in legal:
            if meant == move and _kinds(meant) != _kinds(move):
                yield f"it acts {move!r} in {seen!r}, where the rules write {meant!r}"


def _kinds(move: Move) -> Any:
    """Of what type it is and, in a tuple, everything in it."""
    return (type(move), *map(_kinds, move)) if isinstance(move, tuple) else type(move)


def _draws(seating: Seating) -> Iterator[str]:
    if not hasattr(seating.opponent, "probabilities"):
        return
    for seen, legal in seating.questions():
        row = seating.opponent.probabilities(seen, legal)
        for seed in range(DRAWS):
            given, expected = Random(seed), Random(seed)
            acted = seating.opponent.act(seen, legal, given)
            drawn = expected.choices(list(row), list(row.values()))[0]
            if acted != drawn:
                yield (
                    f"in {seen!r} it acts {acted!r} where a draw of its probabilities, {row!r}, "
                    f"by an equal generator is {drawn!r}"
                )
            elif given.getstate() != expected.getstate():
                yield f"in {seen!r} it does not draw exactly once from its generator"


def _steady(seating: Seating) -> Iterator[str]:
    ask: Any = getattr(seating.opponent, "probabilities", lambda *_: {})
    for seen, legal in seating.questions():
        acts = [seating.opponent.act(seen, legal, Random(7)) for _ in range(2)]
        if acts[0] != acts[1]:
            yield f"in {seen!r}, with equal generators, it acts {acts[0]!r} and then {acts[1]!r}"
        if dict(ask(seen, legal)) != dict(ask(seen, legal)):
            yield f"in {seen!r} it answers two different rows of probabilities"


OPPONENT_LAWS: Final = (
    Law(
        "probabilities are a distribution over the legal moves",
        _distributed,
        "exact values and best responses are computed from them.",
        "answer every observation that its own play can lead to with numbers from 0 on that sum "
        "to 1, and give illegal moves none.",
    ),
    Law(
        "an opponent acts by a legal move, or forfeits",
        _acts,
        "an illegal move of the opponent's would be a foul that nobody made.",
        "return one of the legal moves that act is given.",
    ),
    Law(
        "a move is of the type that the rules write it in",
        _spelled,
        "a record holds moves, and a 2.0 or a numpy number in it is no move that the rules know.",
        "return the element of legal itself, such as legal[legal.index(move)].",
    ),
    Law(
        "to act is to draw once from the probabilities",
        _draws,
        "many tables at once, and exact values, go by the probabilities; one table goes by act.",
        "let act return rng.choices(list(row), list(row.values()))[0], also where one move is "
        "sure, or leave probabilities out.",
    ),
    Law(
        "an opponent depends on what it sees and on the given generator alone",
        _steady,
        "one seed must replay one match; the same opponent sits at a thousand tables at once.",
        "draw from the rng that act is given, and work its memory out from the observation.",
    ),
)
