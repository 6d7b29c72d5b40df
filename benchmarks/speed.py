"""How fast the parts are: sampling against `generate`, one GRPO step, one exact score, training
against TRL's trainer, and the environments against those of others.

``python -m benchmarks.speed`` measures the first three on the embedded model after its warm start,
training on one that was warmed up for a game of many turns, and then the environments;
``--sampler``, ``--step``, ``--exact``, ``--trainer`` and ``--environments`` choose.
Everything runs in this process, one part after the other, each after runs that do not count.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from benchmarks.certificate import certify
from benchmarks.command_line import (
    BenchmarkError,
    at_least,
    changed,
    command,
    config_digest,
    game_id,
    guarded,
    parse,
    parser,
    record_name,
)
from benchmarks.progress import watched
from benchmarks.records import GameId, Measure, Record, measure, save
from benchmarks.sampler_speed import Timed, distinct_prompts, peer_generate, sample, tree_of
from benchmarks.training_runs import run_all, study
from sepo_trainer.settings.config import RunConfig

if TYPE_CHECKING:
    from sepo_trainer.run import Run

BENCHMARK = "speed"
REPLICATES = 16
"""Of each distinct prompt: a GRPO group."""
GAMES = 192
"""Of the small step: 6 deals, 2 seats, 2 opponents, 8 replicates."""
PARTS = ("read", "play", "learn")
MANY_TURNS = "prisoners_dilemma"
"""Eight rounds are eight turns of one conversation."""


class Subject(NamedTuple):
    """What is measured, as its record's head says it."""

    config: RunConfig
    name: str
    reproduce: str
    started: float


def main(arguments: Sequence[str]) -> None:
    made = parser(f"benchmarks.{BENCHMARK}", __doc__ or "", seeds=False)
    made.add_argument("--sampler", action="store_true", help="tokens per second of sampling")
    made.add_argument("--step", action="store_true", help="seconds of a GRPO step")
    made.add_argument("--exact", action="store_true", help="milliseconds of an exact score")
    made.add_argument("--environments", action="store_true", help="steps per second of games")
    made.add_argument("--trainer", action="store_true", help="rollouts and steps against TRL's")
    pairs = "for --sampler, --trainer and --environments (%(default)s)"
    made.add_argument("--pairs", type=at_least(1), default=9, help=pairs)
    made.add_argument("--steps", type=at_least(1), default=20, help="for --step (%(default)s)")
    made.add_argument("--repeats", type=at_least(1), default=50, help="for --exact (%(default)s)")
    made.add_argument("--name", type=record_name, help="is added to the records' own names")
    given, config = parse(made, arguments)
    console = Console(highlight=False, soft_wrap=True)
    ending = f"-{given.name}" if given.name else ""
    chosen = (given.sampler, given.step, given.exact, given.trainer, given.environments)
    everything = not any(chosen)
    of_model = everything or given.sampler or given.step or given.exact
    warm = warm_started(config, given.runs, console) if of_model else config
    if config.warm_start.steps:
        weights = "warm-started"
    else:
        weights = "given" if config.model.path else "random"

    def subject(name: str, *options: str, of: RunConfig = config) -> Subject:
        named = [*options, "--name", given.name] if given.name else [*options]
        line = command(f"benchmarks.{BENCHMARK}", of, *named)
        return Subject(of, name + ending, line, perf_counter())

    records: list[Record] = []
    if given.sampler or everything:
        options = ("--sampler", "--pairs", str(given.pairs))
        subjects = {weights: warm}
        if config.model.path is None:
            supervised = config.warm_start.model_copy(update={"steps": 0})
            subjects["random"] = config.model_copy(update={"warm_start": supervised})
        records += [
            sampler(settings, subject(f"sampler-{kind}", *options), kind, given.pairs)
            for kind, settings in subjects.items()
        ]
    if given.step or everything:
        options = ("--step", "--steps", str(given.steps))
        records.append(step(warm, subject("step", *options), weights, given.steps))
    if given.exact or everything:
        options = ("--exact", "--repeats", str(given.repeats))
        records.append(exact(warm, subject("exact", *options), weights, given.repeats))
    if given.trainer or everything:
        _, turns = parse(made, ["--game.name", MANY_TURNS, *arguments])
        options = ("--trainer", "--pairs", str(given.pairs))
        trained = warm_started(turns, given.runs, console)
        records.append(trainer(trained, subject("trainer", *options, of=turns), given.pairs))
    if given.environments or everything:
        options = ("--environments", "--pairs", str(given.pairs))
        records.append(environments(subject("environments", *options), given.pairs))
    for record in records:
        path = save(record, results=given.results)
        for group, quantities in record.measures.items():
            for quantity, found in quantities.items():
                console.print(f"{record.name}: {group}, {quantity}: {_told(found)} {found.unit}")
        console.print(f"written to {path}")
    console.print("Now: python -m benchmarks.readme")


