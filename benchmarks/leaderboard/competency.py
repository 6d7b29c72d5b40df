"""Does a text agent know the rules? A control beside every score: who plays badly and knows the
rules chooses to, or reasons badly; who does not know them cannot be said to choose.

Two kinds of questions, made from any game's rules and words:

    legal moves   in a state of random play, told as a player is told it: which of four replies
                  would be a move here?
    payoffs       of a first round of random play, every card open: what does each player earn?

The rulebook gives the answers: a reply is a move if the game's own parser reads it as one, and a
round pays what the rules pay. Replies that are no move are near misses where there are any: a
number of a legal reply changed, what is said in other states of the game; else what is said in
other games. Questions hang on the seed and their number alone, so all agents get the same ones. An
answer is read as strictly as a move is, but there is no second try.

>>> [question] = questions("kuhn_poker", PAYOFFS, count=1, seed=0)
>>> so_far, _, now, _ = question.prompt.splitlines()[-4:]
>>> so_far
'hand 1: player_0 Jack, player_1 King: check bet'
>>> now
'Now player_0 plays call, which ends the round. How many points does each player earn in it?'
>>> question.right, question.read("The better card wins the pot. [-2, +2]")
((-2.0, 2.0), (-2.0, 2.0))
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations
from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from scipy.stats import binomtest

from opponents.language_model import ChatModel, ChatRequest, replies_of
from opponents.scorecard import Estimate
from sepo_envs.catalogue import CATALOGUE, Domain
from sepo_envs.catalogue import domain as named_domain
from sepo_envs.draws import Draws
from sepo_envs.episode import Episode, begin
from sepo_envs.game import Game, Unreadable, Words
from sepo_envs.protocol import Message, story
from sepo_envs.replies import read_answer

Kind: TypeAlias = Literal["legal moves", "payoffs"]
LEGAL_MOVES: Final[Kind] = "legal moves"
PAYOFFS: Final[Kind] = "payoffs"

LETTERS: Final = "abcd"
SOME_LETTERS: Final = re.compile(r"\[\s*([A-Da-d](?:\s*,\s*[A-Da-d]){0,3})\s*\]")
ANSWERS: Final = tuple(
    ",".join(chosen)
    for size in range(1, len(LETTERS) + 1)
    for chosen in combinations(LETTERS, size)
)
POINT: Final = r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?"
POINTS: Final = re.compile(rf"\[\s*({POINT}(?:\s*,\s*{POINT})+)\s*\]")
NUMBER: Final = re.compile(r"[0-9]+")
ROUNDS: Final = 24
"""Random rounds that a question about payoffs is chosen from."""
MOST_CHANGED: Final = 12
"""Legal replies that near misses are made of."""
NEAREST: Final = 3
"""How far the changed number of a near miss may be from a legal one."""
LEVEL: Final = 0.95


class Question(NamedTuple):
    """What is asked, and the rulebook's answer: some of `LETTERS`, or points by seat."""

    kind: Kind
    prompt: str
    right: tuple[str, ...] | tuple[float, ...]

    def read(self, reply: str) -> tuple[str, ...] | tuple[float, ...] | Unreadable:
        """The answer in ``reply``; never guesses.

        >>> Question(PAYOFFS, "?", (3.0, -1.0)).read("The King wins. [+3, -1]")
        (3.0, -1.0)
        >>> Question(LEGAL_MOVES, "?", ("a", "c")).read("[a] and [c]").reason
        'it names 2 different moves, [a] and [c], where exactly one is wanted'
        """
        if self.kind == LEGAL_MOVES:
            letters = read_answer(reply, legal=ANSWERS, shape=SOME_LETTERS, choices="e.g. [a,c]")
            return letters if isinstance(letters, Unreadable) else tuple(letters.split(","))
        shaped = ["".join(match[1].split()) for match in POINTS.finditer(reply)]
        points = read_answer(reply, legal=shaped, shape=POINTS, choices="e.g. [2,-2]")
        return points if isinstance(points, Unreadable) else tuple(map(float, points.split(",")))


