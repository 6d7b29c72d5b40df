"""A language model's exact move probabilities after every history of a repeated game.

Where both seats see all that is played, a situation is a history, and a seat's chat in it goes on
from the chat in the one before. So all of a seat's chats are one tree of tokens, which is read part
by part along its branches: the eight rounds of the prisoner's dilemma in about a minute.

A reply is scored by teacher forcing, as in `sepo_trainer.courses.action_table`, but only the bare
move is. What the model says otherwise, a remark before its move or something unreadable, is
uncovered, which turns every number of the table into an interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

import torch
from transformers import PreTrainedModel

from sepo_envs.episode import Episode, begin
from sepo_envs.exact import ActionTable
from sepo_envs.game import Move, RepeatedGame
from sepo_envs.protocol import Style, Talk
from sepo_trainer.learning.measure import measure
from sepo_trainer.policy.forward import hidden_states, pad_right
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Ids
from sepo_trainer.stage import Stage

MOST_HISTORIES: Final = 50_000
"""Of a game that is read out: the split negotiation has ten times as many."""
AT_ONCE: Final = 1_024
"""Chats that are scored together."""


class _Chat(NamedTuple):
    """What one seat has read and said when it is asked for its move."""

    situation: str
    start: Ids
    """What it was asked first."""
    since: Ids
    """What was said after that."""
    replies: dict[Move, Ids]


def can_be_read(stage: Stage) -> bool:
    """Whether the domain's game repeats a stage, and has few enough histories."""
    game = stage.game
    if not isinstance(game, RepeatedGame) or game.stage() is None:
        return False
    pairs = len(game.moves) ** 2
    histories: int = sum(pairs**length for length in range(game.rounds))
    return histories <= MOST_HISTORIES


@dataclass(frozen=True, slots=True)
class MatchReader:
    """Reads the tables of models in one domain.

    Args:
        style: in which the model is asked.
        temperature: that of the sampler; the table is of the policy that plays.
        max_new_tokens: that of the sampler; a longer reply is never finished, so it covers nothing.
    """

    stage: Stage
    renderer: Renderer
    style: Style
    temperature: float = 1.0
    max_new_tokens: int | None = None

    @torch.inference_mode()
    def read(self, model: PreTrainedModel, *, pad_id: int) -> ActionTable:
        """The table of ``model`` as it stands, of both seats.

        Raises:
            ValueError: the game cannot be read out.
        """
        if not can_be_read(self.stage):
            raise ValueError(
                f"{self.stage.game} cannot be read out: it repeats no stage that both seats see, "
                f"or has more than {MOST_HISTORIES:,} histories. Take a bound from below."
            )
        rows: dict[str, dict[Move, float]] = {}
        uncovered: dict[str, float] = {}
        chats = (chat for seat in (0, 1) for chat in self._chats(seat, begin(self.stage.game)))
        for some in iter(lambda: list(islice(chats, AT_ONCE)), []):
            said = iter(self._said(model, some, pad_id))
            for chat in some:
                moves = {move: next(said) for move in chat.replies}
                covered = sum(moves.values())
                if covered <= 0:  # it never says a legal reply here: nothing is known
                    moves, total = dict.fromkeys(moves, 1.0), float(len(moves))
                else:
                    total = covered
                rows[chat.situation] = {move: p / total for move, p in moves.items()}
                uncovered[chat.situation] = max(0.0, 1 - covered)
        return ActionTable(rows, uncovered)

    def _said(self, model: PreTrainedModel, chats: list[_Chat], pad_id: int) -> list[float]:
        """How likely the model says each reply of each chat, in order."""
        scored = [
            (chat.start, chat.since + reply, len(reply))
            for chat in chats
            for reply in chat.replies.values()
        ]
        wanted = [[False] * (len(rest) - size) + [True] * size for _, rest, size in scored]
        rows = [(start, rest) for start, rest, _ in scored]
        seen = hidden_states(model, rows, pad_id=pad_id, wanted=wanted)
        ids = pad_right([rest for _, rest in rows], pad_id).to(model.device)
        found = measure(seen, ids[..., None], temperature=self.temperature)
        each = found.logprobs[..., 0].double()
        asked = pad_right(wanted, 0).bool().to(model.device)
        said = torch.where(asked, each, 0.0).sum(1).exp().tolist()
        most = self.max_new_tokens
        return [
            0.0 if most is not None and size > most else p
            for p, (_, _, size) in zip(said, scored, strict=True)
        ]

    def _chats(
        self, seat: int, episode: Episode, talk: Talk | None = None, start: Ids = (), held: Ids = ()
    ) -> Iterator[_Chat]:
        """Those of ``seat`` from ``episode`` on, each before those that go on from it.

        Args:
            talk: what was said up to the seat's last reply.
            start, held: the ids of the first question, and of all that came up to that reply.
        """
        game, words = self.stage.game, self.stage.words
        heard = (talk or Talk(words, seat, self.style)).hear(episode)
        prompt = self.renderer.extend(held, heard.messages) if held else None
        if prompt is None:
            start = prompt = self.renderer.prompt(heard.messages)
        texts = {move: words.say(move, episode.state, seat) for move in game.moves}
        replies = {move: self.renderer.reply(text) for move, text in texts.items()}
        situation = game.observe(episode.state, seat).situation
        yield _Chat(situation, start, prompt[len(start) :], replies)
        for mine in game.moves:
            said, _ = heard.reply(texts[mine], episode)
            here = prompt + replies[mine] if self.style == "conversation" else ()
            for theirs in game.moves:
                pair = (mine, theirs) if seat == 0 else (theirs, mine)
                later = episode.play(pair[0]).play(pair[1])
                if later.actor is not None:
                    yield from self._chats(seat, later, said, start if here else (), here)
