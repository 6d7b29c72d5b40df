"""An environment's page: its module's docstring, and around it all that its code can say itself.

In the layout of PettingZoo's pages. The docstring brings the rules and what the numbers mean; the
picture, the text example, the weights and the opponents are made here from the running code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from opponents import Adaptive, Opponent, Pool
from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import Episode, begin
from sepo_envs.game import Game, Move
from sepo_envs.protocol import Talk
from sepo_envs.registration import gymnasium_ids, pettingzoo_ids

__all__ = ["documented", "import_table", "overview", "page", "picture", "picture_uri", "uri"]


@dataclass(frozen=True)
class Scene:
    """A match that shows the game: who sits where, and the draws of chance and of the players."""

    players: tuple[str, str]
    seed: int
    short: dict[str, Any] = field(default_factory=dict)
    """Options of the match told in text; the picture has the default ones."""


SCENES = {
    "kuhn_poker": Scene(("nash", "loose-aggressive"), seed=5),
    "prisoners_dilemma": Scene(("tit-for-tat", "random"), seed=0, short={"rounds": 2}),
    "repeated_auction": Scene(("ladder", "half-value"), seed=4, short={"rounds": 2}),
    "split_negotiation": Scene(("balanced", "random-3-to-7"), seed=2, short={"rounds": 2}),
    "item_negotiation": Scene(("proportional", "best-reply"), seed=3, short={"rounds": 2}),
}
SECTION = re.compile(r"\n(?=## )")
"""Where one section of a page ends."""
OPPONENTS = Path(__file__).parent / "opponents.md"


def documented() -> list[str]:
    """The games that have a module of their own, such as ``kuhn_poker_v0``: its docstring is their
    page. Without one a game can be played all the same."""
    return [n for n, entry in CATALOGUE.items() if find_spec(f"sepo_envs.{n}_v{entry.version}")]


def uri(name: str) -> str:
    return f"environments/{name}.md"


def picture_uri(name: str) -> str:
    return f"environments/{name}.png"


def scene_of(name: str) -> Scene:
    """The match that was picked to show the game or, of a new game, the first two opponents'."""
    if name in SCENES:
        return SCENES[name]
    first, second, *_ = [*_opponents(name)] * 2
    return Scene((first, second), seed=0)


def page(name: str) -> str:
    """The whole page in Markdown."""
    docstring = import_module(f"sepo_envs.{name}_v{domain(name).version}").__doc__
    assert docstring, f"the module of {name} has no docstring"
    head, *sections = SECTION.split(docstring.strip().replace("\n### ", "\n## "))
    title, rest = head.split("\n", 1)
    shown = f"![A match of {title.lstrip('# ')} as render() draws it]({name}.png){{ .table }}"
    added = {
        "## Action Space": f"## Text Example\n\n{text_example(name)}",
        "## Penalties": f"{weights(name)}\n\n## Opponents\n\n{opponents_table(name)}",
    }
    parts = [title, shown, rest.strip()]
    for section in sections:
        heading = section.partition("\n")[0]
        parts += [section.strip(), *filter(None, [added.pop(heading, "")])]
    assert not added, f"the docstring of {name}_v{domain(name).version} lacks {list(added)}"
    return "\n\n".join(parts) + "\n"


def import_table(name: str) -> str:
    """The table at the head of a page and of the module's docstring; a test holds the two equal."""
    entry = domain(name)
    table = GameEnv(entry)
    agent, module = table.possible_agents[0], f"{name}_v{entry.version}"
    action, seen = table.action_space(agent), table.observation_space(agent)["observation"]
    assert isinstance(action, Discrete)
    assert isinstance(seen, Box)
    structured, text = gymnasium_ids(entry)
    aec, aec_text = pettingzoo_ids(entry)
    likely = next(iter(_opponents(name)))
    parallel = f'Yes, `pettingzoo.make("parallel", "{aec}")`' if entry.simultaneous else "No"
    rows = (
        ("Import", f"`from sepo_envs import {module}`"),
        ("Make", f'`sepo_envs.make("{name}")`'),
        ("PettingZoo", f'`pettingzoo.make("aec", "{aec}")`'),
        ("Gymnasium", f'`gymnasium.make("sepo_envs:{structured}", opponent="{likely}")`'),
        ("In text", f"`{aec_text}` and `{text}`"),
        ("Actions", "Discrete"),
        ("Parallel API", parallel),
        ("Manual Control", f"Yes, `python -m sepo_envs play {name} --against {likely}`"),
        ("Agents", f"`agents = {table.possible_agents}`"),
        ("Agents", len(table.possible_agents)),
        ("Action Shape", f"`{action.shape}`"),
        ("Action Values", f"`[{action.start}, {action.start + action.n - 1}]`"),
        ("Observation Shape", f"`{seen.shape}`"),
        ("Observation Values", f"`[{np.min(seen.low):g}, {np.max(seen.high):g}]`"),
    )
    (first, made), *others = rows
    lines = [
        f"| {first} | {made} |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in others),
    ]
    return "\n".join(lines)


