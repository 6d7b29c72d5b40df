"""Chat messages become token ids exactly once; what has been sampled is never encoded anew.

A conversation is held as ids. To go on, only the text *between* the last reply and the next is
encoded and appended, so the next prompt extends the held ids by construction. Where a chat template
rewrites what came before (some drop earlier thinking), the held ids cannot be extended: then the
turn opens a row of its own.

What a chat looks like is the template's to say, and it is asked: how the assistant's turn opens,
with which token it ends, and what stands before a reply that was not thought about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase

from sepo_envs.episode import Episode
from sepo_envs.game import Forfeit, Move
from sepo_envs.protocol import Message, Talk
from sepo_envs.replies import answer_span
from sepo_trainer.records import Ids

ASK = (Message("user", "Hm?"),)
ANSWER = "Aha."
ANSWERED = (*ASK, Message("assistant", ANSWER))
"""A chat that every template can write, which shows how it writes them."""
REMEMBERED = 2**15
"""Most entries of each memory; beyond it the longest unused one goes."""
CHATS_REMEMBERED = 2**12
"""The same of whole chats as text. Each is wanted once more, by the chat's next turn."""


class Beside(NamedTuple):
    """An answer that is another one in a single token."""

    number: int
    """Which of those that were asked for."""
    place: int
    """Of the token among those inside the brackets."""
    token: int


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
    """Text and ids of one tokenizer, remembered: the same prompts come back thousands of times.

    Args:
        thinking: whether the chat template is to make the model think first, as far as it knows
            `enable_thinking`; None leaves it to the template.
        end_ids: tokens that end a reply, besides the one with which the template ends a turn and
            the tokenizer's own.

    Raises:
        ValueError: there is no such token at all, the template does not open the assistant's turn,
            or it knows nothing of thinking.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        thinking: bool | None = None,
        end_ids: Sequence[int] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._told: dict[str, Any] = {} if thinking is None else {"enable_thinking": thinking}
        if self._told and "enable_thinking" not in str(tokenizer.chat_template):
            raise ValueError(
                f"model.thinking is {str(thinking).lower()}, but the model's chat template has no "
                "`enable_thinking`, so it would change nothing. Leave it out."
            )
        remember = lru_cache(maxsize=REMEMBERED)
        self._text = lru_cache(maxsize=CHATS_REMEMBERED)(self._write)
        self._ids = remember(self._encode)
        asked, closed = self._text(ASK, ask=True), self._text(ANSWERED, ask=False)
        before, _, after = closed.rpartition(ANSWER)
        self._header = _header(asked, self._text(ASK, ask=False), before)
        self._opening = before[len(asked) :] if before.startswith(asked) else ""
        ends = [self._turn_end(after), tokenizer.eos_token_id, *end_ids]
        self.end_ids: tuple[int, ...] = tuple(dict.fromkeys(id for id in ends if id is not None))
        """Tokens that end a reply; the first is the template's."""
        if not self.end_ids:
            raise ValueError(
                "the tokenizer has no end token, so no reply would ever end. Set "
                "tokenizer.eos_token and save it."
            )
        pad_id: int | None = tokenizer.pad_token_id
        self.pad_id = self.end_id if pad_id is None else pad_id
        self._prompt = remember(self._encode_chat)
        self._between = remember(self._encode_between)
        self._decoded = remember(self._decode)
        self._chosen = remember(self._inside_brackets)
        self._choices = remember(self._inside_any)
        self._answer = remember(self._bare_answer)
        self._beside = remember(self._one_token_away)

    @property
    def end_id(self) -> int:
        """The token that the template writes behind a reply."""
        return self.end_ids[0]

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
        """The ids of a reply written by someone else (a demonstrator), with the end token; after
        what the template writes where nothing was thought first."""
        return (*self._encode(self._opening + text), self.end_id)

    def text(self, output_ids: Ids) -> str:
        """What the policy wrote, without the end token; any other special token stays visible."""
        return self._decoded(output_ids)

    def move_tokens(self, output_ids: Ids) -> tuple[bool, ...]:
        """Which of the written tokens say the move: those inside the last pair of brackets."""
        return self._chosen(output_ids)

    def inside(self, output_ids: Ids) -> Ids:
        """Those tokens themselves."""
        chosen = self.move_tokens(output_ids)
        return tuple(token for token, said in zip(output_ids, chosen, strict=True) if said)

    def choices(self, bare_replies: tuple[str, ...]) -> Ids:
        """Every token that stands inside the brackets of one of ``bare_replies``, sorted."""
        return self._choices(bare_replies)

    def answer(self, bare_reply: str) -> Ids:
        """The tokens that stand inside its brackets, in order."""
        return self._answer(bare_reply)

    def beside(self, bare_reply: str, others: tuple[str, ...]) -> tuple[Beside, ...]:
        """Those of ``others`` whose answer is another one in a single token."""
        return self._beside(bare_reply, others)

    def _inside_any(self, bare_replies: tuple[str, ...]) -> Ids:
        return tuple(sorted({token for text in bare_replies for token in self.answer(text)}))

    def _bare_answer(self, bare_reply: str) -> Ids:
        return self.inside(self.reply(bare_reply))

    def _one_token_away(self, bare_reply: str, others: tuple[str, ...]) -> tuple[Beside, ...]:
        found, here = [], self.answer(bare_reply)
        for number, text in enumerate(others):
            there = self.answer(text)
            if len(here) == len(there):
                pairs = enumerate(zip(here, there, strict=True))
                apart = [place for place, (mine, other) in pairs if mine != other]
                if len(apart) == 1:
                    found.append(Beside(number, apart[0], there[apart[0]]))
        return tuple(found)

    def _inside_brackets(self, output_ids: Ids) -> tuple[bool, ...]:
        span = answer_span(self.text(output_ids))
        if span is None:
            return (False,) * len(output_ids)
        ends = [len(self.text(output_ids))]  # of ever shorter beginnings, down to the answer
        while ends[-1] > span[0] + 1:
            ends.append(len(self._decode(output_ids[: len(output_ids) - len(ends)])))
        inside = [before < span[1] - 1 and after > span[0] + 1 for after, before in pairwise(ends)]
        return (False,) * (len(output_ids) - len(inside)) + tuple(reversed(inside))

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
            end = str(self._tokenizer.decode([self.end_id]))
            if not between.startswith(end):
                return None
            between = between[len(end) :]
        return self._ids(between)

    def _encode_chat(self, messages: tuple[Message, ...]) -> Ids:
        text = self._text(messages, ask=True)
        assert text.endswith(self._header), "the template opened the assistant's turn at first"
        return self._encode(text)

    def _decode(self, output_ids: Ids) -> str:
        body = output_ids[:-1] if output_ids and output_ids[-1] in self.end_ids else output_ids
        return str(self._tokenizer.decode(list(body)))

    def _write(self, messages: tuple[Message, ...], *, ask: bool) -> str:
        chat = [message._asdict() for message in messages]
        text = self._tokenizer.apply_chat_template(
            chat, add_generation_prompt=ask, tokenize=False, **self._told
        )
        assert isinstance(text, str)
        return text

    def _encode(self, text: str) -> Ids:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _turn_end(self, after: str) -> int | None:
        """The token that begins ``after``, what the template writes behind a reply, if it is one
        that no text encodes to."""
        first = self._encode(after)[:1]
        own = {*self._tokenizer.all_special_ids, *self._tokenizer.added_tokens_decoder}
        return first[0] if first and first[0] in own else None


def _header(asked: str, told: str, before: str) -> str:
    """What opens the assistant's turn.

    Args:
        asked: a question as the template puts it, ending where the assistant is to begin.
        told: the same question, with nobody asked.
        before: all that stands before the assistant's answer once it has been given.

    Raises:
        ValueError: the two are the same, though something opens the turn later.

    >>> _header("<user>Hm?<assistant>", "<user>Hm?", "<user>Hm?<assistant>")
    '<assistant>'
    """
    if asked != told and asked.startswith(told):
        return asked[len(told) :]
    if asked == told and asked == before.rstrip():  # the end of the question is the opening
        return asked[-1:]
    raise ValueError(
        "the chat template does not open the assistant's turn when it is asked to "
        "(add_generation_prompt), so the model would go on with the question. Use the template "
        "of an instruction-tuned model, or mend tokenizer.chat_template and save it."
    )