def warm_started(config: RunConfig, runs: Path, console: Console) -> RunConfig:
    """``config`` with the warm-started model as its model; warmed up now, unless it is there."""
    if not config.warm_start.steps:
        return config
    place = study(runs, BENCHMARK, config)
    job = place.warm_start(config, "warm")
    with watched("warm start", [job], console) as look:
        run_all([job], at_once=1, place=place, look=look)
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"path": job.folder}),
            "warm_start": config.warm_start.model_copy(update={"steps": 0}),
        }
    )


def sampler(settings: RunConfig, subject: Subject, weights: str, pairs: int) -> Record:
    """Our sampler and `generate` in turn on the same prompts, A B A B, after one round of each."""
    run = _assembled(settings)
    prompts = [prompt for prompt in distinct_prompts(run) for _ in range(REPLICATES)]
    ours: list[Timed] = []
    theirs: list[Timed] = []
    for number in range(pairs + 1):
        mine, other = sample(run, prompts, number), peer_generate(run, prompts, number)
        if number:  # the first round warms up
            ours.append(mine)
            theirs.append(other)
    ratios = [_rate(a) / _rate(b) for a, b in zip(ours, theirs, strict=True)]
    per_reply = "tokens per reply"
    return _record(
        subject,
        "New tokens per second of our sampler and of transformers' `generate`, in turn.",
        (
            f"{len(prompts)} prompts, {len(prompts) // REPLICATES} distinct, at most "
            f"{settings.rollout.max_new_tokens} new tokens, temperature "
            f"{settings.rollout.temperature:g}; {weights} weights.",
            "On both sides only new tokens up to and including the end token count. `generate` has "
            "its key-value cache and samples from the whole distribution, as ours does.",
            "Our sampler reads equal prefixes once, so its lead is largest where replies agree.",
        ),
        {
            "sepo": {
                "speed": measure([_rate(t) for t in ours], "new tokens/s", over="pairs"),
                "length": measure([t.tokens / len(prompts) for t in ours], per_reply, over="pairs"),
            },
            "generate": {
                "speed": measure([_rate(t) for t in theirs], "new tokens/s", over="pairs"),
                "length": measure(
                    [t.tokens / len(prompts) for t in theirs], per_reply, over="pairs"
                ),
            },
            "sepo / generate": {"speed": measure(ratios, "ratio", over="pairs")},
        },
    )


def step(settings: RunConfig, subject: Subject, weights: str, steps: int) -> Record:
    """Whole GRPO steps: a batch of 192 games, and one of the settings as given."""
    settings = settings.model_copy(
        update={"learning": settings.learning.model_copy(update={"iterations": steps + 2})}
    )
    smaller = settings.model_copy(
        update={"rollout": settings.rollout.model_copy(update={"group_size": 8, "deals": "all"})}
    )
    return _record(
        subject,
        "Seconds of one GRPO step: read the policy exactly, play, learn.",
        (
            f"{steps} consecutive steps from {weights} weights, after two that do not count.",
            f"`{GAMES} games`: 6 deals x 2 seats x 2 opponents (nash of the train pool, the best "
            "response of the exploit pool) x 8 replicates; five opponents do not divide 192.",
        ),
        {
            f"{GAMES} games": _step_times(smaller, one_opponent_per_pool=True),
            "settings as given": _step_times(settings, one_opponent_per_pool=False),
        },
    )


