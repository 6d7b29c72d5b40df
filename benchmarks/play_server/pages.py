"""The pages as HTML: readable without a script, and everything that is told is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.leaderboard.tables import title
from benchmarks.play_server.lobby import (
    ABOUT_POOLS,
    MOST_ROUNDS,
    Lobby,
    Rival,
    Setting,
    rounds_option,
    usual_rounds,
)
from benchmarks.play_server.plain_words import ABOUT_PROFILES
from benchmarks.play_server.review import named_move
from benchmarks.play_server.table import Standing, Table
from sepo_envs.canvas import pale
from sepo_envs.canvas import seat_color as color_of
from sepo_envs.catalogue import CATALOGUE, Domain, domain
from sepo_envs.commands.listing import about
from sepo_envs.episode import Episode
from sepo_envs.games.item_negotiation.rules import ITEMS, ItemNegotiation
from sepo_envs.protocol import Message, Talk

FOLDER: Final = Path(__file__).with_name("templates")
VERBS: Final[Mapping[str, str]] = {"repeated_auction": "bid", "split_negotiation": "demand"}
"""What a bare number is, on a button."""
SEATS: Final = ("blue", "orange", "purple", "teal", "red", "olive")
"""The colours of the pictures' seats, in words."""


class Field(NamedTuple):
    """One number of a move that is several."""

    name: str
    label: str
    hint: str
    most: int
    usual: int


class Guest(NamedTuple):
    """What every page knows of who looks at it."""

    token: str


@cache
def _templates() -> Environment:
    def load(name: str) -> str:
        return (FOLDER / name).read_text(encoding="utf-8")

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(load),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["points"] = points
    made.filters["game"] = title
    return made


def lobby_page(guest: Guest, tables: Sequence[tuple[str, Table]]) -> str:
    """The domains, and the guest's own tables."""
    return _render(
        "lobby.html.jinja",
        guest=guest,
        games=[(found, about(found)) for found in CATALOGUE.values()],
        tables=[(name, table.setting, told(table.standing())) for name, table in tables],
    )


def game_page(
    lobby: Lobby,
    guest: Guest,
    found: Domain,
    *,
    given: Mapping[str, str] | None = None,
    complaint: str = "",
) -> str:
    """Whom to meet in one domain, and by which rules.

    Args:
        given: what the guest had filled in.
        complaint: why that could not be.
    """
    pools: dict[str, list[Rival]] = {}
    for rival in lobby.rivals(found.name).values():
        pools.setdefault(rival.pool, []).append(rival)
    return _render(
        "game.html.jinja",
        guest=guest,
        found=found,
        about=about(found),
        rules=found.words(found.make()).rules(0),
        pools=pools,
        about_pools=ABOUT_POOLS,
        seats=list(enumerate(SEATS[: found.make().seats])),
        presets=[name for name, options in found.presets.items() if options or name == "default"],
        rounds=rounds_option(found),
        usual=usual_rounds(found),
        most=MOST_ROUNDS,
        given=given or {},
        complaint=complaint,
    )


def table_page(guest: Guest, name: str, table: Table, *, complaint: str = "") -> str:
    """The table as the guest may see it now."""
    standing, setting = table.standing(), table.setting
    if standing.played is not None:
        episode = standing.played.episode
        shown = setting.domain.draw(episode.game, episode.state).svg()
        return _render(
            "over.html.jinja",
            guest=guest,
            name=name,
            setting=setting,
            picture=picture(shown),
            mine=SEATS[setting.seat],
            earned=episode.returns[setting.seat],
            theirs=[won for seat, won in enumerate(episode.returns) if seat != setting.seat],
            fouls=episode.fouls,
            review=standing.review,
            profiles=ABOUT_PROFILES,
            chat=_read(episode, setting.seat),
            refresh=standing.thinking,
        )
    episode_now = standing.awaiting
    return _render(
        "table.html.jinja",
        guest=guest,
        name=name,
        setting=setting,
        mine=SEATS[setting.seat],
        complaint=complaint,
        failed=standing.failed,
        left=standing.left,
        refresh=standing.thinking,
        **(_question(setting, episode_now) if episode_now is not None else {"turn": None}),
    )


