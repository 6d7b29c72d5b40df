"""A training session in the terminal: starts or resumes a run, shows it, saves it, ends it well.

Ctrl-C, or SIGTERM as schedulers send it, ends the iteration in hand, saves a checkpoint and says
how to go on; a second one stops at once, and the last checkpoint stands.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from rich.console import Console
from transformers.utils.logging import disable_progress_bar

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.checkpoint import CheckpointError
from sepo_trainer.config import RunConfig
from sepo_trainer.course import Course
from sepo_trainer.evaluation import evaluate
from sepo_trainer.metrics import Final, metrics_line, result_record, transcript
from sepo_trainer.progress import bar
from sepo_trainer.report import write_report
from sepo_trainer.run import Run, put_together
from sepo_trainer.run_folder import (
    RunFolder,
    check_room,
    check_unchanged,
    existing,
    folder_made_whole,
    new,
    read_lines,
    write_config,
    write_whole,
)
from sepo_trainer.scores import Against, Scores, score
from sepo_trainer.train import Step, prepare, train

disable_progress_bar()  # of transformers, which draws one for loading half a megabyte


class InterruptedRunError(Exception):
    """The run was asked to stop, and everything up to here is saved."""


class FoulError(ValueError):
    """The policy no longer answers in a form that can be read."""


def start(config: RunConfig, console: Console) -> RunFolder:
    """Train a new run to its end."""
    folder = new(config)
    run = put_together(config)  # before anything is written: a bad setting leaves nothing behind
    with folder.held():
        write_config(folder, config)
        _say_hello(run, folder, console)
        _warm_start(run, folder, console)
        _finish(run, folder, console)
    return folder


def resume(path: Path, asked: RunConfig, console: Console) -> RunFolder:
    """Go on with the run in ``path`` from its last checkpoint, or from the start before the first.

    Args:
        asked: the run's settings with those given beside ``--resume``, which must be the same.
    """
    folder, config = existing(path)
    check_unchanged(config, asked, path=path)
    run = put_together(config)
    with folder.held():
        saved = folder.latest()
        if saved is None:
            console.print(f"{folder.path} has no checkpoint yet, so it starts anew")
            folder.rewind(-1)
            _warm_start(run, folder, console)
        else:
            run.restore(saved[1], source=saved[0])  # may refuse, so before any line is dropped
            folder.rewind(run.iteration)
            console.print(f"resuming {folder.path} at iteration {run.iteration}")
        _finish(run, folder, console)
    return folder


def reopen(path: Path) -> tuple[RunFolder, Run]:
    """The run in ``path`` with its newest weights, to evaluate or to play against.

    Raises:
        ConfigError: there is no run there.
        CheckpointError: it has saved nothing yet, or its checkpoint is damaged.
    """
    folder, config = existing(path)
    saved = folder.latest()
    if saved is None:
        raise CheckpointError(
            f"{path} has no checkpoint yet, so there is no policy in it. "
            f"Let it run first: python -m sepo_trainer train --resume {path}"
        )
    run = put_together(config)
    run.restore(saved[1], source=saved[0])
    return folder, run


def warm_start_only(config: RunConfig, to: Path, console: Console) -> None:
    """Stage one alone: write the warm-started model to ``to`` in Hugging Face format, and beside it
    what the policy is worth."""
    started = perf_counter()
    run = put_together(config)
    check_room(to, "a model", MODEL_FILES)
    with bar(console, "warm start", config.warm_start.steps) as step:
        prepare(run, lambda number, loss: step(number + 1, f"{loss:.3f} nats per reply"))
    save_model(run, to)
    _write_result(to / "result.json", run, perf_counter() - started, console)
    console.print(f"The model is in {to}.")


MODEL_FILES = frozenset(
    (
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
        "result.json",
    )
)
"""What the warm start writes, and so may write again."""


def _warm_start(run: Run, folder: RunFolder, console: Console) -> None:
    started = perf_counter()
    with bar(console, "warm start", run.config.warm_start.steps) as step:
        prepare(run, lambda number, loss: step(number + 1, f"{loss:.3f} nats per reply"))
    folder.append(folder.timings, {"iteration": -1, "warm_start": perf_counter() - started})
    checkpoints.save(folder.checkpoints, run.checkpoint())


def _finish(run: Run, folder: RunFolder, console: Console) -> None:
    every, total = run.config.checkpoint_every, run.config.learning.iterations
    with _patient_interrupt() as pressed, bar(console, "learning", total) as step:

        def report(steps: Sequence[Step]) -> None:
            iteration, number = steps[0].iteration, steps[0].iteration + 1
            lines = [metrics_line(done) for done in steps]
            for line in lines:
                folder.append(folder.metrics, line)
            seconds = {part: sum(done.seconds[part] for done in steps) for part in steps[0].seconds}
            folder.append(folder.timings, {"iteration": iteration} | seconds)
            step(number, "; ".join(_headline(done, of=len(steps)) for done in steps))
            if number % every == 0 or number == total or pressed():
                for done in steps:
                    place = folder.of_game(folder.transcripts, done.game, run.config)
                    write_whole(place / f"{number:06d}.txt", transcript(done.groups))
                checkpoints.save(folder.checkpoints, run.checkpoint())
            for course, line in zip(run.courses, lines, strict=True):
                if line["foul_rate"] > course.config.rollout.most_fouls:
                    raise FoulError(
                        f"the policy forfeited {line['foul_rate']:.0%} of its decisions in "
                        f"iteration {iteration} of {line['game']}, more than rollout.most_fouls "
                        "allows. Give it a longer warm start (warm_start.steps), more room to "
                        "answer (rollout.max_new_tokens), a firmer format (reference.kl_talk) or "
                        "a slower rise of the rate (learning.rise), in a new run."
                    )
            if pressed() and number < total:
                write_report(folder)
                raise InterruptedRunError(
                    f"stopped after iteration {number}, and saved. Go on with: "
                    f"python -m sepo_trainer train --resume {folder.path}"
                )

        train(run, report)
    save_model(run, folder.model)
    seconds = sum(
        value
        for line in read_lines(folder.timings)
        for part, value in line.items()
        if part != "iteration"
    )
    _write_result(folder.result, run, seconds, console)
    write_report(folder)
    console.print(f"The report is {folder.report}.")


def _write_result(path: Path, run: Run, seconds: float, console: Console) -> None:
    """What the policy is worth as it stands, to a file and to the terminal."""
    worth = {course.stage.domain.name: final_scores(course) for course in run.courses}
    write_whole(path, json.dumps(result_record(run.config, worth, seconds), indent=1))
    for game, final in worth.items():
        console.print(f"{_told(game, of=len(worth))}{describe(final.scores)}")


def final_scores(course: Course) -> Final:
    """The policy as it stands: exactly where its table is read, else by play on fresh deals."""
    table, tree = course.table(), course.stage.tree
    if table is not None and tree is not None:
        exact = score(tree, table, course.opponents(table), course.weights)
        return Final(table, exact, None)
    card = evaluate(course, episodes=course.config.evaluation_episodes).card
    against = {
        str(line.opponent): Against(line.payoff.value, line.margin.value) for line in card.opponents
    }
    u, e, c, x, objective = (part.value for part in (card.u, card.e, card.c, card.x, card.safety))
    return Final(None, Scores(u, e, c, x, objective, against, None), card)


def describe(scores: Scores) -> str:
    """One line on a policy, and how exact it is."""
    found = scores.exploitability
    if found is None:
        return (
            f"J {scores.objective:+.3f} per round, by play: u {scores.u:+.3f}, e {scores.e:.3f}, "
            f"c {scores.c:.3f}, x {scores.x:.3f}"
        )
    return (
        f"exploitability {found.value:.4f} points per hand ({found.label}, "
        f"so between {found.low:.4f} and {found.high:.4f})"
    )


def _headline(done: Step, *, of: int) -> str:
    found = done.scores.exploitability
    exact = "" if found is None else f"exploitability {found.value:.4f}  "
    return f"{_told(done.game, of=of)}{exact}J {done.scores.objective:+.3f}"


def _told(game: str, *, of: int) -> str:
    """The name of a game before what is said of it, where there are several."""
    return f"{game}: " if of > 1 else ""


def save_model(run: Run, to: Path) -> None:
    """The policy and its tokenizer, as `from_pretrained` loads them."""
    with folder_made_whole(to) as draft:
        run.language.model.save_pretrained(draft)
        run.language.tokenizer.save_pretrained(draft)


def _say_hello(run: Run, folder: RunFolder, console: Console) -> None:
    config = run.config
    titles = ", ".join(course.stage.domain.title for course in run.courses)
    console.print(
        f"{titles}: {run.language.parameters / 1e6:.1f} M parameters, "
        f"{config.learning.iterations} iterations, arm "
        f"{run.courses[0].config.objective.penalty_credit}, seed {config.seed}, into {folder.path}"
    )


@contextmanager
def _patient_interrupt() -> Iterator[Any]:
    """Turn the first Ctrl-C, or a request to terminate, into a note that the loop reads; the second
    one acts as usual."""
    pressed = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signum, before[signal.Signals(signum)])

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
