"""A sampler as a chat model: whoever asks in messages is answered by a policy in this process.

What it reads is what it would read in training: a chat that goes on from its own reply goes on from
the very ids that it wrote, which text alone does not give back.
"""

from __future__ import annotations

from collections.abc import Sequence

from opponents.language_model import ChatRequest, Reply
from sepo_envs.protocol import Message, Style
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Ids, Request
from sepo_trainer.samplers import Writer

MOST_HELD = 2**13
"""Replies from which a chat may go on as ids; of older ones only the text is left."""


class SampledChat:
    """Replies of a policy.

    Args:
        name: what tables call it.
        style: in which it was trained.
    """

    def __init__(self, name: str, writer: Writer, renderer: Renderer, *, style: Style) -> None:
        self.name, self.style = name, style
        self.writer, self.renderer = writer, renderer
        self._held: dict[tuple[int, tuple[Message, ...]], Ids] = {}
        """Prompt and reply, by the reply's seed and the chat up to it: another chat may have come
        to the same text by other ids."""

    def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
        prompts = [self._prompt(request) for request in requests]
        written = self.writer.generate(
            [Request(ids, request.seed) for ids, request in zip(prompts, requests, strict=True)]
        )
        replies = []
        for request, prompt, found in zip(requests, prompts, written, strict=True):
            text = self.renderer.text(found.output_ids)
            whole = (*request.messages, Message("assistant", text))
            self._held[request.seed, whole] = prompt + found.output_ids
            replies.append(Reply(text, len(prompt), len(found.output_ids)))
        while len(self._held) > MOST_HELD:
            del self._held[next(iter(self._held))]
        return replies

    def _prompt(self, request: ChatRequest) -> Ids:
        """The ids to reply to: those held, continued where that is possible, else the chat anew."""
        held, messages = None, request.messages
        if request.follows is not None:
            held = self._held.pop((request.follows, messages[:-1]), None)
        extended = None if held is None else self.renderer.extend(held, messages)
        return extended or self.renderer.prompt(messages)
