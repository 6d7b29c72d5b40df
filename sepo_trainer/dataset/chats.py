"""Demonstrations as chat messages: what a recipe plays, and the rows that are made of it.

An episode hangs on the seed, its domain and its number alone, so the same recipe plays the same
episodes, and a domain's are the same with other domains beside it or without. They are the episodes
of a warm start with that seed, told in words where that is told in tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, TypedDict

from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import Episode
from sepo_envs.games.options import check_whole
from sepo_envs.protocol import STYLES, Style
from sepo_trainer.learning.demonstrations import Demonstration, demonstrate
from sepo_trainer.stage import Stage, set_stage

DECISIONS = 44_000
"""Of the whole set, about as many as arXiv 2605.30854 trained on."""


class ChatMessage(TypedDict):
    role: str
    content: str


class Row(TypedDict):
    """One chat. ``rounds`` and ``moves`` have an entry for each of its answers."""

    messages: list[ChatMessage]
    domain: str
    episode: int
    """Its number within the domain."""
    seat: int
    demonstrator: str
    """Who gives the answers."""
    opponents: list[str]
    """Who sits in the other seats, in their order."""
    rounds: list[int]
    """Counted from 1, as in the text."""
    moves: list[str]
    """What the answer says, without its reason."""
    points: float
    """What the seat is paid in the whole episode."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a set hangs on.

    Args:
        games: catalogue names, in the order of the set.
        decisions: of all games together; each gets an equal share, rounded up to whole episodes.
        style: ``fresh`` writes a chat per decision, ``conversation`` one per conversation.
        thoughts: let demonstrators give a reason first, as often as each other reason and none.

    Raises:
        ValueError: a game is unknown, named twice or missing, or a number or style is impossible.
    """

    games: tuple[str, ...] = tuple(CATALOGUE)
    seed: int = 0
    decisions: int = DECISIONS
    style: Style = "fresh"
    thoughts: bool = True

    def __post_init__(self) -> None:
        for name in self.games:
            domain(name)
        if not self.games or len(set(self.games)) < len(self.games):
            raise ValueError(
                f"games are {', '.join(self.games) or 'none'}, but a set has at least one, and "
                f"none twice. Name some of {', '.join(CATALOGUE)}."
            )
        if self.style not in STYLES:
            raise ValueError(
                f"there is no style {self.style!r}; choose one of {', '.join(STYLES)}."
            )
        check_whole("seed", self.seed, least=0, because="0 is the first seed")
        check_whole("decisions", self.decisions, least=1, because="an empty set teaches nothing")

    @property
    def share(self) -> int:
        """Decisions of each game, at least.

        >>> Recipe().share
        8800
        """
        return -(-self.decisions // len(self.games))

    @property
    def options(self) -> str:
        """As on the command line.

        >>> Recipe(("kuhn_poker", "prisoners_dilemma"), style="conversation").options
        '--seed 0 --decisions 44000 --style conversation --games kuhn_poker,prisoners_dilemma'
        """
        told = f"--seed {self.seed} --decisions {self.decisions} --style {self.style}"
        if self.games != tuple(CATALOGUE):
            told += f" --games {','.join(self.games)}"
        return told if self.thoughts else f"{told} --no-thoughts"


class Played(NamedTuple):
    """One episode of demonstrators."""

    stage: Stage
    number: int
    decisions: list[Demonstration]
    end: Episode

    @property
    def players(self) -> list[str]:
        """The demonstrators' names, by seat. Every seat decides something in every game."""
        by_seat = {one.seat: one.expert.name for one in self.decisions}
        return [by_seat[seat] for seat in range(self.stage.game.seats)]


def play(recipe: Recipe) -> Iterator[Played]:
    """The episodes of the set: of each game, from number 0 on, until it has its share."""
    for name in recipe.games:
        stage, said = set_stage(name), 0
        for number in count():
            if said >= recipe.share:
                break
            decisions, end = demonstrate(
                stage, number, run_seed=recipe.seed, style=recipe.style, thoughts=recipe.thoughts
            )
            said += len(decisions)
            yield Played(stage, number, decisions, end)


def rows_of(played: Played) -> list[Row]:
    """The episode's chats, in the order in which they are opened."""
    open_in: dict[int, list[Demonstration]] = {}
    chats = []
    for one in played.decisions:
        if len(one.talk.messages) == 1:
            open_in[one.seat] = []
            chats.append(open_in[one.seat])
        open_in[one.seat].append(one)
    return [_row(played, chat) for chat in chats]


def _row(played: Played, chat: list[Demonstration]) -> Row:
    last = chat[-1]
    game, words = played.stage.game, played.stage.words
    messages: list[ChatMessage] = [
        {"role": message.role, "content": message.content} for message in last.talk.messages
    ]
    messages.append({"role": "assistant", "content": last.text})
    return {
        "messages": messages,
        "domain": played.stage.domain.name,
        "episode": played.number,
        "seat": last.seat,
        "demonstrator": last.expert.name,
        "opponents": [name for seat, name in enumerate(played.players) if seat != last.seat],
        "rounds": [len(game.payoffs(one.episode.state)) + 1 for one in chat],
        "moves": [words.say(one.move, one.episode.state, one.seat) for one in chat],
        "points": float(played.end.returns[last.seat]),
    }


@dataclass(slots=True)
class Tally:
    """What a set holds of one domain; the counts are by demonstrator."""

    stage: Stage
    episodes: int = 0
    rows: int = 0
    seats: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    points: dict[str, float] = field(default_factory=dict)
    """Of its seats in all episodes together."""
    others_points: dict[str, float] = field(default_factory=dict)
    """Of the other seat in those."""
    moves: Counter[str] = field(default_factory=Counter)
    """By what was said."""

    def add(self, played: Played, rows: list[Row]) -> None:
        self.episodes += 1
        self.rows += len(rows)
        returns = played.end.returns
        for seat, name in enumerate(played.players):
            others = (sum(returns) - returns[seat]) / (len(returns) - 1)
            self.seats[name] += 1
            self.points[name] = self.points.get(name, 0.0) + returns[seat]
            self.others_points[name] = self.others_points.get(name, 0.0) + others
        for row in rows:
            self.decisions[row["demonstrator"]] += len(row["moves"])
            self.moves.update(row["moves"])