class Knowledge(NamedTuple):
    """What an agent knows of one game's rules."""

    questions: int
    """Of each kind."""
    legal_moves: Estimate
    """Share answered rightly, with Wilson's 95 % interval."""
    payoffs: Estimate
    unreadable: int
    """Answers of both kinds that could not be read; they count as wrong."""
    prompt_tokens: int
    output_tokens: int
    cost: float
    """In US dollars."""


def knowledge(model: ChatModel, domain: Domain | str, *, count: int, seed: int = 0) -> Knowledge:
    """Ask ``count`` questions of each kind.

    Raises:
        ChatModelError: an answer could not be had.
        ValueError: there is nothing to ask.
    """
    if count < 1:
        raise ValueError(f"count is {count}, but at least 1 question of each kind is asked.")
    asked = [
        (number, question)
        for kind in (LEGAL_MOVES, PAYOFFS)
        for number, question in enumerate(questions(domain, kind, count, seed))
    ]
    replies = replies_of(model, [_request(question, seed, number) for number, question in asked])
    answers = [
        question.read(reply.text) for (_, question), reply in zip(asked, replies, strict=True)
    ]
    right = [answer == question.right for (_, question), answer in zip(asked, answers, strict=True)]
    return Knowledge(
        count,
        share(sum(right[:count]), count),
        share(sum(right[count:]), count),
        sum(isinstance(answer, Unreadable) for answer in answers),
        sum(reply.prompt_tokens for reply in replies),
        sum(reply.output_tokens for reply in replies),
        sum(reply.cost for reply in replies),
    )


def _request(question: Question, seed: int, number: int) -> ChatRequest:
    draws = _rng(seed, number, f"answer on {question.kind}")
    return ChatRequest((Message("user", question.prompt),), draws.getrandbits(63))


def share(right: int, asked: int) -> Estimate:
    """With the interval of E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", JASA 22 (1927), which is sound near 0 and 1 too.

    >>> [round(bound, 3) for bound in share(10, 10)]
    [1.0, 0.722, 1.0]
    """
    interval = binomtest(right, asked).proportion_ci(LEVEL, method="wilson")
    return Estimate(right / asked, float(interval.low), float(interval.high))


def questions(domain: Domain | str, kind: Kind, count: int, seed: int) -> list[Question]:
    """The first ``count`` questions of this kind on ``domain``, by its default rules."""
    found = named_domain(domain)
    game = found.make()
    words = found.words(game)
    ask = _on_moves if kind == LEGAL_MOVES else _on_payoffs
    return [ask(game, words, _rng(seed, number, kind)) for number in range(count)]


def _rng(seed: int, number: int, what: str) -> Draws:
    return Draws(seed, number, f"competency: {what}")


def _on_moves(game: Game, words: Words, rng: Random) -> Question:
    episode = rng.choice(_random_play(game, rng))
    seat, state = episode.actor, episode.state
    assert seat is not None
    legal = [words.say(move, state, seat) for move in game.legal_moves(state, seat)]
    misses = _misses(game, words, episode, legal, rng)
    most = min(len(legal), len(LETTERS) - 1)
    number = rng.randint(min(most, max(1, len(LETTERS) - len(misses))), most)
    shown = rng.sample(legal, number) + misses[: len(LETTERS) - number]
    rng.shuffle(shown)
    options = list(zip(LETTERS, shown, strict=False))
    prompt = (
        f"{story(words, episode, seat)}\n{words.news(state, seat)}\n\n"
        "This is a question about the rules, not a move. Which of these would be a legal move for "
        "you now?\n" + "".join(f"{letter}) {_bare(reply)}\n" for letter, reply in options) + "You "
        "may think first. End your reply with the letters of all legal ones, in alphabetical "
        "order, in one pair of square brackets, in the form [a,c]."
    )
    return Question(
        LEGAL_MOVES, prompt, tuple(letter for letter, reply in options if reply in legal)
    )


def _misses(
    game: Game, words: Words, episode: Episode, legal: Sequence[str], rng: Random
) -> list[str]:
    """Bare replies that are no move where ``episode`` stands, the nearest misses first."""
    assert episode.actor is not None
    found: dict[str, None] = {}
    some = rng.sample(legal, min(len(legal), MOST_CHANGED))
    for replies in (_changed(some), _said(game, words, rng), _said_elsewhere()):
        fresh = [
            reply
            for reply in dict.fromkeys(replies)
            if isinstance(words.parse(reply, episode.state, episode.actor), Unreadable)
        ]
        rng.shuffle(fresh)
        found |= dict.fromkeys(fresh)
    return list(found)


