"""A step as the lines and texts that a run keeps of it. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from math import isnan
from typing import Any, Literal, NamedTuple

from opponents.scorecard import Estimate, Line, Priced, Scorecard
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.game import Weights
from sepo_trainer.courses.scores import Scores
from sepo_trainer.records import Group
from sepo_trainer.settings.config import JOINT, ConfigError, RunConfig
from sepo_trainer.train import Step

SHOWN = 3
"""Episodes per pool in a transcript."""


class Final(NamedTuple):
    """What the last policy of a run is worth in one game."""

    table: ActionTable | None
    """None where it is too large to be read out."""
    scores: Scores
    card: Scorecard | None
    """By play; None where the scores are exact."""


def metrics_line(step: Step) -> dict[str, Any]:
    """One iteration: the policy before it, what was played with it, and the update after."""
    rollouts = [rollout for group in step.groups for rollout in group.rollouts]
    tokens = [len(turn.output_ids) for rollout in rollouts for turn in rollout.turns]
    decisions = sum(rollout.decisions for rollout in rollouts)
    return {
        "iteration": step.iteration,
        "game": step.game,
        **_scores(step.table, step.scores),
        "episodes": len(rollouts),
        "decisions": decisions,
        "replies": len(tokens),
        "sampled_tokens": sum(tokens),
        "foul_rate": sum(rollout.fouls for rollout in rollouts) / max(1, decisions),
        **step.stats,
        **_table(step.table),
    }


def result_record(config: RunConfig, worth: Mapping[str, Final], seconds: float) -> dict[str, Any]:
    """The last policy of a finished run, by game; of a joint run, under `courses`.

    Args:
        seconds: those of the run's timings, summed.
    """
    whole = {
        "domain": config.game.name,
        "seed": config.seed,
        "iterations": config.learning.iterations,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }
    found = {game: _final(config.alone(game), final) for game, final in worth.items()}
    if config.game.name == JOINT:
        return whole | {"courses": found}
    return whole | found[config.game.name]


def _final(config: RunConfig, final: Final) -> dict[str, Any]:
    return {
        "penalty_credit": config.objective.penalty_credit,
        **_scores(final.table, final.scores),
        **_table(final.table),
        **({} if final.card is None else {"scorecard": card_json(final.card)}),
    }


def worth_of(
    lines: Sequence[Mapping[str, Any]],
    measure: Literal["objective", "exploitability", "none"],
    weights: Mapping[str, float],
) -> dict[int, float]:
    """How good the policy was that each iteration measured, by the updates behind it; more is
    better.

    Args:
        lines: of a ``metrics.jsonl``. A line's policy is the one before the update of its
            iteration, so the one that the checkpoint with that number holds.
        measure: J, or less exploitability; nothing is good by ``none``.
        weights: of the games, whose J are summed; an iteration that lacks one is left out.

    >>> lines = [{"iteration": 3, "game": "a", "objective": 0.5, "exploitability": 0.25}]
    >>> worth_of(lines, "objective", {"a": 2.0}), worth_of(lines, "exploitability", {"a": 2.0})
    ({3: 1.0}, {3: -0.5})
    """
    if measure == "none":
        return {}
    sign = -1 if measure == "exploitability" else 1
    found: dict[int, dict[str, float]] = {}
    for line in lines:
        if line["game"] in weights:
            value = sign * weights[line["game"]] * line[measure]
            found.setdefault(line["iteration"], {})[line["game"]] = value
    return {
        number: sum(values.values())
        for number, values in found.items()
        if values.keys() == weights.keys()
    }


def check_measurable(config: RunConfig, read_out: Sequence[bool]) -> None:
    """Refuse to choose the best checkpoint by what no iteration measures.

    Args:
        read_out: of each game, whether its exploitability is known at every iteration.

    Raises:
        ConfigError: it is chosen so.
    """
    if config.keep.best == "exploitability" and not all(read_out):
        raise ConfigError(
            "keep.best is 'exploitability', but a game of this run is too large for it to be "
            "known at every iteration. Use 'objective' or 'none'."
        )


def card_json(card: Scorecard) -> Any:
    """A scorecard ready for JSON, which has no NaN: what is not defined is null."""

    def plain(value: Any) -> Any:
        match value:
            case float() if isnan(value):
                return None
            case Estimate() | Priced():
                return plain(value._asdict())
            case Scorecard() | Line() | Weights():
                return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
            case Mapping():
                return {key: plain(inner) for key, inner in value.items()}
            case list() | tuple():
                return [plain(inner) for inner in value]
        return value

    return plain(card)


def table_json(table: ActionTable) -> dict[str, dict[str, float]]:
    """Move probabilities by situation, to six digits."""
    return {
        situation: {str(move): round(p, 6) for move, p in row.items()}
        for situation, row in table.rows.items()
    }


def transcript(groups: Sequence[Group]) -> str:
    """The first episodes of each pool as they were read and written, for a person to look at."""
    shown: dict[str, int] = {}
    parts = []
    for group in groups:
        for rollout in group.rollouts[:1]:
            pool = group.key.pool
            shown[pool] = shown.get(pool, 0) + 1
            if shown[pool] > SHOWN:
                continue
            returns = ", ".join(f"{points:+g}" for points in rollout.episode.returns)
            parts.append(
                f"=== {pool} pool, against {group.key.opponent}, seat {group.key.seat}, "
                f"returns ({returns}), fouls {rollout.fouls}"
            )
            parts += [f"<{message.role}>\n{message.content}" for message in rollout.messages]
    return "\n".join(parts) + "\n"


def _scores(table: ActionTable | None, scores: Scores) -> dict[str, Any]:
    exact: dict[str, float] = {}
    if table is not None and scores.exploitability is not None:
        exact = {
            "exploitability": scores.exploitability.value,
            "exploitability_low": scores.exploitability.low,
            "exploitability_high": scores.exploitability.high,
            "uncovered": table.most_uncovered,
        }
    harms = {"c": scores.c, "x": scores.x}
    selves = {name: result.payoff for name, result in scores.selves.items()}
    return {
        **exact,
        "u": scores.u,
        "e": scores.e,
        **{name: value for name, value in harms.items() if not isnan(value)},
        "objective": scores.objective,
        "payoff_against": {name: result.payoff for name, result in scores.against.items()},
        **({"payoff_against_itself": selves} if selves else {}),
    }


def _table(table: ActionTable | None) -> dict[str, Any]:
    return {} if table is None else {"table": table_json(table)}
