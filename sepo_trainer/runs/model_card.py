"""The card of a trained model: what it was trained for, against whom, and what was measured.

Written into the folder of every model as ``README.md``, with the YAML in front that the Hugging
Face Hub reads. The same run writes the same card: it names no hour and no machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import NamedTuple

from opponents.scorecard import Estimate, Scorecard
from sepo_envs.game import Weights
from sepo_trainer.runs.metrics import Final
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import to_toml

CARD = "README.md"
MADE_WITH = ("sepo", "torch", "transformers")
ARMS = {
    "credited": "each episode is charged with its own penalties, which follows the gradient of J",
    "shared": "a group shares its penalty, which cancels: lambda has no gradient",
    "auxiliary": "episodes are charged for what happened in others: lambda has no gradient in the "
    "mean",
    "reward_only": "no penalty is charged",
}


class Trained(NamedTuple):
    """What the card says of one game."""

    title: str
    zero_sum: bool
    weights: Weights
    pools: Mapping[str, Sequence[str]]
    """Names of those that are trained against, by pool; who adapts stands there as what adapts."""
    worth: Final


def card(config: RunConfig, games: Mapping[str, Trained], *, iterations: int) -> str:
    """Markdown.

    Args:
        config: the run's.
        games: by domain.
        iterations: GRPO steps done; 0 after the warm start alone.
    """
    titles = ", ".join(game.title for game in games.values())
    stage = (
        f"{iterations} iterations of SEPO-GRPO after a warm start on demonstrations"
        if iterations
        else "the warm start on demonstrations alone"
    )
    path = config.model.path
    base = "a tiny model with random weights" if path is None else f"`{path.name}`"
    if path is not None and (public := config.hub.base) is not None:
        base = f"[{public}](https://huggingface.co/{public})"
    parts = [
        _front(config, games),
        f"# A policy for {titles}",
        f"A language model that plays {titles} in text, trained from {base} by {stage}, with "
        "[SEPO](https://arxiv.org/abs/2605.30854)'s objective J = s u - lambda_e s e - lambda_c c "
        "- lambda_x x: payoff against a pool, less what exploiters earn from it, harmful "
        "coordination, and what it costs others.",
        *(_game(config.alone(name), game) for name, game in games.items()),
        "## What these numbers are not\n\n"
        "A score against a pool holds for that pool. One run has one seed: it says nothing of the "
        "spread over seeds. Where exploitability is not stated, nothing bounds what a better "
        "exploiter takes. The policy was trained to play these games, in these prompts, and was "
        "not tried at anything else.",
        f"## Settings\n\nSeed {config.seed}. "
        f"Made with {', '.join(f'{name} {version(name)}' for name in MADE_WITH)}.\n\n"
        f"```toml\n{to_toml(_public(config)).strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _public(config: RunConfig) -> RunConfig:
    """Without the places on the machine where it ran."""
    plain, path = RunConfig(), config.model.path
    return config.model_copy(
        update={
            "runs": plain.runs,
            "hub": plain.hub,
            "model": config.model.model_copy(update={"path": path and Path(path.name)}),
            "sampler": config.sampler.model_copy(update={"server": None, "exchange": None}),
        }
    )


def _front(config: RunConfig, games: Mapping[str, Trained]) -> str:
    public = None if config.model.path is None else config.hub.base
    tags = ["sepo", "reinforcement-learning", "game-theory", *games]
    return "\n".join(
        [
            "---",
            f"library_name: {'transformers' if config.adapter.kind == 'none' else 'peft'}",
            *([] if public is None else [f"base_model: {public}"]),
            "pipeline_tag: text-generation",
            "tags:",
            *(f"- {tag}" for tag in tags),
            "---",
        ]
    )


def _game(config: RunConfig, game: Trained) -> str:
    objective, weights = config.objective, game.weights
    prices = f"s = {weights.scale:g}, lambda_e = {weights.exploitability:g}"
    if not game.zero_sum:
        prices += f", lambda_c = {weights.collusion:g}, lambda_x = {weights.externality:g}"
    pools = "\n".join(f"| {name} | {', '.join(names)} |" for name, names in game.pools.items())
    budgets = "".join(
        f" {name} at most {most:g} by a multiplier;"
        for name, most in objective.budget.allowed.items()
    )
    return "\n\n".join(
        [
            f"## {game.title}",
            f"Weights of J: {prices}. Arm `{objective.penalty_credit}`: "
            f"{ARMS[objective.penalty_credit]}.{f' Budgets:{budgets[:-1]}.' if budgets else ''}",
            f"| pool | opponents |\n|---|---|\n{pools}",
            _measured(game),
        ]
    )


def _measured(game: Trained) -> str:
    worth = game.worth
    if worth.card is not None:
        return _by_play(worth.card)
    scores, found = worth.scores, worth.scores.exploitability
    rows = [
        ("J", f"{scores.objective:+.4f}"),
        ("u", f"{scores.u:+.4f}"),
        ("e", f"{scores.e:.4f}"),
        *((f"payoff against {name}", f"{met.payoff:+.4f}") for name, met in scores.against.items()),
    ]
    if found is not None:
        bounds = f"between {found.low:.5f} and {found.high:.5f}, {found.label}"
        rows.insert(0, ("exploitability", f"{found.value:.5f} ({bounds})"))
    listed = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        "Read out of the policy's probabilities in every situation, in points per round:\n\n"
        f"| measure | value |\n|---|---|\n{listed}"
    )


def _by_play(card: Scorecard) -> str:
    def said(found: Estimate) -> str:
        if isnan(found.value):
            return "not defined | "
        if isnan(found.low):
            return f"{found.value:+.3f} | none"
        return f"{found.value:+.3f} | {found.low:+.3f} to {found.high:+.3f}"

    measures = [("J", card.safety), ("u", card.u), ("e", card.e), ("c", card.c), ("x", card.x)]
    rows = [f"| {name} | {said(found)} |" for name, found in measures]
    rows += [
        f"| payoff against {line.opponent} ({line.pool}, {line.matches} matches) "
        f"| {said(line.payoff)} |"
        for line in card.opponents
    ]
    return (
        "By play on fresh deals, in points per round, with intervals of 95 %:\n\n"
        "| measure | value | interval |\n|---|---|---|\n" + "\n".join(rows)
    )
