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

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, Protocol, get_args

from sepo_envs.game import FORFEIT, Forfeit, Move, State, Unreadable, Words
from sepo_envs.games.options import check_whole

Style = Literal["conversation", "fresh"]
STYLES: Final[tuple[str, ...]] = get_args(Style)

FEWEST_RETRIES: Final = "0, which forfeits at the first unreadable reply, is the least"
FORFEITED: Final = "That reply could not be read either, so the rules moved for you."


class Message(NamedTuple):
    role: Literal["user", "assistant"]
    content: str


class Place(Protocol):
    """Where a seat is to move: an `Episode`, or a `Moment` of one."""

    @property
    def state(self) -> State: ...

    def decisions(self, seat: int) -> Iterator[tuple[State, Move | Forfeit]]:
        """Each state in which ``seat`` has decided, oldest first, and what it did there."""


class Talk(NamedTuple):
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

    def hear(self, episode: Place, *, told: str | None = None) -> Talk:
        """The talk once the seat, which is to move in ``episode``, has been asked for its move.

        Args:
            told: what `told` says here, if the caller knows it already.
        """
        number = self.words.conversation(episode.state)
        if told is None:
            told = self.told(episode)
        if self.style == "fresh":
            return self._on((Message("user", told),), number)
        if number != self.conversation:
            return self._on((Message("user", f"{self.words.rules(self.seat)}\n\n{told}"),), number)
        if self.tries > self.max_retries:
            told = f"{FORFEITED}\n{told}"
        return self._on((*self.messages, Message("user", told)), number)

    def told(self, episode: Place) -> str:
        """The news and the question of a conversation, or the whole story of a fresh prompt.

        It hangs on the episode, the seat and the style alone, so it may be kept.
        """
        return self._whole_story(episode) if self.style == "fresh" else self._question(episode)

    def reply(self, text: str, episode: Place) -> tuple[Talk, Move | Forfeit | None]:
        """The talk after the model's reply, and its move; None asks for another try.

        The move is FORFEIT once ``max_retries`` further tries were unreadable too.
        """
        messages = (*self.messages, Message("assistant", text))
        move = self.words.parse(text, episode.state, self.seat)
        if not isinstance(move, Unreadable):
            return self._on(messages, self.conversation, self.tries), move
        tries = self.tries + 1
        if tries > self.max_retries:
            return self._on(messages, self.conversation, tries), FORFEIT
        again = (
            f"Your reply could not be read: {move.reason}.\n"
            f"{self.words.ask(episode.state, self.seat)}"
        )
        if self.style == "fresh":
            messages, again = (), f"{self.messages[-1].content}\n{again}"
        return self._on((*messages, Message("user", again)), self.conversation, tries), None

    def _on(self, messages: tuple[Message, ...], conversation: int | None, tries: int = 0) -> Talk:
        return Talk(
            self.words, self.seat, self.style, self.max_retries, messages, conversation, tries
        )

    def _question(self, episode: Place) -> str:
        news = self.words.news(episode.state, self.seat)
        return f"{news}\n{self.words.ask(episode.state, self.seat)}"

    def _whole_story(self, episode: Place) -> str:
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


def silence(
    words: Words, seats: int, *, style: Style = "conversation", max_retries: int = 1
) -> tuple[Talk, ...]:
    """Each seat's talk before anything was said.

    Raises:
        ValueError: there is no such style, or no such number of retries.
    """
    if style not in STYLES:
        raise ValueError(f"no prompt style {style!r}; choose one of {', '.join(STYLES)}.")
    check_whole("max_retries", max_retries, least=0, because=FEWEST_RETRIES)
    return tuple(Talk(words, seat, style, max_retries) for seat in range(seats))