def text_example(name: str) -> str:
    """What player_0 reads and replies in a short match, and how it ends; played, not written."""
    scene, entry = scene_of(name), domain(name)
    game = entry.make(**scene.short)
    words = entry.words(game)
    talk, lines = Talk(words, seat=0), []
    decisions, end = _match(name, game, scene)
    for episode, move in decisions:
        if episode.actor != talk.seat:
            continue
        talk = talk.hear(episode)
        remark, *_ = words.thoughts(episode.state, talk.seat)
        reply = f"{remark} {words.say(move, episode.state, talk.seat)}"
        lines += [talk.messages[-1].content, f"> {reply}", ""]
        talk, understood = talk.reply(reply, episode)
        assert understood == move, f"{reply!r} was read as {understood!r}"
    options = "".join(f", with `{option}={value}`" for option, value in scene.short.items())
    return "\n".join(
        [
            f"What player_0 reads, and after `>` what it replies{options}:",
            "",
            "```text",
            *lines[:-1],
            "```",
            "",
            "What happened, every card and value open, as `render()` tells it:",
            "",
            "```text",
            words.show(end.state),
            "```",
        ]
    )


def weights(name: str) -> str:
    """The domain's place in J, as published."""
    found = domain(name).harms.published
    return (
        "In J = s u - λe s e - λc c - λx x the published scale and weights of this domain are "
        f"s = {found.scale:g}, λe = {found.exploitability:g}, λc = {found.collusion:g} and "
        f"λx = {found.externality:g}: see [Measures](../metrics.md)."
    )


def opponents_table(name: str) -> str:
    """Every pool, in order, with what each opponent plays and who says so."""
    plays = _plays(name)
    rows = [
        f"| {pool.name} | `{opponent.name}` | {plays[pool.name, opponent.name]} "
        f"| {opponent.citation.replace('this project, docs/opponents.md', 'this project')} |"
        for pool in _pools(name).values()
        for opponent in pool.opponents
    ]
    adaptive = any(
        isinstance(o, Adaptive) for pool in _pools(name).values() for o in pool.opponents
    )
    by_name = "All but those worked out anew can be" if adaptive else "All can be"
    return "\n".join(
        [
            "| Pool | Name | Plays | Source |",
            "|---|---|---|---|",
            *rows,
            "",
            f"{by_name} named as `opponent=`. What the pools are for, and more on each strategy: "
            "[Opponents](../opponents.md).",
        ]
    )


def picture(name: str) -> bytes:
    """A finished match as ``rgb_array`` draws it, as a PNG file."""
    from PIL import Image

    entry, file = domain(name), BytesIO()
    game = entry.make()
    _, end = _match(name, game, scene_of(name))
    Image.fromarray(entry.draw(game, end.state).pixels()).save(file, "png", optimize=True)
    return file.getvalue()


def overview() -> str:
    """The page that leads to all the others."""
    cards = []
    for name in documented():
        entry = domain(name)
        docstring = import_module(f"sepo_envs.{name}_v{entry.version}").__doc__ or ""
        title = docstring.strip().partition("\n")[0].lstrip("# ")
        moves = "moves at once" if entry.simultaneous else "moves in turns"
        kind = "zero sum" if entry.zero_sum else "general sum"
        cards.append(
            f"- [![]({name}.png)]({name}.md)\n\n    **[{title}]({name}.md)**  \n"
            f"    `{pettingzoo_ids(entry)[0]}`  \n    {kind}, {moves}"
        )
    return "\n".join(
        [
            "# Environments",
            "",
            "Five strategic games, each in numbers and in text, through PettingZoo and Gymnasium. "
            "[Playing](../playing.md) says how they are called.",
            "",
            '<div class="grid cards" markdown>',
            "",
            "\n\n".join(cards),
            "",
            "</div>",
            "",
        ]
    )


def _match(name: str, game: Game, scene: Scene) -> tuple[list[tuple[Episode, Move]], Episode]:
    """Every decision of the scene's match, as (the episode before it, the move), and its end."""
    rng, episode, decisions = Random(scene.seed), begin(game), []
    players = [_opponents(name)[player] for player in scene.players]
    while (actor := (episode := episode.deal(rng)).actor) is not None:
        seen, legal = game.observe(episode.state, actor), game.legal_moves(episode.state, actor)
        decisions.append((episode, players[actor].act(seen, legal, rng)))
        episode = episode.play(decisions[-1][1])
    return decisions, episode


def _pools(name: str) -> dict[str, Pool]:
    pools: dict[str, Pool] = import_module(f"opponents.{name}").POOLS
    return pools


def _opponents(name: str) -> dict[str, Opponent]:
    named: dict[str, Opponent] = import_module(f"opponents.{name}").OPPONENTS
    return named


def _plays(name: str) -> dict[tuple[str, str], str]:
    """What opponents.md says that each opponent plays, by pool and name; its tests hold it true."""
    title = next(
        section
        for section in OPPONENTS.read_text().split("\n## ")
        if section.partition("\n")[0].lower().replace(" ", "_").replace("'", "").endswith(name)
    )
    rows = [line.strip("| ").split(" | ") for line in title.splitlines() if line.startswith("| ")]
    column = rows[0].index("plays") if "plays" in rows[0] else 2
    return {(pool, opponent): row[column - 2] for pool, opponent, *row in rows}
