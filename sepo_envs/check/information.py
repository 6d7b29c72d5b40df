"""The laws of information, tried over whole episodes: what a seat knows, and what it must not see.

A seat must not see what its infostate does not tell. To find a leak, one entry of an episode or two
are changed, a hidden card say, and the others played again: wherever a seat's infostate is the same
as before, everything that it is shown must be the same too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sepo_envs.check.law import Law, Place, Subject, Walk
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, FORFEIT, NotingWords

CHANGES: Final = 12
"""Entries changed in each episode, at most."""
NEAR: Final = 3
"""How far apart two entries are that are changed together, at most."""


def _told_apart(walks: Sequence[Walk]) -> Iterator[str]:
    owner: dict[str, int] = {}
    for place in _places(walks):
        for seat in place.seats:
            infostate = place.game.observe(place.state, seat).infostate
            if owner.setdefault(infostate, seat) != seat:
                yield f"seats {owner[infostate]} and {seat} both decide in infostate {infostate!r}"


def _remembered(walks: Sequence[Walk]) -> Iterator[str]:
    """Perfect recall: an infostate settles what its seat has seen and done at each decision."""
    past: dict[tuple[int, str], tuple[Any, ...]] = {}
    for episode in (walked.episode for walked in walks):
        for seat in range(episode.game.seats):
            history: tuple[Any, ...] = ()
            for state, move in episode.decisions(seat):
                infostate = episode.game.observe(state, seat).infostate
                known = past.setdefault((seat, infostate), history)
                if known != history:
                    yield (
                        f"seat {seat} is in infostate {infostate!r} after {history!r}, "
                        f"and after {known!r}, each an infostate and the move made there"
                    )
                if move is FORFEIT:
                    break  # the rules chose; which move it stands for is theirs to say
                history = (*history, infostate, move)


def _same_choices(walks: Sequence[Walk]) -> Iterator[str]:
    choices: dict[str, tuple[Any, ...]] = {}
    for place in _places(walks):
        for seat in place.seats:
            situation = place.game.observe(place.state, seat).situation
            legal = place.game.legal_moves(place.state, seat)
            if choices.setdefault(situation, legal) != legal:
                yield f"in situation {situation!r} {legal!r} are legal, and {choices[situation]!r}"


def _blind(walks: Sequence[Walk]) -> Iterator[str]:
    for walked in walks:
        places = range(len(walked.episode.entries))
        for first in walked.rng.sample(places, min(CHANGES, len(places))):
            for both in ({first}, {first, first + walked.rng.randint(1, NEAR)}):
                yield from _seen_through(walked, both)


def _seen_through(walked: Walk, places: set[int]) -> Iterator[str]:
    """What changes for a seat whose infostate stays, if the entries at ``places`` were others.

    Two together may hide each other, such as a choice and the slip that undoes it.
    """
    old = new = begin(walked.episode.game)
    changed: list[str] = []
    for place, (actor, was) in enumerate(walked.episode.entries):
        if changed:
            yield from _differences(walked, old, new, " and ".join(changed))
        possible, move = _choices(new), was
        if place in places:
            move = walked.rng.choice([other for other in possible if other != was] or [was])
            changed += [f"{_who(actor)}'s {was!r} or {move!r}"] * (move != was)
        if new.actor != actor or move not in (*possible, FORFEIT):
            return
        old, new = old.play(was), new.play(move)
    yield from _differences(walked, old, new, " and ".join(changed))


def _differences(walked: Walk, old: Episode, new: Episode, hidden: str) -> Iterator[str]:
    game, subject = old.game, walked.places[0].subject
    for seat in range(game.seats):
        before, after = game.observe(old.state, seat), game.observe(new.state, seat)
        if before.infostate != after.infostate or old.actor != new.actor:
            continue
        pairs = zip(_shown(subject, old, seat), _shown(subject, new, seat), strict=True)
        for (name, one), (_, two) in pairs:
            if one != two:
                yield (
                    f"seat {seat}'s {name} tells {hidden} apart, which its infostate "
                    f"{before.infostate!r} does not: {one!r} against {two!r}"
                )


def _shown(subject: Subject, episode: Episode, seat: int) -> list[tuple[str, Any]]:
    """Everything that ``seat`` is shown, by what it is called; words only when it is to move."""
    game, words, state = subject.game, subject.words, episode.state
    seen = game.observe(state, seat)
    shown: list[tuple[str, Any]] = [
        ("observation", seen),
        ("situation", seen.situation),
        ("features", game.features(state, seat)),
        ("legal moves", game.legal_moves(state, seat)),
    ]
    if seat in game.actors(state):
        shown += [
            ("news", words.news(state, seat)),
            ("ask", words.ask(state, seat)),
            ("conversation", words.conversation(state)),
            ("thoughts", words.thoughts(state, seat)),
        ]
        if isinstance(words, NotingWords):
            shown.append(("notes", words.notes(state, seat)))
    return shown


def _choices(episode: Episode) -> list[Any]:
    game, actor = episode.game, episode.actor
    if actor is None:
        return []
    if actor == CHANCE:
        return [outcome for outcome, _ in game.chance_outcomes(episode.state)]
    return list(game.legal_moves(episode.state, actor))


def _who(actor: int) -> str:
    return "chance" if actor == CHANCE else f"seat {actor}"


def _places(walks: Sequence[Walk]) -> Iterator[Place]:
    for walked in walks:
        yield from walked.places


WALK_LAWS: Final = (
    Law(
        "an infostate belongs to one seat",
        _told_apart,
        "solvers look strategies up by infostate; two seats would share one.",
        'begin the infostate with the seat, as in f"{seat}: ...", or with whose turn it must be.',
    ),
    Law(
        "an infostate remembers what its seat has seen and done",
        _remembered,
        "exact solvers need perfect recall; best responses would be wrong without an error.",
        "let the infostate contain everything that the seat saw earlier, its own moves included.",
    ),
    Law(
        "a situation has the same legal moves wherever it comes up",
        _same_choices,
        "action tables and table-driven opponents have one row for each situation.",
        "let the situation contain whatever legal_moves looks at.",
    ),
    Law(
        "a seat is shown nothing that its infostate does not tell",
        _blind,
        "a prompt or an observation that shows a hidden card, a private value or a move that waits "
        "makes every result of the game worthless.",
        "make observe, features, news, ask, thoughts and notes from what the seat knows; or, if "
        "it may know that, put it into the infostate.",
    ),
)