def message_page(title: str, told: str) -> str:
    """A page that says one thing."""
    return _render("message.html.jinja", title=title, told=told)


def asset(name: str) -> bytes:
    """A style sheet, script or picture that pages name."""
    return (FOLDER / name).read_bytes()


def points(number: float) -> str:
    """
    >>> points(2.0), points(-0.5), points(1 / 3), points(0.0)
    ('+2', '-0.5', '+0.33', '0')
    """
    told = f"{number:+.2f}".rstrip("0").rstrip(".")
    return "0" if told in ("+0", "-0") else told


def picture(markup: str) -> Markup:
    """The picture of a table as part of a page; its words were escaped where it was drawn."""
    return Markup(markup.replace("<svg", '<svg role="img" aria-label="the table"', 1))


def told(standing: Standing) -> str:
    """How a table stands, in a word."""
    if standing.played is not None:
        return "over"
    if standing.failed or standing.left:
        return "broken off"
    return "your move" if standing.awaiting is not None else "they are thinking"


def _question(setting: Setting, episode: Episode) -> dict[str, Any]:
    """What the person is asked, and with what."""
    seat, game, words = setting.seat, episode.game, setting.domain.words(episode.game)
    legal = game.legal_moves(episode.state, seat)
    fields = _fields(game, episode, seat) if isinstance(game, ItemNegotiation) else []
    return {
        "turn": len(episode.entries),
        "picture": picture(setting.domain.draw(game, episode.state, seat).svg()),
        "news": words.news(episode.state, seat),
        "verb": VERBS.get(setting.domain.name, ""),
        "moves": []
        if fields
        else [
            (words.say(move, episode.state, seat), named_move(move, words, episode.state, seat))
            for move in legal
        ],
        "fields": fields,
        "history": [
            (words.news(state, seat), named_move(move, words, state, seat))
            for state, move in episode.decisions(seat)
        ],
        "chat": _read(episode, seat),
    }


def _fields(game: ItemNegotiation, episode: Episode, seat: int) -> list[Field]:
    seen = game.observe(episode.state, seat)
    assert seen.table is not None, "nobody demands before the table is dealt"
    assert seen.values is not None, "nobody demands before the values are dealt"
    return [
        Field(item, item, f"{value} point{'' if value == 1 else 's'} each to you", most, most // 2)
        for item, most, value in zip(ITEMS, seen.table, seen.values, strict=True)
    ]


def _read(episode: Episode, seat: int) -> tuple[Message, ...]:
    """Every message that a model in that seat would have read and written so far."""
    words = domain(episode.game.name).words(episode.game)
    talk, read = Talk(words, seat), list[Message]()
    walk = Episode(episode.game, episode.game.start())
    for actor, move in episode.entries:
        if actor == seat:
            talk = talk.hear(walk)
            read.append(talk.messages[-1])
            talk, _ = talk.reply(words.say(move, walk.state, seat), walk)
            read.append(talk.messages[-1])
        walk = walk.play(move)
    if episode.actor == seat:
        read.append(talk.hear(walk).messages[-1])
    return tuple(read)


def _render(template: str, **given: Any) -> str:
    return _templates().get_template(template).render(**given)


def seat_classes() -> str:
    """A rule of style per seat, for names in the colours of the pictures."""
    return "\n".join(
        f".seat-{name} {{ color: {color_of(seat)}; }}\n@media (prefers-color-scheme: dark) "
        f"{{ .seat-{name} {{ color: {pale(color_of(seat), 0.4)}; }} }}"
        for seat, name in enumerate(SEATS)
    )