def _changed(replies: Sequence[str]) -> Iterator[str]:
    """Each reply with one of its numbers a little higher or lower.

    >>> list(_changed(["[1,0]"]))[:4]
    ['[2,0]', '[0,0]', '[3,0]', '[4,0]']
    """
    for reply in replies:
        for found in NUMBER.finditer(reply):
            for by in range(1, NEAREST + 1):
                for number in (int(found[0]) + by, int(found[0]) - by):
                    if number >= 0:
                        yield f"{reply[: found.start()]}{number}{reply[found.end() :]}"


def _said(game: Game, words: Words, rng: Random) -> Iterator[str]:
    """What could be said in each state of some random play."""
    for episode in _random_play(game, rng):
        assert episode.actor is not None
        for move in game.legal_moves(episode.state, episode.actor):
            yield words.say(move, episode.state, episode.actor)


@cache
def _said_elsewhere() -> tuple[str, ...]:
    """What could be said in one match of each game."""
    return tuple(
        reply
        for number, domain in enumerate(CATALOGUE.values())
        for game in [domain.make()]
        for reply in _said(game, domain.words(game), _rng(0, number, "other games"))
    )


def _on_payoffs(game: Game, words: Words, rng: Random) -> Question:
    before, after = _telling_round(game, rng)
    made = after.entries[len(before.entries) :]
    names = [f"player_{seat}" for seat in range(game.seats)]
    told = " and ".join(
        f"{names[actor]} plays {_bare(words.say(move, before.state, actor))}"
        for actor, move in made
    )
    order = ", then of ".join(names)
    prompt = (
        f"{words.rules(0)}\n\nYou are {names[0]}. This is a question about the rules, not a move. "
        f"So far, with everything open:\n{words.show(before.state)}\n"
        f'Who is to move is told: "{words.ask(before.state, made[-1].actor)}"\n'
        f"Now {told}, which ends the round. How many points does each player earn in it?\n"
        f"You may think first. End your reply with the points of {order}, in one pair of square "
        "brackets, a loss with a minus sign, in the form [2,-2]."
    )
    return Question(PAYOFFS, prompt, game.payoffs(after.state)[0])


def _telling_round(game: Game, rng: Random) -> tuple[Episode, Episode]:
    """One of some random first rounds, in which every outcome that occurs is equally likely: in
    random bargaining most rounds pay nobody anything, and one answer to them all would do."""
    ends = [end for _ in range(ROUNDS) for end in [_first_round(game, rng)] if end is not None]
    if not ends:
        raise ValueError(f"no round of {game.name} ends with a decision, so none can be told.")
    paid = rng.choice(list(dict.fromkeys(game.payoffs(after.state)[0] for _, after in ends)))
    return rng.choice([end for end in ends if game.payoffs(end[1].state)[0] == paid])


def _first_round(game: Game, rng: Random) -> tuple[Episode, Episode] | None:
    """A first round of random play before and after its last decisions; None where chance ends it,
    as by a lot after a tie, which no words would tell of."""
    episode = begin(game).deal(rng)
    while True:
        if not episode.pending:
            before = episode
        assert episode.actor is not None, "the first round is not over"
        episode = episode.play(rng.choice(game.legal_moves(episode.state, episode.actor)))
        if game.payoffs(episode.state):
            return before, episode
        episode = episode.deal(rng)
        if game.payoffs(episode.state):
            return None


def _random_play(game: Game, rng: Random) -> list[Episode]:
    """A match in which every legal move is equally likely, where a decision is to be made."""
    episode, play = begin(game).deal(rng), []
    while episode.actor is not None:
        play.append(episode)
        move = rng.choice(game.legal_moves(episode.state, episode.actor))
        episode = episode.play(move).deal(rng)
    return play


def _bare(reply: str) -> str:
    """A reply without its brackets, which would be taken for an answer.

    >>> _bare("[1,0,2]")
    '1,0,2'
    """
    return reply.strip().removeprefix("[").removesuffix("]")
