"""The law of games and words that say what still matters: where journeys meet, they may meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sepo_envs.atlas import Atlas, Journey
from sepo_envs.check.law import Law, Walk
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE
from sepo_envs.protocol import Question, asked

TRIED: Final = 6
"""Legal moves that are said, and read where journeys meet, at each decision."""


def _met(walks: Sequence[Walk]) -> Iterator[str]:
    """Each episode is played among the places that all of them share, and beside them."""
    subject = walks[0].places[0].subject
    atlas = Atlas(subject.game, subject.words, "conversation")
    if atlas.markov is None:
        return
    for walk in walks:
        journey, episode = atlas.start(), begin(subject.game)
        for _, move in walk.episode.entries:
            yield from _compared(journey, episode)
            journey.go(move)
            episode = episode.play(move)
        yield from _compared(journey, episode)


def _compared(journey: Journey, episode: Episode) -> Iterator[str]:
    """What is known of a shared place, against what holds in the ``episode`` that came there."""
    game, state, place, seat = episode.game, episode.state, journey.place, episode.actor
    compared: list[tuple[str, Any, Any]] = [
        ("the state", journey.state, state),
        ("the actors", place.actors, game.actors(state)),
        ("the payoffs", tuple(journey.rounds), game.payoffs(state)),
    ]
    if seat == CHANCE:
        known, true = game.chance_outcomes(place.state), game.chance_outcomes(state)
        compared.append(("what chance can bring", known, true))
    elif seat is not None:
        atlas, words = place.atlas, place.atlas.words
        assert words is not None, "the atlas is of these words"
        replies = [words.say(move, state, seat) for move in game.legal_moves(state, seat)[:TRIED]]
        shared, own = atlas.ask(journey), asked(words, episode, seat, "conversation")
        compared += [
            ("the legal moves", place.legal, game.legal_moves(state, seat)),
            ("the conversation", shared.conversation, own.conversation),
            ("the prompt", shared.told, own.told),
            ("what replies say", _read(shared, replies), _read(own, replies)),
        ]
    for what, there, here in compared:
        if there != here:
            yield f"where this episode meets others, {what} is {there!r}, and should be {here!r}"


def _read(question: Question, replies: Sequence[str]) -> list[Any]:
    return [question.read[reply] for reply in (*replies, "no move")]


MEETING_LAWS: Final = (
    Law(
        "present and memory hold all that still matters",
        _met,
        "the text environments play and prompt alike wherever both are the same, whatever went "
        "before.",
        "let present hold all that the rules still read, and memory all of the past that the words "
        "tell; or define neither, which is always right.",
    ),
)
