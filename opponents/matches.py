"""Finished matches between players of any kind, on the deals that everybody is dealt. Knows no
game, no HTTP and no model.

A player is an `Opponent`, which answers with move probabilities; a `ChatModel`, which is asked in
words under the foul rule; or a `Person`, at the terminal or elsewhere. Deal i of a seed is the very
deal that the environments and the scorecard deal, and an opponent draws there what it always draws,
whoever else sits at the table: common random numbers across all agents. Where somebody is asked in
words, matches go in waves: all replies that are awaited of one model are one batch.

>>> from opponents.language_model import Reply
>>> from opponents.prisoners_dilemma import ALWAYS_DEFECT
>>> class Saint:
...     name, style = "saint", "fresh"
...     def reply(self, requests):
...         return [Reply("I forgive. [cooperate]", 50, 5) for _ in requests]
>>> seats = (Saint(), ALWAYS_DEFECT)
>>> [match] = play_matches("prisoners_dilemma", seats, deals=[0], seed=0)
>>> match.episode.returns, match.spoken[0].output_tokens
((0.0, 40.0), 40)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opponents.language_model import ChatModel, ChatRequest, Reply, replies_of
from opponents.opponent import Opponent
from sepo_envs.batch import OVER, Board
from sepo_envs.catalogue import Domain
from sepo_envs.catalogue import domain as named_domain
from sepo_envs.draws import Keys, Source, keys
from sepo_envs.episode import Episode
from sepo_envs.game import FORFEIT, Forfeit, Game, Move, Words
from sepo_envs.human import Person
from sepo_envs.protocol import Message, Style, Talk, checked

Ints: TypeAlias = NDArray[np.int64]
Player: TypeAlias = Opponent | ChatModel | Person
"""Whoever can sit down at a table."""

AT_ONCE: Final = 256
"""Matches of a wave, unless told otherwise: an interruption loses no more than these."""


class Spoken(NamedTuple):
    """What one seat was told and said in one match, over all its conversations."""

    messages: tuple[Message, ...]
    prompt_tokens: int
    output_tokens: int
    cost: float
    """In US dollars."""


SILENCE: Final = Spoken((), 0, 0, 0.0)


class Played(NamedTuple):
    """One finished match."""

    deal: int
    episode: Episode
    spoken: Mapping[int, Spoken]
    """By seat, of those that are chat models."""


def play_matches(
    domain: Domain | str,
    seats: Sequence[Player],
    *,
    deals: Sequence[int],
    seed: int,
    game: Game | None = None,
    style: Style | None = None,
    max_retries: int = 1,
    at_once: int = AT_ONCE,
    board: Board | None = None,
    finished: Callable[[Played], object] = lambda match: None,
) -> list[Played]:
    """One match for each of ``deals``, in that order.

    Args:
        seats: who plays, one for each seat; the same player twice plays itself.
        deals: match i is episode i of an environment that was reset with ``seed``.
        game: the rules, if not the domain's default ones.
        style: in which chat models are asked; each in its own unless given.
        max_retries: of the foul rule.
        at_once: matches that go in waves together. It changes no match.
        board: to play on, with rules of its own, so that what earlier matches have walked is not
            walked anew.
        finished: told of each match as it ends, to keep it should a later one fail.

    Raises:
        ValueError: there is not one player per seat, an option is none, or an opponent answers with
            no distribution over legal moves.
        ChatModelError, OpponentError, HumanLeftError: a player failed, or left.
    """
    found = named_domain(domain)
    if board is None:
        board = Board(found.make() if game is None else game)
    if len(seats) != board.game.seats:
        raise ValueError(
            f"{len(seats)} players for the {board.game.seats} seats of {board.game.name}: give one "
            "for each, the same one twice if it plays itself."
        )
    if at_once < 1:
        raise ValueError(f"at_once is {at_once}, but at least 1 match goes at a time.")
    scripted = [player for player in seats if isinstance(player, Opponent)]
    if len(scripted) == len(seats):
        played = board.play(scripted, seeds=[seed] * len(deals), numbers=deals)
        matches = [
            Played(deal, episode, {})
            for deal, episode in zip(deals, played.episodes(), strict=True)
        ]
        for match in matches:
            finished(match)
        return matches
    table = _Table(board, found.words(board.game), tuple(seats), seed, style, max_retries, finished)
    if any(isinstance(player, Person) for player in seats):
        at_once = 1  # or a person would sit at many tables
    waves = [deals[first : first + at_once] for first in range(0, len(deals), at_once)]
    return [match for wave in waves for match in table.play(wave)]


class _InWords:
    """Stands where a seat is asked in words: the board never asks it."""

    def probabilities(self, observation: Any, legal: Sequence[Move]) -> Mapping[Move, float]:
        raise AssertionError("a seat that is asked in words was asked for probabilities")


IN_WORDS: Final = _InWords()


@dataclass(slots=True)
class _Voice:
    """A chat model in one seat of one match."""

    model: ChatModel
    talk: Talk
    source: Source
    said: int = 0
    """Its replies so far."""
    spoken: Spoken = SILENCE

    def request(self, episode: Episode) -> ChatRequest:
        """What it is asked where ``episode`` awaits its move."""
        asked = self.talk.messages
        if not asked or asked[-1].role == "assistant":  # else an unreadable reply is asked again
            self.talk = self.talk.hear(episode)
        messages = self.talk.messages
        self.spoken = self.spoken._replace(messages=(*self.spoken.messages, messages[-1]))
        follows = self._seed(self.said - 1) if len(messages) > 1 else None
        return ChatRequest(messages, self._seed(self.said), follows)

    def answer(self, reply: Reply, episode: Episode) -> Move | Forfeit | None:
        """The move that it makes with ``reply``; None where it is to be asked again."""
        self.said += 1
        before = self.spoken
        self.spoken = Spoken(
            (*before.messages, Message("assistant", reply.text)),
            before.prompt_tokens + reply.prompt_tokens,
            before.output_tokens + reply.output_tokens,
            before.cost + reply.cost,
        )
        self.talk, move = self.talk.reply(reply.text, episode)
        return move

    def _seed(self, number: int) -> int:
        """Of reply ``number`` of this seat: whomever it meets, it draws the same."""
        return self.source.draws(f"reply of seat {self.talk.seat}", number).getrandbits(63)


class _Table(NamedTuple):
    """Who plays what where, at least one of them in words."""

    board: Board
    words: Words
    seats: tuple[Player, ...]
    seed: int
    style: Style | None
    max_retries: int
    finished: Callable[[Played], object]

    def play(self, deals: Sequence[int]) -> list[Played]:
        """The matches of ``deals``, in waves: one reply in each, then whatever follows from it."""
        if self.board.full:
            self.board.forget()
        draws = keys([self.seed], deals)
        node = np.zeros(len(deals), np.int64)
        voices = [self._voices(deal) for deal in deals]
        done: dict[int, Played] = {}
        live = np.arange(len(deals))
        while len(live):
            node[live] = self._walked(node[live], draws[live])
            over = self.board.actors(node[live]) == OVER
            for number in live[over].tolist():
                spoken = {seat: voice.spoken for seat, voice in voices[number].items()}
                episode = self.board.episode(int(node[number]))
                done[number] = Played(deals[number], episode, spoken)
                self.finished(done[number])
            live = live[~over]
            node[live] = self._answered(node[live], [voices[number] for number in live.tolist()])
        return [done[number] for number in range(len(deals))]

    def _voices(self, deal: int) -> dict[int, _Voice]:
        """The chat models of one match, by seat."""
        return {
            seat: _Voice(
                player,
                Talk(self.words, seat, *checked(self.style or player.style, self.max_retries)),
                Source(self.seed, deal),
            )
            for seat, player in enumerate(self.seats)
            if not isinstance(player, Opponent | Person)
        }

    def _walked(self, node: Ints, draws: Keys) -> Ints:
        """Where chance and the opponents lead from each of ``node``: to a seat that is asked in
        words, or to the end."""
        policies = [player if isinstance(player, Opponent) else IN_WORDS for player in self.seats]
        stops = [OVER, *(seat for seat, policy in enumerate(policies) if policy is IN_WORDS)]
        node, moving = node.copy(), np.arange(len(node))
        while True:
            moving = moving[~np.isin(self.board.actors(node[moving]), stops)]
            if not len(moving):
                return node
            rows = self.board.rows(policies, node[moving])
            node[moving] = self.board.follow(node[moving], rows, draws[moving])

    def _answered(self, node: Ints, voices: Sequence[Mapping[int, _Voice]]) -> Ints:
        """The nodes after one reply in each match; the same node where the reply was unreadable."""
        episodes = [self.board.episode(number) for number in node.tolist()]
        moves: dict[int, Move | Forfeit | None] = {}
        awaited: dict[int, list[tuple[int, _Voice]]] = {}  # by the model's identity
        for number, seat in enumerate(self.board.actors(node).tolist()):
            player = self.seats[seat]
            if isinstance(player, Person):
                moves[number] = player.act_on(episodes[number], seat)
            else:
                awaited.setdefault(id(player), []).append((number, voices[number][seat]))
        for asked in awaited.values():
            requests = [voice.request(episodes[number]) for number, voice in asked]
            replies = replies_of(asked[0][1].model, requests)
            for (number, voice), reply in zip(asked, replies, strict=True):
                moves[number] = voice.answer(reply, episodes[number])
        moved = [number for number, move in moves.items() if move is not None]
        slots = [self._slot(episodes[number], moves[number]) for number in moved]
        after = node.copy()
        after[moved] = self.board.children(node[moved], np.array(slots, np.int64))
        return after

    def _slot(self, episode: Episode, move: Move | Forfeit) -> int:
        """Which child of its node ``move`` leads to; the one behind all legal moves is FORFEIT."""
        assert episode.actor is not None
        legal = self.board.game.legal_moves(episode.state, episode.actor)
        return len(legal) if move is FORFEIT else legal.index(move)
