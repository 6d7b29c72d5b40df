"""Matches of a record played again and told in the words of the game: what a record says of them
beside their moves is not believed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmarks.leaderboard.records import Replay
from benchmarks.records import RecordError
from sepo_envs.catalogue import Domain
from sepo_envs.episode import Episode, restore

LONGEST_SAID: Final = 3_000
"""Characters of one message that the page shows."""


class Said(NamedTuple):
    """One message of a seat's chat."""

    role: str
    words: str
    cut: int
    """Characters that were left out."""


class Transcript(NamedTuple):
    """One match as the page tells it."""

    opponent: str
    pool: str
    seat: int
    deal: int
    focal: float
    """Points per round, from the moves."""
    background: float
    table: str
    """What happened, every card open."""
    fouls: int
    """Of the agent."""
    talks: tuple[tuple[str, tuple[Said, ...]], ...]
    """By player, what it read and said; empty where it was not asked in words."""


def transcript(domain: Domain, replay: Replay, agent: str) -> Transcript:
    """The match of ``agent``'s record, played again by the rules of ``domain``.

    Raises:
        RecordError: it is no match of this domain, is not over, or has other moves than it tells.
    """
    episode = _played(domain, replay, agent)
    points, rounds = episode.returns, episode.game.rounds
    others = [earned for place, earned in enumerate(points) if place != replay.seat]
    return Transcript(
        opponent=replay.opponent,
        pool=replay.pool,
        seat=replay.seat,
        deal=replay.deal,
        focal=points[replay.seat] / rounds,
        background=sum(others) / len(others) / rounds,
        table=domain.words(episode.game).show(episode.state),
        fouls=episode.fouls[replay.seat],
        talks=tuple(
            (f"player_{seat}", tuple(_shortened(role, words) for role, words in messages))
            for seat, messages in sorted(replay.said.items())
        ),
    )


def _played(domain: Domain, replay: Replay, agent: str) -> Episode:
    where = f"a match of {agent} against {replay.opponent} in {domain.name}"
    mend = "Measure it again with the command that its record names."
    if replay.record.get("game") != domain.name:
        raise RecordError(f"{where} is of another game: {replay.record.get('game')!r}. {mend}")
    try:
        episode = restore(domain.make(**replay.record["options"]), replay.record)
    except (ValueError, TypeError, KeyError) as error:
        raise RecordError(f"{where} cannot be played again: {error} {mend}") from error
    if episode.actor is not None or not 0 <= replay.seat < episode.game.seats:
        raise RecordError(f"{where} is not over, or has no seat {replay.seat}. {mend}")
    return episode


def _shortened(role: str, words: str) -> Said:
    return Said(role, words[:LONGEST_SAID], max(0, len(words) - LONGEST_SAID))
