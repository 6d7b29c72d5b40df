"""The commands behind ``python -m sepo_trainer``, and how each kind of failure is told."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.table import Column, Table
from safetensors import SafetensorError

from opponents.opponent import OpponentError
from sepo_envs.protocol import STYLES
from sepo_trainer import processes
from sepo_trainer.processes import LostError, ToldError, from_main, is_main, joined, together
from sepo_trainer.settings.config import ConfigError, RunConfig
from sepo_trainer.settings.resolve import override, resolve, to_toml

if TYPE_CHECKING:
    from sepo_trainer.courses.course import Course

HELP = """\
Train a language model to play safely: payoff minus exploitability, collusion and externality.

  python -m sepo_trainer                          train the embedded tiny model on Kuhn poker
  python -m sepo_trainer train --help             every setting, with its default and what it does
  python -m sepo_trainer train --seed 1 --learning.iterations 100
  python -m sepo_trainer train --config run.toml  settings from a file; the command line wins
  python -m sepo_trainer train --preset paper --game.name prisoners_dilemma
                                                  the pipeline as published, faults included
  python -m sepo_trainer train --game.name joint  one policy for all five games
  python -m sepo_trainer train --resume runs/kuhn_poker-1
                                                  go on after Ctrl-C, a crash or a kill
  python -m sepo_trainer warm-start --to models/warm
                                                  the supervised stage alone; saves a model folder
  python -m sepo_trainer demonstrations --to demonstrations
                                                  what it learns from, as a chat dataset with a card
  python -m sepo_trainer evaluate runs/kuhn_poker-1
                                                  exact scores, and sampled play against every pool
  python -m sepo_trainer play runs/kuhn_poker-1   sit down against the policy yourself
  python -m sepo_trainer config --game.name joint > run.toml
                                                  a game's own settings as a file to edit

A run leaves everything in runs/<name>/: config.toml, metrics.jsonl, checkpoints, transcripts, the
model in Hugging Face format, plots and report.html.
"""
COMMANDS = ("train", "warm-start", "demonstrations", "evaluate", "play", "config")
ROOM = (
    "Mend its permissions, free some space or choose another place; what was saved before stands."
)
WIDE = 120
"""Columns of the table that `evaluate` prints."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status is 0, 2 for a usage error, or 130 after Ctrl-C."""
    quiet = not is_main()
    # [bet] is a move, not a style.
    console = Console(highlight=False, soft_wrap=True, markup=False, quiet=quiet)
    command, rest = "train", list(arguments)
    if rest and not rest[0].startswith("-"):
        command = rest.pop(0)
    elif rest[:1] in (["-h"], ["--help"]):
        console.print(HELP)
        return 0
    if command not in COMMANDS:
        _complain(f"there is no command {command!r}. Choose one of: {', '.join(COMMANDS)}.")
        return 2
    try:
        return _dispatch(command, rest, console)
    except ToldError:
        return 2
    except KeyboardInterrupt:
        if is_main():
            _complain("stopped. What was saved before stands.")
        return 130
    except OSError as error:
        place = (
            f"{error.filename} cannot be read or written" if error.filename else "writing failed"
        )
        _complain(f"{place}: {error.strerror or error}. {ROOM}")
        return 2
    except SafetensorError as error:  # what it raises where a disk is full, too
        _complain(f"weights cannot be read or written: {error}. {ROOM}")
        return 2
    except (ValueError, LostError, OpponentError) as error:
        if not _is_ours(error):
            raise
        _complain(str(error))
        return 2


def _dispatch(command: str, rest: list[str], console: Console) -> int:
    if command == "config":
        config = _settings(rest, command)[0]
        console.print(
            f"# Every setting of a run of {config.game.name}. In another game they would hold in\n"
            "# place of those that it has of its own: to change game.name, write this anew."
        )
        console.print(to_toml(config), end="")
        return 0
    if command in SHARED_OUT:
        with joined():
            config, given = together(lambda: _settings(rest, command))
            return SHARED_OUT[command](config, given, console)
    if processes.count() > 1:
        raise ConfigError(
            f"{command} runs in one process, but a launcher has started {processes.count()}. "
            f"Start it by itself: python -m sepo_trainer {command} ..."
        )
    if command == "demonstrations":
        return _demonstrations(rest, console)
    return _use(command, rest, console)


def _train(config: RunConfig, given: argparse.Namespace, console: Console) -> int:
    # These import torch and transformers, which takes seconds: only now, when they are needed.
    from sepo_trainer.runs.interrupt import InterruptedRunError
    from sepo_trainer.runs.run_folder import distrusted, existing, run_path
    from sepo_trainer.runs.session import resume, start

    try:
        if given.resume is not None:
            path = from_main(lambda: run_path(given.resume, config.runs))
            named = given.config or given.preset
            saved = config if named else distrusted(existing(path)[1])
            resume(path, override(saved, given.settings), console)
        else:
            start(config, console)
    except InterruptedRunError as stopped:
        if is_main():
            _complain(str(stopped))
        return 130
    return 0


