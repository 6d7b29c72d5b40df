"""Whoever writes the next reply of a chat: an endpoint, a local model, a person. Knows no game.

A chat model reads messages and answers with text. What the text means, and what an unreadable one
costs, is the protocol's to say (`sepo_envs.protocol`); here a reply is only what was written.

>>> class Parrot:
...     name, style = "parrot", "conversation"
...     def reply(self, requests):
...         return [Reply(request.messages[-1].content, 2, 2) for request in requests]
>>> hello = ChatRequest((Message("user", "Hello."),), seed=0)
>>> Parrot().reply([hello])[0].text
'Hello.'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from sepo_envs.protocol import Message, Style


class ChatModelError(Exception):
    """No reply could be had. It is never turned into one: the evaluation stops, and what was
    finished before stays."""


class ChatRequest(NamedTuple):
    """One reply that is wanted."""

    messages: tuple[Message, ...]
    """The chat so far; the last message is the user's."""
    seed: int
    """Of this reply, from its address: equal requests with equal seeds get equal replies where the
    model allows it. 0 to 2**63 - 1."""
    follows: int | None = None
    """The seed of the reply that stands last in ``messages``, where the chat goes on from one; so a
    model can go on from the very tokens that it wrote."""


class Reply(NamedTuple):
    """What was written."""

    text: str
    prompt_tokens: int
    output_tokens: int
    cost: float = 0.0
    """In US dollars, at the prices the model was given; the same whether it was paid now or is read
    back from a cache."""


@runtime_checkable
class ChatModel(Protocol):
    """Replies to chats."""

    @property
    def name(self) -> str:
        """What tables and reports call it."""

    @property
    def style(self) -> Style:
        """In which it is asked unless somebody says otherwise: the one that it was trained in."""

    def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
        """One reply per request, in order.

        Raises:
            ChatModelError: one of them could not be had.
        """


def replies_of(model: ChatModel, requests: Sequence[ChatRequest]) -> list[Reply]:
    """What ``model`` replies, once it is clear that it replied to everything, and with text.

    Raises:
        ChatModelError: it failed, or did not.
    """
    replies = model.reply(requests)
    if len(replies) != len(requests):
        raise ChatModelError(
            f"{model.name} gave {len(replies)} replies to {len(requests)} requests. Mend its "
            "reply(): one for each, in order."
        )
    for reply in replies:
        if not isinstance(reply.text, str):
            raise ChatModelError(
                f"{model.name} replied with {reply.text!r}, which is no text. A model that failed "
                "must raise ChatModelError: a failure is never a reply."
            )
    return replies
