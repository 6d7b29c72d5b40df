"""A person at the terminal, who reads the very words that a model reads.

Takes the running episode and gives back one move.

>>> from sepo_envs.episode import begin
>>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker
>>> from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
>>> game, lines, shown = KuhnPoker(), iter(["raise", "bet"]), []
>>> person = Human(KuhnPokerWords(game), read=lambda prompt: next(lines), write=shown.append)
>>> person.act_on(begin(game).play(Card.KING).play(Card.JACK), seat=0)
<Move.BET: 'bet'>
>>> shown[-1]
'[raise] is not legal here; the legal moves are [check] or [bet].'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sepo_envs.episode import Episode
from sepo_envs.game import Move, Unreadable, Words


class HumanLeftError(Exception):
    """The person ended the input, by Ctrl-D or Ctrl-C. The episode stands as it was."""


@runtime_checkable
class Person(Protocol):
    """Somebody who is shown the running episode and moves when ready: at the terminal, `Human`."""

    @property
    def name(self) -> str:
        """As scores and replays call it."""

    def act_on(self, episode: Episode, seat: int) -> Move:
        """One legal move.

        Raises:
            HumanLeftError: there will be none.
        """


@dataclass(frozen=True, slots=True)
class Human:
    """Shows the rules once, then the news at each decision, and asks until the answer is a move."""

    words: Words
    name: str = "human"
    read: Callable[[str], str] = input
    """Shows a prompt and returns one line; raises EOFError when there is none."""
    write: Callable[[str], object] = print

    def act_on(self, episode: Episode, seat: int) -> Move:
        """The move that the person types. A line without brackets is read as if it had them.

        Raises:
            HumanLeftError: the input ended.
            ValueError: it is not ``seat``'s turn.
        """
        if episode.actor != seat:
            raise ValueError(
                f"seat {seat} was asked for a move, but it is {episode.actor}'s turn: "
                "ask only when episode.actor is the person's seat."
            )
        state = episode.state
        if not any(episode.decisions(seat)):
            self.write(f"{self.words.rules(seat)}\n")
        self.write(f"{self.words.news(state, seat)}\n{self.words.ask(state, seat)}")
        while True:
            try:
                line = self.read("> ").strip()
            except (EOFError, KeyboardInterrupt) as error:
                raise HumanLeftError(
                    f"{self.name} left: the input ended in place of a move by seat {seat}."
                ) from error
            reply = line if "[" in line else f"[{line}]"
            move = self.words.parse(reply, state, seat)
            if not isinstance(move, Unreadable):
                return move
            self.write(f"{move.reason}.")