def _warm_start(config: RunConfig, given: argparse.Namespace, console: Console) -> int:
    from sepo_trainer.runs.session import warm_start_only

    warm_start_only(config, given.to, console)
    return 0


SHARED_OUT = {"train": _train, "warm-start": _warm_start}
"""The commands that a launcher may start several processes of."""


def _demonstrations(rest: list[str], console: Console) -> int:
    """Write the demonstrators' play as a chat dataset."""
    from sepo_trainer.dataset import Recipe, write_dataset
    from sepo_trainer.runs.progress import bar

    usual = Recipe()
    parser = argparse.ArgumentParser(
        prog="python -m sepo_trainer demonstrations",
        description="Play the cited demonstrators of every game, and write what they read and say "
        "as chats, one JSON object a line, with a card and checksums. The same options write the "
        "same bytes.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--to",
        type=Path,
        metavar="FOLDER",
        default=Path("demonstrations"),
        help="a new one, or an earlier set to replace (%(default)s)",
    )
    add("--seed", type=int, default=usual.seed, help="of all draws (%(default)s)")
    add(
        "--games",
        type=lambda text: tuple(text.split(",")),
        metavar="A,B",
        default=usual.games,
        help=f"which, with equal shares ({','.join(usual.games)})",
    )
    add(
        "--decisions",
        metavar="N",
        type=_positive,
        default=usual.decisions,
        help="of all games together, rounded up to whole episodes (%(default)s)",
    )
    add(
        "--style",
        choices=STYLES,
        default=usual.style,
        help="a chat per decision, or one per conversation (%(default)s)",
    )
    add("--no-thoughts", dest="thoughts", action="store_false", help="write bare moves")
    given = parser.parse_args(rest)
    recipe = Recipe(given.games, given.seed, given.decisions, given.style, given.thoughts)
    total = recipe.share * len(recipe.games)
    with bar(console, "playing", total) as step:
        tallies = write_dataset(
            recipe, given.to, progress=lambda done, game: step(min(done, total), game)
        )
    rows, decisions = (
        sum(count) for count in zip(*((t.rows, t.decisions.total()) for t in tallies), strict=True)
    )
    console.print(
        f"{decisions:,} decisions of {len(tallies)} game{'s'[len(tallies) == 1 :]} in {rows:,} "
        "chats. "
        f"The card is {given.to / 'README.md'}."
    )
    return 0


def _use(command: str, rest: list[str], console: Console) -> int:
    """``evaluate`` and ``play``: commands on a run that exists."""
    from sepo_trainer.runs.play import play
    from sepo_trainer.runs.session import reopen

    parser = argparse.ArgumentParser(prog=f"python -m sepo_trainer {command}")
    parser.add_argument("run", type=Path, help="a run folder, such as runs/kuhn_poker-1")
    parser.add_argument("--game", metavar="NAME", help="which one, of a joint run's")
    parser.add_argument(
        "--checkpoint",
        metavar="WHICH",
        default="last",
        help="last, best, or the number of one in its checkpoints/ (%(default)s)",
    )
    parser.add_argument(
        "--sampler.engine",
        dest="engine",
        choices=("transformers", "vllm"),
        default="transformers",
        help="who writes the replies, whoever wrote those that it learned from (%(default)s)",
    )
    parser.add_argument(
        "--model.trust-remote-code",
        dest="trust",
        choices=("true", "false"),
        default="false",
        help="run Python code that the model's folder brings; read it before (%(default)s)",
    )
    if command == "evaluate":
        parser.add_argument(
            "--episodes", type=_positive, default=1200, help="per opponent, at least (%(default)s)"
        )
    else:
        parser.add_argument("--seed", type=int, default=0, help="of the cards (%(default)s)")
    given = parser.parse_args(rest)
    folder, run = reopen(
        given.run,
        at=given.checkpoint,
        engine=given.engine,
        trust_remote_code=given.trust == "true",
    )
    courses = {course.stage.domain.name: course for course in run.courses}
    if given.game is not None and given.game not in courses:
        raise ConfigError(f"{given.run} has no game {given.game!r}. It has: {', '.join(courses)}.")
    chosen = courses if given.game is None else {given.game: courses[given.game]}
    if command == "play":
        if len(chosen) > 1:
            raise ConfigError(f"which game? Add --game with one of: {', '.join(chosen)}.")
        play(*chosen.values(), seed=given.seed, write=console.print)
        return 0
    from sepo_trainer.runs.run_folder import write_whole

    found = {name: _evaluate(course, given.episodes, console) for name, course in chosen.items()}
    [only, *others] = found.values()
    # By what it is of: whoever evaluates the same again writes the same.
    of = [given.game, f"{run.iteration:06d}", f"{given.episodes}-episodes"]
    of += [given.engine] if given.engine != "transformers" else []
    path = folder.path / f"evaluation-{'-'.join(filter(None, of))}.json"
    write_whole(path, json.dumps({"courses": found} if others else only, indent=1))
    console.print(f"written to {path}")
    return 0


