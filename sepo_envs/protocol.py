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
from sepo_envs.replies import SHORT

Style = Literal["conversation", "fresh"]
STYLES: Final[tuple[str, ...]] = get_args(Style)

MOST_READ: Final = 8
"""Short replies that one question remembers how to read."""
FEWEST_RETRIES: Final = "0, which forfeits at the first unreadable reply, is the least"
FORFEITED: Final = "That reply could not be read either, so the rules moved for you."


class Message(NamedTuple):
    role: Literal["user", "assistant"]
    content: str


class Position(Protocol):
    """Where a seat is to move: an `Episode`, or a `Journey`."""

    @property
    def state(self) -> State: ...

    def decisions(self, seat: int) -> Iterator[tuple[State, Move | Forfeit]]:
        """Each state in which ``seat`` has decided, oldest first, and what it did there."""


class Question:
    """What one seat is asked in one state. It hangs on its arguments alone, so it may be kept.

    Args:
        story: of the style ``fresh``, all that a prompt tells ahead of the question (`story`); None
            for the style ``conversation``.
    """

    def __init__(self, words: Words, state: State, seat: int, story: str | None = None) -> None:
        self.story = story
        self.conversation = words.conversation(state)
        self.ask = words.ask(state, seat)
        news = f"{words.news(state, seat)}\n{self.ask}"
        self.told = news if story is None else f"{story}\n{news}"
        """The news and the moves; of the style ``fresh`` the whole prompt."""
        self.opening = f"{words.rules(seat)}\n\n{news}" if story is None else self.told
        """What opens a chat here."""
        self.read = Readings(words, state, seat)
        """What replies to it say."""

    def put(self, conversation: int | None, forfeited: bool) -> tuple[str, bool]:
        """The message that asks it, and whether a new chat opens with it.

        Args:
            conversation: the number of the conversation that the seat was last in.
            forfeited: whether its last reply there was a FORFEIT.
        """
        if self.conversation != conversation or self.story is not None:
            return self.opening, True
        return f"{FORFEITED}\n{self.told}" if forfeited else self.told, False

    def again(self, reason: str, prompt: str) -> tuple[str, bool]:
        """`put`, after a reply to ``prompt`` that was unreadable for this ``reason``."""
        again = f"Your reply could not be read: {reason}.\n{self.ask}"
        return (again, False) if self.story is None else (f"{prompt}\n{again}", True)


class Readings(dict[str, Move | Unreadable]):
    """What each reply says, by `Words.parse`; short ones, which many give alike, are read once."""

    def __init__(self, words: Words, state: State, seat: int) -> None:
        super().__init__()
        self.words, self.state, self.seat = words, state, seat

    def __missing__(self, reply: str) -> Move | Unreadable:
        move = self.words.parse(reply, self.state, self.seat)
        if len(reply) <= SHORT and len(self) < MOST_READ:
            self[reply] = move
        return move


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

    def hear(self, episode: Position) -> Talk:
        """The talk once the seat, which is to move in ``episode``, has been asked for its move."""
        question = asked(self.words, episode, self.seat, self.style)
        text, anew = question.put(self.conversation, self.tries > self.max_retries)
        return self._replace(
            messages=self._with("user", text, anew), conversation=question.conversation, tries=0
        )

    def reply(self, text: str, episode: Position) -> tuple[Talk, Move | Forfeit | None]:
        """The talk after the model's reply, and its move; None asks for another try.

        The move is FORFEIT once ``max_retries`` further tries were unreadable too.
        """
        story = "" if self.style == "fresh" else None
        question = Question(self.words, episode.state, self.seat, story)
        move, talk = question.read[text], self._replace(messages=self._with("assistant", text))
        if not isinstance(move, Unreadable):
            return talk, move
        talk = talk._replace(tries=self.tries + 1)
        if talk.tries > self.max_retries:
            return talk, FORFEIT
        more, anew = question.again(move.reason, self.messages[-1].content)
        return talk._replace(messages=talk._with("user", more, anew)), None

    def _with(
        self, role: Literal["user", "assistant"], content: str, anew: bool = False
    ) -> tuple[Message, ...]:
        return (*(() if anew else self.messages), Message(role, content))


class Chat:
    """A `Talk` for environments: it grows in place, as dictionaries that chat templates want."""

    __slots__ = ("conversation", "max_retries", "messages", "prompt", "question", "tries")

    def __init__(self, max_retries: int) -> None:
        self.max_retries = max_retries
        self.start()

    def start(self) -> None:
        """Forget everything: an episode starts."""
        self.tries = 0
        self.conversation: int | None = None
        self.question: Question | None = None
        """The one heard last."""
        self.messages: list[dict[str, str]] = []
        self.prompt = ""
        """What the seat reads now: the newest message to it; empty before the first."""

    def hear(self, question: Question, reason: str = "") -> None:
        """`Talk.hear`; with a ``reason`` why the last reply was unreadable, the question again."""
        if reason:
            text, anew = question.again(reason, self.prompt)
        else:
            text, anew = question.put(self.conversation, self.tries > self.max_retries)
            self.question, self.conversation, self.tries = question, question.conversation, 0
        if anew:
            self.messages = []
        self.messages.append({"role": "user", "content": text})
        self.prompt = text

    def reply(self, text: str) -> Move | Forfeit | None:
        """`Talk.reply` to the question that was heard last."""
        question = self.question
        assert question is not None, "an answer needs a question"
        self.messages.append({"role": "assistant", "content": text})
        move = question.read[text]
        if not isinstance(move, Unreadable):
            return move
        self.tries += 1
        if self.tries > self.max_retries:
            return FORFEIT
        self.hear(question, move.reason)
        return None


def asked(words: Words, episode: Position, seat: int, style: Style) -> Question:
    """What ``seat``, which is to move in ``episode``, is asked."""
    told = story(words, episode, seat) if style == "fresh" else None
    return Question(words, episode.state, seat, told)


def story(words: Words, episode: Position, seat: int) -> str:
    """The rules, and what ``seat`` has learned and done so far in this conversation."""
    here = words.conversation(episode.state)
    lines = [words.rules(seat), ""]
    for state, move in episode.decisions(seat):
        if words.conversation(state) == here:
            lines.append(words.news(state, seat))
            said = (
                "You gave no readable reply, so the rules moved for you."
                if move is FORFEIT
                else f"You chose {words.say(move, state, seat)}."
            )
            lines.append(said)
    return "\n".join(lines)


def checked(style: Style, max_retries: int) -> tuple[Style, int]:
    """Both, if they can be played with.

    Raises:
        ValueError: there is no such style, or no such number of retries.
    """
    if style not in STYLES:
        raise ValueError(f"no prompt style {style!r}; choose one of {', '.join(STYLES)}.")
    check_whole("max_retries", max_retries, least=0, because=FEWEST_RETRIES)
    return style, max_retries
