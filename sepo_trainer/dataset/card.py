"""The card of a set of demonstrations: what it holds, how it was made, what is wrong with it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from opponents.decisions import terms_of
from opponents.tables import TABLES
from sepo_trainer.dataset.chats import Recipe, Row, Tally

CHATS, EPISODES = "train.jsonl", "episodes.jsonl"
FEW_MOVES = 9
"""A domain with more different answers gets no table of them."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

COLUMNS: dict[str, str] = {
    "messages": "the chat, as a list of `role` and `content`; the answers are the assistant's",
    "domain": "the game",
    "episode": "its number within the domain; a line of `episodes.jsonl` has it under `about`",
    "seat": "of the demonstrator, from 0",
    "demonstrator": "who gives the answers",
    "opponents": "who sits in the other seats; they write chats of their own",
    "rounds": "of each answer, from 1",
    "moves": "what each answer says, without its reason",
    "points": "what the seat is paid in the whole episode",
}
assert COLUMNS.keys() == Row.__annotations__.keys()


def card(recipe: Recipe, tallies: list[Tally], checksums: Mapping[str, str]) -> str:
    """Markdown, with the YAML that the Hugging Face hub and `datasets` read in front."""
    rows = sum(tally.rows for tally in tallies)
    decisions = sum(tally.decisions.total() for tally in tallies)
    sums = "\n".join(f"{digest}  {name}" for name, digest in checksums.items())
    made_of = (
        "one decision with a prompt that is complete in itself"
        if recipe.style == "fresh"
        else "one conversation, with every answer that the seat gave in it"
    )
    sections = (
        _front(rows),
        f"# Demonstrations of {len(tallies)} strategic games\n\n"
        f"{decisions:,} decisions of scripted, cited strategies in the words of the games of SEPO, "
        "for supervised learning before a language model learns from play: it learns to answer "
        "legally, and to play about as a known mixture of strategies does. Each line is "
        f"{made_of}.",
        _games(tallies),
        _loading(),
        "## Columns\n\n"
        + _table(("column", "what it holds"), ((f"`{k}`", v) for k, v in COLUMNS.items()))
        + "\n\n`rounds` and `moves` have one entry for each of the assistant's messages.",
        _making(recipe),
        *(_domain(tally) for tally in tallies),
        _faults(recipe, [tally.stage.domain.name for tally in tallies]),
        "## Checksums\n\nSHA-256; `sha256sum -c checksums.txt` compares them.\n\n"
        f"```text\n{sums}\n```",
        "## Licence\n\nApache-2.0, as the code that made it. The strategies and the mixture are "
        "those of the sources named above; the words are the project's own.",
    )
    return "\n\n".join(sections) + "\n"


def _front(rows: int) -> str:
    size = next((name for limit, name in SIZES if rows < limit), "n>1M")
    lines = (
        "license: apache-2.0",
        "language: [en]",
        "pretty_name: Demonstrations of strategic games",
        "task_categories: [text-generation]",
        "tags: [game-theory, multi-agent, chat, sft]",
        f"size_categories: [{json.dumps(size)}]",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {CHATS}",
    )
    return "\n".join(("---", *lines, "---"))


def _games(tallies: list[Tally]) -> str:
    rows = [
        (
            f"`{tally.stage.domain.name}`",
            f"{tally.episodes:,}",
            f"{tally.decisions.total():,}",
            f"{tally.rows:,}",
        )
        for tally in tallies
    ]
    total = (
        "all",
        *(
            f"{sum(numbers):,}"
            for numbers in zip(
                *((t.episodes, t.decisions.total(), t.rows) for t in tallies), strict=True
            )
        ),
    )
    return _table(("domain", "episodes", "decisions", "lines"), [*rows, total])


def _loading() -> str:
    return (
        "## Loading\n\n```python\nfrom datasets import load_dataset\n\n"
        f'chats = load_dataset("json", data_files="{CHATS}", split="train").shuffle(seed=0)\n'
        "```\n\n"
        "Lines stand in the order of play, so shuffle them. Learn from the assistant's messages "
        "alone: the rest was told to it."
    )