def exact(settings: RunConfig, subject: Subject, weights: str, repeats: int) -> Record:
    """The action table and the exploitability of one model, again and again."""
    run = _assembled(settings)
    course = run.course
    tree, reader = tree_of(run), course.reader
    assert reader is not None, "what has a tree is read"

    def score() -> tuple[float, float]:
        clock = [perf_counter()]
        table = reader.read(run.language.model, pad_id=run.renderer.pad_id)
        clock.append(perf_counter())
        tree.exploitability_interval(table)
        clock.append(perf_counter())
        return (clock[1] - clock[0]) * 1e3, (clock[2] - clock[1]) * 1e3

    for _ in range(3):
        score()
    read, solve = zip(*(score() for _ in range(repeats)), strict=True)
    whole = [a + b for a, b in zip(read, solve, strict=True)]
    return _record(
        subject,
        "Milliseconds to score a language model's exploitability exactly.",
        (
            f"{reader.replies} replies in {len(tree.situations)} situations are scored; "
            f"{weights} weights.",
        ),
        {
            "exact score": {
                "read the model": measure(read, "ms", over="repeats"),
                "solve the tree": measure(solve, "ms", over="repeats"),
                "together": measure(whole, "ms", over="repeats"),
            }
        },
    )


def trainer(settings: RunConfig, subject: Subject, pairs: int) -> Record:
    """Our rollouts and whole steps in turn with those of TRL's trainer."""
    from benchmarks import trainer_speed as speeds

    found = speeds.measured(_assembled, speeds.settings_for(settings, pairs), pairs)
    summary = "Rollouts and whole GRPO steps of a game of many turns, in turn with TRL's trainer."
    return _record(subject, summary, speeds.notes(settings), found)


def environments(subject: Subject, pairs: int) -> Record:
    """Our environments and those of others in turn, and what has no peer ``pairs`` times."""
    from benchmarks import environment_speed as speeds

    summary = "Steps per second of environments, in turn with those of others."
    record = _record(subject, summary, speeds.notes(), speeds.measured(pairs))
    return record.model_copy(update={"game": GameId(id=speeds.GAMES, version=0)})


def _assembled(settings: RunConfig) -> Run:
    from transformers.utils.logging import disable_progress_bar

    from sepo_trainer.run import put_together

    disable_progress_bar()
    return put_together(settings)


def _step_times(settings: RunConfig, *, one_opponent_per_pool: bool) -> dict[str, Measure]:
    from sepo_trainer.train import Step, train

    run = _assembled(settings)
    run.begin_learning()
    if one_opponent_per_pool:
        course = run.course
        pools = course.stage.pools
        pools = {
            name: replace(pools[name], opponents=(pick(pools[name].opponents),))
            for name, pick in _PICKS.items()
        }
        course.stage = replace(course.stage, pools=pools)
    seen: list[Step] = []
    train(run, seen.extend)
    games = [sum(len(group.rollouts) for group in done.groups) for done in seen]
    if one_opponent_per_pool and set(games) != {GAMES}:
        raise BenchmarkError(
            f"--step is laid out for {GAMES} games of Kuhn poker, and these settings play "
            f"{games[0]}. Leave game.name and game.options as they are."
        )
    replies = [[t for g in s.groups for r in g.rollouts for t in r.turns] for s in seen]
    counted = seen[2:]
    found = {
        part: measure([s.seconds[part] for s in counted], "seconds", over="repeats")
        for part in PARTS
    }
    whole = [sum(s.seconds.values()) for s in counted]
    return found | {
        "whole step": measure(whole, "seconds", over="repeats"),
        "games": measure(games[2:], "games", over="repeats"),
        "replies": measure([len(r) for r in replies[2:]], "replies", over="repeats"),
        "new tokens": measure(
            [sum(len(t.output_ids) for t in r) for r in replies[2:]], "tokens", over="repeats"
        ),
    }


_PICKS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "train": lambda members: members[0],
    "exploit": lambda members: members[-1],
}
"""One opponent of each pool of Kuhn poker: nash, and the best response."""


def _record(
    subject: Subject,
    summary: str,
    notes: tuple[str, ...],
    measures: dict[str, dict[str, Measure]],
) -> Record:
    config = subject.config
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Record(
        benchmark=BENCHMARK,
        name=subject.name,
        summary=summary,
        notes=notes,
        game=game_id(config.game.name),
        settings=changed(config),
        config_digest=config_digest(config),
        seeds=(config.seed,),
        measures=measures,
        certificate=certify(
            command=subject.reproduce,
            threads=config.threads,
            wall_seconds=perf_counter() - subject.started,
            peak_memory_mib=peak / (2**20 if sys.platform == "darwin" else 2**10),
        ),
    )


def _rate(timed: Timed) -> float:
    return timed.tokens / timed.seconds


def _told(found: Measure) -> str:
    return f"median {found.median:.4g} ({found.low:.4g} to {found.high:.4g})"


if __name__ == "__main__":
    sys.exit(guarded(main, f"benchmarks.{BENCHMARK}"))
