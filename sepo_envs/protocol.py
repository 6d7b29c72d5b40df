"""One seat's side of the talk: states become chat messages, replies become moves, by the foul rule.

Two styles from the same three functions of a game's `Words`:

* ``conversation``: one growing chat. The rules come first, the seat's own replies stay in it, and
  each later message tells only the news.
* ``fresh``: one prompt per decision, complete in itself: the rules, all the news and the moves so
  far, and none of the replies.

The foul rule: an unreadable reply changes nothing in the game and is asked again, the reason shown,
up to ``max_retries`` times; then the seat forfeits the move, which is one foul. A reply is never
repaired, and an error of a model server must never be turned into a reply.

Knows no game, no API and no model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, get_args

from sepo_envs.episode import Episode
from sepo_envs.game import FORFEIT, Forfeit, Move, Unreadable, Words

Style = Literal["conversation", "fresh"]

FORFEITED: Final = "That reply could not be read either, so the rules moved for you."


class Message(NamedTuple):
    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Talk:
    """What one seat has read and said in its current conversation. A value: each step returns a
    new one.

    >>> from sepo_envs.episode import begin
    >>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker
    >>> from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
    >>> episode = begin(KuhnPoker()).play(Card.KING).play(Card.JACK)
    >>> talk = Talk(KuhnPokerWords(KuhnPoker()), seat=0).hear(episode)
    >>> talk.messages[-1].content.splitlines()[-2]
    'You are dealt the King. You act first.'
    >>> talk, move = talk.reply("The King wins. [bet]", episode)
    >>> move
    <Move.BET: 'bet'>
    """

    words: Words
    seat: int
    style: Style = "conversation"
    max_retries: int = 1
    messages: tuple[Message, ...] = ()
    conversation: int | None = None
    tries: int = 0
    """Unreadable replies to the question now open."""

    def __post_init__(self) -> None:
        if self.style not in get_args(Style):
            raise ValueError(
                f"no prompt style {self.style!r}; choose one of {', '.join(get_args(Style))}."
            )
        if self.max_retries < 0:
            raise ValueError(
                f"max_retries is {self.max_retries}; "
                "use 0 to forfeit at the first unreadable reply."
            )

    def hear(self, episode: Episode) -> Talk:
        """The talk once the seat, which is to move in ``episode``, has been asked for its move."""
        number = self.words.conversation(episode.state)
        opening = number != self.conversation
        before: tuple[Message, ...] = ()
        if self.style == "fresh":
            prompt = self._whole_story(episode)
        else:
            parts = [] if not opening else [self.words.rules(self.seat), ""]
            parts += [FORFEITED] if not opening and self.tries > self.max_retries else []
            parts += [self._question(episode)]
            prompt, before = "\n".join(parts), () if opening else self.messages
        return replace(
            self, messages=(*before, Message("user", prompt)), conversation=number, tries=0
        )

    def reply(self, text: str, episode: Episode) -> tuple[Talk, Move | Forfeit | None]:
        """The talk after the model's reply, and its move; None asks for another try.

        The move is FORFEIT once ``max_retries`` further tries were unreadable too.
        """
        said = replace(self, messages=(*self.messages, Message("assistant", text)))
        move = self.words.parse(text, episode.state, self.seat)
        if not isinstance(move, Unreadable):
            return said, move
        said = replace(said, tries=self.tries + 1)
        if said.tries > self.max_retries:
            return said, FORFEIT
        again = (
            f"Your reply could not be read: {move.reason}.\n"
            f"{self.words.ask(episode.state, self.seat)}"
        )
        if self.style == "fresh":
            asked = f"{self.messages[-1].content}\n{again}"
            return replace(said, messages=(Message("user", asked),)), None
        return replace(said, messages=(*said.messages, Message("user", again))), None

    def _question(self, episode: Episode) -> str:
        news = self.words.news(episode.state, self.seat)
        return f"{news}\n{self.words.ask(episode.state, self.seat)}"

    def _whole_story(self, episode: Episode) -> str:
        here = self.words.conversation(episode.state)
        story = [self.words.rules(self.seat), ""]
        for state, move in episode.decisions(self.seat):
            if self.words.conversation(state) == here:
                story.append(self.words.news(state, self.seat))
                said = (
                    "You gave no readable reply, so the rules moved for you."
                    if move is FORFEIT
                    else f"You chose {self.words.say(move, state, self.seat)}."
                )
                story.append(said)
        return "\n".join([*story, self._question(episode)])