def _making(recipe: Recipe) -> str:
    reasons = (
        "Before a move stands a short true remark on what the seat sees, as often as each other "
        "remark and none. It fits every move, so it gives none away and explains none."
        if recipe.thoughts
        else "An answer is the bare move."
    )
    return (
        "## How it was made\n\n"
        f"```bash\npython -m sepo_trainer demonstrations {recipe.options} --to demonstrations\n"
        "```\n\n"
        f"with sepo {_version()} on Python {platform.python_version()}. The same command "
        "writes the same bytes. Each episode hangs on the seed, its domain and its number alone.\n"
        "\n"
        "One demonstrator per episode and seat is drawn by the mixture, and plays by its cited "
        "rule against the one drawn for the other seat; both write. Every game gets the same share "
        "of the decisions, rounded up to whole episodes: no other proportion is published. The "
        "rules are each game's defaults, and every answer was read back by the game's own parser "
        f"as the move that was played. {reasons}\n\n"
        f"`{EPISODES}` holds every episode, chance included; "
        f"`python -m sepo_envs replay {EPISODES}` plays them again. Names and shares of the "
        "mixture: Safe Equilibrium Policy Optimization, arXiv 2605.30854; where it does not print "
        "a strategy, the rule is this project's reading of its name."
    )


def _version() -> str:
    try:
        return version("sepo")
    except PackageNotFoundError:
        return "as it stood in a checkout"


def _domain(tally: Tally) -> str:
    seats = tally.seats.total()
    rounds = tally.stage.game.rounds
    rows = []
    for expert, weight in tally.stage.demonstrators:
        name, drawn = expert.name, tally.seats[expert.name]
        paid = [
            f"{total.get(name, 0.0) / drawn / rounds:+.3f}" if drawn else "none"
            for total in (tally.points, tally.others_points)
        ]
        rows.append(
            (
                name,
                f"{weight:.2f}",
                f"{drawn:,} ({drawn / seats:.3f})",
                f"{tally.decisions[name]:,}",
                *paid,
                expert.citation,
            )
        )
    heads = (
        *("demonstrator", "published share", "seats drawn", "decisions"),
        *("points per round", "the other's", "source of the strategy"),
    )
    text = f"## {tally.stage.domain.name}\n\n{_table(heads, rows)}"
    if len(tally.moves) <= FEW_MOVES:
        total = tally.moves.total()
        said = ", ".join(
            f"`{move}` {times:,} ({times / total:.3f})"
            for move, times in sorted(tally.moves.items())
        )
        text += f"\n\nAnswers: {said}."
    return text


def _faults(recipe: Recipe, names: list[str]) -> str:
    faults = [
        "The demonstrators are a mixture, not experts: some move at random, and nothing makes the "
        "mixture an equilibrium. A model that imitates them all plays their mean.",
        "A chat does not tell who writes it, so the same prompt is answered in several ways.",
    ]
    if recipe.style == "conversation":
        faults.append("In a conversation, earlier answers do tell something of who writes.")
    if "prisoners_dilemma" in names:
        margins = imitators_margins("prisoners_dilemma")
        told = " and ".join(f"{margin:+.3f} ({who})" for who, margin in margins.items())
        e = np.mean([max(0.0, margin) for margin in margins.values()])
        faults.append(
            "In the prisoner's dilemma the mixture cooperates too much. The opponents of the "
            f"exploit pool earn {told} points a round more than a perfect imitator of it, so its "
            f"e is {e:.3f} (exact, default rules), where always defecting has 0 and tit-for-tat "
            "0.3125. Learning from play has to correct that."
        )
    return "## Known faults\n\n" + "\n".join(f"- {fault}" for fault in faults)


def imitators_margins(name: str) -> dict[str, float]:
    """By opponent of the exploit pool, its payoff per round less that of a perfect imitator of the
    mixture, in points, exactly.

    A policy that gives each move as often as the mixture does, after every history, earns what the
    mixture earns in the mean (Kuhn 1953).

    >>> imitators_margins("prisoners_dilemma")["always-defect"]
    0.8796875
    """
    table = TABLES[name]()
    terms = sum(weight * terms_of(table, expert) for expert, weight in table.demonstrators)
    names = [opponent.name for opponent in table.pools["exploit"].opponents]
    return dict(zip(names, np.asarray(terms)[3:].tolist(), strict=True))


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
