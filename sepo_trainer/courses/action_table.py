"""A language model's exact move probabilities, by scoring every complete legal reply.

In each situation every reply of the form (thought, move) that the domain's words allow, the bare
move among them, is scored by teacher forcing; a move's probability is the sum over its replies.
What the model says otherwise is uncovered: it is reported, and turns every exact number into an
interval.

In a conversation the seat's own earlier replies are part of the prompt. Then the situation is
scored behind each of them and averaged by how likely the policy was to have said it, which is the
behaviour that any opponent meets (Kuhn's theorem). So the table is the policy that plays, not the
policy of some other prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from sepo_envs.episode import Episode, begin
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import Move
from sepo_envs.protocol import Style, Talk
from sepo_trainer.learning.measure import measure
from sepo_trainer.policy.forward import hidden_states
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Ids
from sepo_trainer.stage import Stage


class _Candidate(NamedTuple):
    """One complete legal reply in one context."""

    text: str
    ids: Ids
    move: Move


@dataclass(slots=True)
class _Context:
    """One chat in which a situation's question is put, and the context and reply it came from."""

    situation: str
    talk: Talk
    prompt: Ids
    candidates: tuple[_Candidate, ...]
    came_from: tuple[int, int] | None
    """(context, candidate) of the seat's reply before this one; None for its first decision."""


class ActionTableReader:
    """Reads the table of one domain. The questions are put together once, the model may change.

    Args:
        temperature: that of the sampler; the table is of the policy that plays.
        max_new_tokens: that of the sampler; a longer reply is never finished, so it covers nothing.
    """

    def __init__(
        self,
        stage: Stage,
        tree: GameTree,
        renderer: Renderer,
        *,
        style: Style,
        temperature: float = 1.0,
        max_new_tokens: int | None = None,
    ) -> None:
        self._temperature = temperature
        self._tree = tree
        self._contexts: list[_Context] = []
        for situation in tree.situations:
            self._add_contexts(stage, renderer, style, tree.example(situation), situation)
        self._rows = [
            (context.prompt, candidate.ids)
            for context in self._contexts
            for candidate in context.candidates
        ]
        longest = max(len(ids) for _, ids in self._rows)
        self._fits = np.array([len(ids) <= (max_new_tokens or longest) for _, ids in self._rows])
        self._ids = np.array([(*ids, *(0,) * (longest - len(ids))) for _, ids in self._rows])
        self._mask = np.array(
            [[1] * len(ids) + [0] * (longest - len(ids)) for _, ids in self._rows]
        )

    @property
    def replies(self) -> int:
        """How many replies one reading scores."""
        return len(self._rows)

    @torch.inference_mode()
    def read(self, model: PreTrainedModel, *, pad_id: int) -> ActionTable:
        """The table of ``model`` as it stands, in one batch."""
        seen = hidden_states(model, self._rows, pad_id=pad_id)
        ids = torch.from_numpy(self._ids).to(model.device)
        found = measure(seen, ids[..., None], temperature=self._temperature)
        each = found.logprobs[..., 0].double().cpu().numpy()
        said = np.where(self._fits, np.exp((each * self._mask).sum(1)), 0.0)

        mass: dict[str, dict[Move, float]] = {s: {} for s in self._tree.situations}
        arrived: list[float] = []  # probability, per context, of the replies that led to it
        reply: list[list[float]] = []
        row = 0
        for context in self._contexts:
            weight = 1.0
            if context.came_from is not None:
                before, candidate = context.came_from
                weight = arrived[before] * reply[before][candidate]
            arrived.append(weight)
            reply.append([float(p) for p in said[row : row + len(context.candidates)]])
            row += len(context.candidates)
            moves = mass[context.situation]
            for candidate_, p in zip(context.candidates, reply[-1], strict=True):
                moves[candidate_.move] = moves.get(candidate_.move, 0.0) + weight * p
        reached = dict.fromkeys(mass, 0.0)
        for context, weight in zip(self._contexts, arrived, strict=True):
            reached[context.situation] += weight
        rows, uncovered = {}, {}
        for situation, moves in mass.items():
            covered = sum(moves.values())
            if covered <= 0:  # never says a legal reply here: nothing is known, so all is uncovered
                rows[situation] = {move: 1 / len(moves) for move in moves}
                uncovered[situation] = 1.0
                continue
            rows[situation] = {move: p / covered for move, p in moves.items()}
            uncovered[situation] = max(0.0, 1 - covered / reached[situation])
        return ActionTable(rows, uncovered)

    def _add_contexts(
        self, stage: Stage, renderer: Renderer, style: Style, target: Episode, situation: str
    ) -> None:
        seat = target.actor
        assert seat is not None
        episode = begin(self._tree.game)
        talks: list[tuple[Talk, Ids, tuple[int, int] | None]] = [
            (Talk(stage.words, seat, style), (), None)
        ]
        index = {(c.situation, c.came_from): number for number, c in enumerate(self._contexts)}
        for actor, move in (*target.entries, (seat, None)):
            if actor != seat:
                episode = episode.play(move)
                continue
            asked = []
            here = self._tree.game.observe(episode.state, seat).situation
            for talk, held, origin in talks:
                heard = talk.hear(episode)
                prompt = renderer.extend(held, heard.messages) if held else None
                asked.append((heard, prompt or renderer.prompt(heard.messages), origin))
            if move is None:
                for talk, prompt, origin in asked:
                    candidates = self._candidates(stage, renderer, episode, seat)
                    self._contexts.append(_Context(situation, talk, prompt, candidates, origin))
                return
            # The seat's own earlier move: go on behind every reply that says it.
            talks = []
            for talk, prompt, origin in asked:
                number = index[here, origin]
                for position, candidate in enumerate(self._contexts[number].candidates):
                    if candidate.move == move:
                        said, _ = talk.reply(candidate.text, episode)
                        talks.append((said, prompt + candidate.ids, (number, position)))
            if style == "fresh":  # the prompt tells the moves, not the words: one serves all
                talks = [(talks[0][0], (), None)]
            episode = episode.play(move)

    def _candidates(
        self, stage: Stage, renderer: Renderer, episode: Episode, seat: int
    ) -> tuple[_Candidate, ...]:
        game, words = self._tree.game, stage.words
        found = []
        for move in game.legal_moves(episode.state, seat):
            bare = words.say(move, episode.state, seat)
            for thought in ("", *words.thoughts(episode.state, seat)):
                text = f"{thought} {bare}".strip()
                found.append(_Candidate(text, renderer.reply(text), move))
        return tuple(found)
