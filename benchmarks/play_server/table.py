"""One match between a person in the browser and an agent, played in a thread of its own.

So a slow agent keeps nobody waiting but its own table. The match itself is `opponents.matches`: the
same deals, the same draws, the same foul rule as everywhere.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Condition, Thread
from time import monotonic
from typing import Final

from benchmarks.play_server.lobby import Setting
from benchmarks.play_server.review import Review, review
from opponents.matches import Played, Player, play_matches
from sepo_envs.episode import Episode
from sepo_envs.game import Move, Unreadable
from sepo_envs.human import HumanLeftError

PATIENCE: Final = 1.0
"""Seconds for which a move waits for the answer to it, before the page is shown without."""
LONGEST_REPLY: Final = 200
"""Characters of a move."""
_AT_ONCE: Final = BoundedSemaphore(1)
"""Reviews are worked out one at a time, as they keep a processor busy for seconds."""
log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A move that cannot be made; the match stands as it was. The message is for the person."""


@dataclass(slots=True)
class Standing:
    """How a table stands."""

    awaiting: Episode | None = None
    """The episode in which the person is to move."""
    played: Played | None = None
    """The match, once it is over."""
    review: Review | None = None
    """What there is to say of it, once that is worked out."""
    failed: bool = False
    """Whether the agent could not go on; why stands in the server's log alone."""
    left: bool = False

    @property
    def thinking(self) -> bool:
        """Whether the person can but wait."""
        waits = self.awaiting is None and self.played is None
        return (waits or (self.played is not None and self.review is None)) and not (
            self.failed or self.left
        )


@dataclass(slots=True)
class Table:
    """The match of ``setting``; `start` begins it."""

    setting: Setting
    owner: str
    """Who may look at it."""
    used: float = field(default_factory=monotonic)
    """When it was last looked at."""
    _standing: Standing = field(default_factory=Standing)
    _changed: Condition = field(default_factory=Condition)
    _move: Move | None = None

    def start(self) -> None:
        """Deal, and let the agent move until it is the person's turn or the wait gets long."""
        with self._changed:
            Thread(target=self._play, name="table", daemon=True).start()
            self._wait()

    @property
    def is_on(self) -> bool:
        """Whether somebody may still be playing."""
        now = self._standing
        return now.played is None and not (now.failed or now.left)

    def standing(self) -> Standing:
        """A copy of how it stands now."""
        with self._changed:
            now = self._standing
            return Standing(now.awaiting, now.played, now.review, now.failed, now.left)

    def move(self, turn: int, reply: str) -> None:
        """Make the person's move, and wait a moment for the answer to it.

        Args:
            turn: how long the episode was when the person was asked.
            reply: the move in square brackets, as a model writes it.

        Raises:
            RefusedError: it is not the person's turn, it is another turn, or the move is not legal.
        """
        with self._changed:
            self.used = monotonic()
            episode = self._standing.awaiting
            if episode is None:
                raise RefusedError("It is not your turn.")
            if turn != len(episode.entries):
                raise RefusedError("That page was of an earlier moment. Here is how it stands now.")
            if len(reply) > LONGEST_REPLY:
                raise RefusedError("That is too long for a move.")
            words = self.setting.domain.words(episode.game)
            move = words.parse(reply, episode.state, self.setting.seat)
            if isinstance(move, Unreadable):
                raise RefusedError(f"That move could not be made: {move.reason}.")
            self._move, self._standing.awaiting = move, None
            self._changed.notify_all()
            self._wait()

    def leave(self) -> None:
        """End the match without a result, if it is not over."""
        with self._changed:
            self._standing.left = self._standing.played is None
            self._standing.awaiting = None
            self._changed.notify_all()

    @property
    def name(self) -> str:
        """As replays call the person, who sits at the table as a `sepo_envs.human.Person`."""
        return "human"

    def act_on(self, episode: Episode, seat: int) -> Move:
        """Show the episode to the person and wait for the move.

        Raises:
            HumanLeftError: the person left.
        """
        with self._changed:
            if not self._standing.left:
                self._standing.awaiting = episode
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._move is not None or self._standing.left)
            if self._standing.left:
                raise HumanLeftError("the person left the table.")
            move, self._move = self._move, None
            return move

    def _wait(self) -> None:
        self._changed.wait_for(lambda: not self._standing.thinking, PATIENCE)

    def _play(self) -> None:
        setting = self.setting
        rival = setting.rival.player
        seats: list[Player] = [rival] * setting.game.seats
        seats[setting.seat] = self
        try:
            [played] = play_matches(
                setting.domain, seats, deals=[setting.deal], seed=setting.seed, game=setting.game
            )
            self._tell(played=played)
            with _AT_ONCE:
                told = review(setting, played)
            self._tell(review=told)
        except HumanLeftError:
            pass
        except Exception:  # of an agent's code: told in the log, as it may name what is secret
            log.exception("a match against %s failed", setting.rival.name)
            self._tell(failed=True)

    def _tell(
        self, *, played: Played | None = None, review: Review | None = None, failed: bool = False
    ) -> None:
        with self._changed:
            now = self._standing
            now.played, now.review = played or now.played, review or now.review
            now.failed = failed or now.failed
            self._changed.notify_all()
