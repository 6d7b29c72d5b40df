"""Chat messages become token ids exactly once; what has been sampled is never encoded anew.

A conversation is held as ids. To go on, only the text *between* the last reply and the next is
encoded and appended, so the next prompt extends the held ids by construction. Where a chat template
rewrites what came before (some drop earlier thinking), the held ids cannot be extended: then the
turn opens a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from transformers import PreTrainedTokenizerBase

from sepo_envs.episode import Episode
from sepo_envs.game import Forfeit, Move
from sepo_envs.protocol import Message, Talk
from sepo_envs.replies import answer_span
from sepo_trainer.records import Ids

REMEMBERED = 2**15
"""Most entries of each memory; beyond it the longest unused one goes."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One seat's talk and the ids that hold it. A value: each step returns a new one."""

    talk: Talk
    held: Ids = ()
    """Ids of the current conversation up to and including the last reply."""

    def hears(self, episode: Episode) -> Speaker:
        """Asked for the move that it is to make in ``episode``."""
        return replace(self, talk=self.talk.hear(episode))

    def prompt(self, renderer: Renderer) -> Ids:
        """The ids to reply to: ``held`` continued where that is possible, else the chat anew."""
        messages = self.talk.messages
        extended = renderer.extend(self.held, messages) if len(messages) > 1 else None
        return extended or renderer.prompt(messages)

    def says(
        self, output_ids: Ids, episode: Episode, renderer: Renderer
    ) -> tuple[Speaker, Move | Forfeit | None]:
        """After its reply, and its move; None asks for another try, as `Talk.reply` does."""
        talk, move = self.talk.reply(renderer.text(output_ids), episode)
        return Speaker(talk, self.prompt(renderer) + output_ids), move


class Renderer:
    """Text and ids of one tokenizer, remembered: the same prompts come back thousands of times."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self.end_id: int = tokenizer.eos_token_id
        pad_id: int | None = tokenizer.pad_token_id
        self.pad_id = self.end_id if pad_id is None else pad_id
        remember = lru_cache(maxsize=REMEMBERED)
        self._prompt = remember(self._encode_chat)
        self._between = remember(self._encode_between)
        self._decoded = remember(self._decode)
        self._inside = remember(self._inside_brackets)
        self._choices = remember(self._inside_any)

    def prompt(self, messages: tuple[Message, ...]) -> Ids:
        """The ids of a whole chat, ending with the header that opens the assistant's reply."""
        return self._prompt(messages)

    def extend(self, held: Ids, messages: tuple[Message, ...]) -> Ids | None:
        """``held`` (prompt and reply so far) continued to the next question, or None.

        Args:
            held: ids that end with the reply that ``messages[-2]`` is.
            messages: the chat, ending with the reply and the user's next message.

        Returns:
            ids that begin with ``held``, letter for letter; None where the template changes what
            came before, so that the next question needs a prompt of its own.
        """
        between = self._between(messages, held[-1] == self.end_id)
        return None if between is None else held + between

    def reply(self, text: str) -> Ids:
        """The ids of a reply written by someone else (a demonstrator), with the end token."""
        return (*self._encode(text), self.end_id)

    def text(self, output_ids: Ids) -> str:
        """What the policy wrote, without the end token; any other special token stays visible."""
        return self._decoded(output_ids)

    def move_tokens(self, output_ids: Ids) -> tuple[bool, ...]:
        """Which of the written tokens say the move: those inside the last pair of brackets."""
        return self._inside(output_ids)

    def choices(self, bare_replies: tuple[str, ...]) -> Ids:
        """Every token that stands inside the brackets of one of ``bare_replies``, sorted."""
        return self._choices(bare_replies)

    def _inside_any(self, bare_replies: tuple[str, ...]) -> Ids:
        replies = [self.reply(text) for text in bare_replies]
        inside = {
            token
            for ids in replies
            for token, chosen in zip(ids, self.move_tokens(ids), strict=True)
            if chosen
        }
        return tuple(sorted(inside))

    def _inside_brackets(self, output_ids: Ids) -> tuple[bool, ...]:
        span = answer_span(self.text(output_ids))
        if span is None:
            return (False,) * len(output_ids)
        ends = [len(self.text(output_ids[:n])) for n in range(len(output_ids) + 1)]
        return tuple(
            before < span[1] - 1 and after > span[0] + 1 for before, after in pairwise(ends)
        )

    def _encode_between(self, messages: tuple[Message, ...], ended: bool) -> Ids | None:
        """The ids from the end of the last reply to the header of the next; None if there are none.

        Args:
            ended: the reply closes with the end token, which the template would write again.
        """
        held = self._text(messages[:-2], ask=True) + messages[-2].content
        closed = self._text(messages[:-1], ask=False)
        whole = self._text(messages, ask=True)
        if not (whole.startswith(held) and whole.startswith(closed)):
            return None
        between = whole[len(held) :]
        if ended:
            end = str(self._tokenizer.eos_token)
            if not between.startswith(end):
                return None
            between = between[len(end) :]
        return self._encode(between)

    def _encode_chat(self, messages: tuple[Message, ...]) -> Ids:
        return self._encode(self._text(messages, ask=True))

    def _decode(self, output_ids: Ids) -> str:
        body = output_ids[:-1] if output_ids[-1:] == (self.end_id,) else output_ids
        return str(self._tokenizer.decode(list(body)))

    def _text(self, messages: Sequence[Message], *, ask: bool) -> str:
        chat = [message._asdict() for message in messages]
        text = self._tokenizer.apply_chat_template(chat, add_generation_prompt=ask, tokenize=False)
        assert isinstance(text, str)
        return text

    def _encode(self, text: str) -> Ids:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