def _evaluate(course: Course, episodes: int, console: Console) -> dict[str, Any]:
    """One game's scores, shown; returns them ready for JSON."""
    from sepo_trainer.runs.evaluation import evaluate
    from sepo_trainer.runs.metrics import card_json
    from sepo_trainer.runs.session import describe, final_scores

    console.print(course.stage.domain.title)
    read = None if course.reader is None else final_scores(course).scores
    if read is not None:
        console.print(describe(read))
        console.print(f"exactly: J {read.objective:+.4f}, u {read.u:+.4f}, e {read.e:.4f}")
    card, exact = evaluate(course, episodes=episodes)
    columns = ("pool", "opponent", "episodes", "points", "95 %", "exact", "margin", "NRA", "fouls")
    table = Table(*(Column(name, no_wrap=True) for name in columns), box=None)
    console.print("Points per round in sampled play, and exactly where the policy can be read out:")
    for line in card.opponents:
        known = exact.get(str(line.opponent))
        table.add_row(
            line.pool,
            line.opponent,
            f"{line.matches:,}",
            f"{line.payoff.value:+.3f}",
            f"{line.payoff.low:+.3f} to {line.payoff.high:+.3f}",
            "" if known is None else f"{known:+.3f}",
            f"{line.margin.value:+.3f}",
            f"{line.nra.value:+.3f}",
            f"{line.foul_rate.value:.1%}",
        )
    console.width = max(console.width, WIDE)  # a narrow terminal breaks lines; rich would cut names
    console.print(table)
    for name, found in (("u", card.u), ("e", card.e), ("c", card.c), ("x", card.x)):
        interval = f"{found.value:+.3f}  ({found.low:+.3f} to {found.high:+.3f})"
        console.print(f"{name:>7}  {'not defined' if isnan(found.value) else interval}")
    low, high = card.safety.low, card.safety.high
    console.print(
        f"SAFETY, J at {card.weights}: {card.safety.value:+.3f} ({low:+.3f} to {high:+.3f})"
    )
    scores: dict[str, Any] = card_json(card) | {"exact": exact}
    if read is not None:
        console.print(
            "This J is of the sampled matches: e takes what each opponent gained there, luck "
            "included, where it is above 0, so it tends to lie below the exact one."
        )
        scores["exactly"] = {"objective": read.objective, "u": read.u, "e": read.e}
    return scores


def _settings(rest: list[str], command: str) -> tuple[RunConfig, argparse.Namespace]:
    """Defaults, then ``--preset``, then ``--config``, then the command line; and the options that
    are no settings."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--preset")
    parser.add_argument("-h", "--help", action="store_true")
    if command == "train":
        parser.add_argument("--resume", nargs="?", const="", default=None)
    if command == "warm-start":
        parser.add_argument("--to", type=Path, default=Path("models/warm-start"))
    given, overrides = parser.parse_known_args(rest)
    given.settings = overrides
    config = resolve(given.config, given.settings, preset=given.preset)
    if given.help:
        _print_settings(command, config)
    return config, given


def _print_settings(command: str, config: RunConfig) -> NoReturn:
    """Every setting with its docstring and what it is in ``config``; ends the program."""
    import tyro

    also = "Also: --config FILE (TOML), --preset paper (the pipeline as published)"
    extra = {
        "train": f"{also}, --resume [RUN] (a folder, or else the name of one under --runs; without "
        "either the newest one there).",
        "warm-start": f"{also}, --to FOLDER (default models/warm-start).",
        "config": f"{also}.",
    }[command]
    try:
        tyro.cli(
            RunConfig,
            prog=f"python -m sepo_trainer {command}",
            description=f"{extra} Options of the rules: --game.options.hands 6. A game of a joint "
            "run: --courses.kuhn_poker.weight 2, and as here below for its rollout and objective. "
            f"All settings, with what they are for {config.game.name}; before --help, --game.name "
            "shows another game's:",
            default=config,
            config=(tyro.conf.FlagConversionOff,),
            args=["--help"],
        )
    except BrokenPipeError:
        # Whoever read the output, `head` say, has seen enough; Python must not flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)  # as rich does, with which all else is shown
    raise AssertionError("--help ends the program")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _is_ours(error: Exception) -> bool:
    """Whether the message was written for the user, rather than by a bug somewhere below."""
    module = type(error).__module__
    raised_in = error.__traceback__
    while raised_in is not None and raised_in.tb_next is not None:
        raised_in = raised_in.tb_next
    where = raised_in.tb_frame.f_globals.get("__name__", "") if raised_in is not None else ""
    return module.startswith(("sepo_", "opponents")) or where.startswith(("sepo_", "opponents"))


def _complain(text: str) -> None:
    who = "" if is_main() else f"process {processes.rank()} of {processes.count()}: "
    print(f"sepo_trainer: {who}{text}", file=sys.stderr)
