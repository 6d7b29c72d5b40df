"""A training session in the terminal: starts or resumes a run, shows it, saves it, ends it well.

Ctrl-C, or SIGTERM as schedulers send it, ends the iteration in hand, saves a checkpoint and says
how to go on; a second one stops at once, and the last checkpoint stands. After the last iteration,
when all is saved, the first one stops at once. Where a run has several processes, all do the work
and the main one alone writes and tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from rich.console import Console
from transformers.utils.logging import disable_progress_bar

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.checkpoint import Checkpoint, CheckpointError
from sepo_trainer.courses.course import Course
from sepo_trainer.courses.scores import Against, Scores, score
from sepo_trainer.processes import count, from_main, is_main
from sepo_trainer.run import Run, put_together
from sepo_trainer.runs.evaluation import evaluate
from sepo_trainer.runs.hub import check_login, push
from sepo_trainer.runs.interrupt import (
    InterruptedRunError,
    go_on,
    patient_interrupt,
    told_how_to_go_on,
)
from sepo_trainer.runs.launch import check_launch, in_one_process
from sepo_trainer.runs.metrics import (
    Final,
    check_measurable,
    metrics_line,
    result_record,
    transcript,
    worth_of,
)
from sepo_trainer.runs.model_card import CARD, Trained, card
from sepo_trainer.runs.progress import bar
from sepo_trainer.runs.report import write_report
from sepo_trainer.runs.run_folder import (
    MODEL_FILES,
    RunFolder,
    check_room,
    check_trust,
    check_unaltered,
    existing,
    folder_made_whole,
    new,
    read_lines,
    resumed_with,
    seconds_spent,
    write_config,
    write_whole,
)
from sepo_trainer.runs.timings import peak_memory, timings_line
from sepo_trainer.runs.tracking import check_installed, curves, told_of, trackers
from sepo_trainer.settings.config import ConfigError, RunConfig
from sepo_trainer.train import Step, prepare, train

disable_progress_bar()  # of transformers, which draws one for loading half a megabyte


class FoulError(ValueError):
    """The policy no longer answers in a form that can be read."""


def start(config: RunConfig, console: Console) -> RunFolder:
    """Train a new run to its end."""
    folder = from_main(lambda: new(config))
    run = _ready(config)  # before anything is written: a bad setting leaves nothing behind
    with _held(folder):
        if is_main():
            write_config(folder, config)
        _say_hello(run, folder, console)
        with told_how_to_go_on(folder.path):
            _warm_start(run, folder, console)
            _finish(run, folder, console)
    return folder


def resume(path: Path, asked: RunConfig, console: Console) -> RunFolder:
    """Go on with the run in ``path`` from its last checkpoint, or from the start before the first.

    Args:
        asked: the run's settings with those given beside ``--resume``, which must be the same but
            for what becomes of its records and for who writes its replies.
    """
    folder, saved_config = existing(path)
    check_trust(path, saved_config, trusting=asked.model.trust_remote_code)
    config = resumed_with(saved_config, asked, path=path)
    with told_how_to_go_on(folder.path):
        run = _ready(config)
    with _held(folder), told_how_to_go_on(folder.path):
        saved = folder.latest()
        if saved is not None:  # which may be refused, so before any line is dropped
            check_unaltered(saved_config, saved[1], path=path)
            folder.check_lines(saved[1].iteration)
            run.restore(saved[1], source=saved[0])
            console.print(f"resuming {folder.path} at iteration {run.iteration}")
        else:
            console.print(f"{folder.path} has no checkpoint yet, so it starts anew")
        if is_main():
            folder.rewind(-1 if saved is None else run.iteration)
            if config != saved_config:
                write_config(folder, config)
        if saved is None:
            _warm_start(run, folder, console)
        _finish(run, folder, console)
    return folder


def _ready(config: RunConfig) -> Run:
    """The run of ``config``, once it is clear that its records can be kept as asked.

    Raises:
        ConfigError: a tracker is not installed, nobody is logged in to the Hub, or the best
            checkpoint is chosen by what is not measured.
        ApartError: another process of the run has other settings, or other code.
    """
    check_launch(config)
    check_installed(config)
    check_login(config.hub)
    run = put_together(config)
    check_measurable(config, [course.reader is not None for course in run.courses])
    return run


def reopen(
    path: Path,
    *,
    at: str = "last",
    engine: Literal["transformers", "vllm"] = "transformers",
    trust_remote_code: bool = False,
) -> tuple[RunFolder, Run]:
    """The run in ``path`` with the weights of one of its checkpoints, to evaluate or to play with.

    Args:
        at: `last`, `best` by what the run keeps its best by, or the number of a checkpoint; 0 is
            the policy after the warm start, which a run without one was given.
        engine: who writes the replies; where it is the run's own, as its settings say.
        trust_remote_code: run Python code that its model's folder brings, as the run did.

    Raises:
        ConfigError: there is no run there, or no such checkpoint; or its model brings code.
        CheckpointError: it has saved nothing yet, or its checkpoint is damaged.
    """
    folder, config = existing(path)
    check_trust(path, config, trusting=trust_remote_code)
    found = {int(place.name): place for place in checkpoints.checkpoints(folder.checkpoints)}
    given = at == "0" and 0 not in found and config.warm_start.steps == 0
    if not found and not given:
        raise CheckpointError(
            f"{path} has no checkpoint yet, so there is no policy in it. "
            f"Let it run first: python -m sepo_trainer train --resume {path}"
        )
    place = None if given else found[_number(at, folder, config, sorted(found))]
    run = put_together(in_one_process(config, engine))
    if found:
        saved = checkpoints.load(place or found[max(found)])
        check_unaltered(config, saved, path=path)
    if place is None:
        if found:
            run.check_base(saved, source=path)
        prepare(run, lambda step, loss: None)
    else:
        run.restore(saved, source=place)
    return folder, run


def _number(at: str, folder: RunFolder, config: RunConfig, there: Sequence[int]) -> int:
    """Of the checkpoint that ``at`` names among those that are ``there``, oldest first."""
    if at == "last":
        return there[-1]
    listed = ", ".join(map(str, there))
    if at == "best":
        weights = {game: config.weight(game) for game in config.games}
        worth = worth_of(read_lines(folder.metrics), config.keep.best, weights)
        best = checkpoints.most_worthy(there, worth)
        if best is None:
            raise ConfigError(
                f"no checkpoint of {folder.path} is known to be the best: keep.best is "
                f"{config.keep.best!r}, or none was measured. Name one of: {listed}."
            )
        return best
    if not at.isdecimal() or int(at) not in there:
        raise ConfigError(
            f"{folder.path} has no checkpoint {at!r}. It has: {listed}; also 'last' and 'best'."
        )
    return int(at)


def warm_start_only(config: RunConfig, to: Path, console: Console) -> None:
    """Stage one alone: write the warm-started model to ``to`` in Hugging Face format, and beside it
    what the policy is worth."""
    started = perf_counter()
    run = put_together(config)
    from_main(lambda: check_room(to, "a model", MODEL_FILES))
    with bar(console, "warm start", config.warm_start.steps) as step:
        prepare(run, lambda number, loss: step(number + 1, f"{loss:.3f} nats per reply"))
    worth = final_worth(run)
    if is_main():
        save_model(run, to, worth)
        _write_result(to / "result.json", run, worth, perf_counter() - started, console)
    console.print(f"The model is in {to}.")


def _warm_start(run: Run, folder: RunFolder, console: Console) -> None:
    started = perf_counter()
    with bar(console, "warm start", run.config.warm_start.steps) as step:
        prepare(run, lambda number, loss: step(number + 1, f"{loss:.3f} nats per reply"))
    spent = {"warm_start": perf_counter() - started}
    if is_main():
        folder.append(folder.timings, {"iteration": -1, "seconds": spent})
    saved = run.checkpoint()
    if is_main():
        checkpoints.save(folder.checkpoints, saved)


def _finish(run: Run, folder: RunFolder, console: Console) -> None:
    every, total = run.config.checkpoint_every, run.config.learning.iterations
    with (
        trackers(run.config, folder.path, iteration=run.iteration) as tell,
        bar(console, "learning", total) as step,
    ):

        def report(steps: Sequence[Step]) -> None:
            iteration, number = steps[0].iteration, steps[0].iteration + 1
            lines = {done.game: metrics_line(done) for done in steps}
            timings = timings_line(steps, peak_memory())
            if is_main():
                for line in lines.values():
                    folder.append(folder.metrics, line)
                folder.append(folder.timings, timings)
            step(number, "; ".join(_headline(done, of=len(steps)) for done in steps))
            stopping = pressed()  # once: who asks from here on is answered after the next iteration
            if number % every == 0 or number == total or stopping:
                saved = run.checkpoint()
                if is_main():
                    for done in steps:
                        place = folder.of_game(folder.transcripts, done.game, run.config)
                        write_whole(place / f"{number:06d}.txt", transcript(done.groups))
                    _save_checkpoint(saved, run.config, folder)
            # Last, as a tracker may fail, and what it fails to show is all that may be lost then.
            tell(iteration, told_of(lines) | curves(timings))
            _check_fouls(run, lines, iteration)
            if stopping:
                if is_main():
                    write_report(folder)
                raise InterruptedRunError(
                    f"stopped after iteration {number}, and saved. Go on with: {go_on(folder.path)}"
                )

        with patient_interrupt() as pressed:
            train(run, report)
        worth = final_worth(run)
        if not is_main():
            return
        save_model(run, folder.model, worth)
        seconds = seconds_spent(read_lines(folder.timings))
        record = _write_result(folder.result, run, worth, seconds, console)
        tell(total, told_of(record.get("courses", {run.config.game.name: record}), under="final/"))
    write_report(folder)
    console.print(f"The report is {folder.report}.")
    if run.config.hub.push_to_hub:
        console.print(f"The model is at {push(folder.model, run.config.hub)}.")


def _save_checkpoint(saved: Checkpoint, config: RunConfig, folder: RunFolder) -> None:
    """A checkpoint more, and without those that need not be kept."""
    checkpoints.save(folder.checkpoints, saved)
    keep = config.keep
    weights = {game: config.weight(game) for game in config.games}
    worth = worth_of(read_lines(folder.metrics), keep.best, weights)
    checkpoints.prune(folder.checkpoints, last=keep.last, worth=worth)


def _check_fouls(run: Run, lines: Mapping[str, Mapping[str, Any]], iteration: int) -> None:
    """Stop a run that would learn from babble.

    Raises:
        FoulError: it would.
    """
    for course, line in zip(run.courses, lines.values(), strict=True):
        if line["foul_rate"] > course.config.rollout.most_fouls:
            raise FoulError(
                f"the policy forfeited {line['foul_rate']:.0%} of its decisions in "
                f"iteration {iteration} of {line['game']}, more than rollout.most_fouls "
                "allows. Give it a longer warm start (warm_start.steps), more room to "
                "answer (rollout.max_new_tokens), a firmer format (reference.kl_talk) or "
                "a slower rise of the rate (learning.rise), in a new run."
            )


def _write_result(
    path: Path, run: Run, worth: Mapping[str, Final], seconds: float, console: Console
) -> dict[str, Any]:
    """What the policy is worth, to a file and to the terminal; returns what the file holds."""
    record = result_record(run.config, worth, seconds)
    write_whole(path, json.dumps(record, indent=1))
    for game, final in worth.items():
        console.print(f"{_told(game, of=len(worth))}{describe(final.scores)}")
    return record


def final_worth(run: Run) -> dict[str, Final]:
    """What the policy is worth as it stands, by game."""
    return {course.stage.domain.name: final_scores(course) for course in run.courses}


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


def save_model(run: Run, to: Path, worth: Mapping[str, Final]) -> None:
    """The policy, its tokenizer and its card, as `from_pretrained` and the Hub take them."""
    with folder_made_whole(to) as draft:
        for place in run.policy.save(draft):
            run.language.tokenizer.save_pretrained(place)
        games = {course.stage.domain.name: course for course in run.courses}
        trained = {name: _trained(course, worth[name]) for name, course in games.items()}
        text = card(run.config, trained, iterations=run.iteration)
        (draft / CARD).write_text(text, encoding="utf-8")


def _trained(course: Course, worth: Final) -> Trained:
    pools = {
        pool: [opponent.name for opponent in members]
        for pool, members in course.opponents(worth.table).items()
    }
    pools["train"] += course.selves()
    domain = course.stage.domain
    return Trained(domain.title, domain.zero_sum, course.weights, pools, worth)


def _say_hello(run: Run, folder: RunFolder, console: Console) -> None:
    config = run.config
    titles = ", ".join(course.stage.domain.title for course in run.courses)
    adapters = config.adapter.kind != "none"
    of_it = sum(weight.numel() for weight in run.policy.learning().values())
    console.print(
        f"{titles}: {run.language.parameters / 1e6:.1f} M parameters, "
        f"{f'{of_it / 1e6:.1f} M of them in an adapter, ' * adapters}"
        f"{config.learning.iterations} iterations, arm "
        f"{run.courses[0].config.objective.penalty_credit}, seed {config.seed}, "
        f"{f'{count()} processes, ' * (count() > 1)}into {folder.path}"
    )


def _held(folder: RunFolder) -> AbstractContextManager[None]:
    """Keep other runs from writing there; the main process does it for all of this one."""
    return folder.held() if is_main() else nullcontext()
