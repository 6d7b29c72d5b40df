"""What the benchmarks' command lines share: settings of a run beside their own options."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.records import RESULTS, GameId, RecordError, Setting
from sepo_envs.catalogue import domain
from sepo_trainer.settings.config import JOINT, ConfigError, RunConfig
from sepo_trainer.settings.resolve import resolve
from sepo_trainer.stage import set_stage

RUNS = Path("runs/benchmarks")
NOT_SETTINGS = ("seed", "name", "runs")
"""What says where a run lies and which of the seeds it is; the benchmark chooses these."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class BenchmarkError(ValueError):
    """A benchmark cannot be run as asked; the message says why and how to mend it."""


class InterruptedStudyError(Exception):
    """Ctrl-C; what is finished stands."""


def guarded(command: Callable[[Sequence[str]], None], name: str) -> int:
    """Run ``command`` on this process's arguments.

    Returns:
        the exit status: 0, 2 for misuse, 130 after Ctrl-C.

    Args:
        name: of the module, for messages.
    """
    try:
        command(sys.argv[1:])
    except (BenchmarkError, RecordError, ConfigError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, InterruptedStudyError) as stopped:
        said = str(stopped) or "stopped; nothing was recorded. Run it again to go on."
        print(f"{name}: {said}", file=sys.stderr)
        return 130
    return 0


def written(made: Mapping[Path, str], *, check: bool, command: str) -> bool:
    """Write those of the files that are not as they should be; whether any was.

    Args:
        check: write nothing, and only say so.
        command: that writes them.

    Raises:
        SystemExit: with ``check``, one is stale.
    """
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text() != text]
    if check and stale:
        print(
            f"{stale[0]} is not as the records are. Mend it with: {command}",
            file=sys.stderr,
        )
        raise SystemExit(1)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
    return bool(stale)


def parser(module: str, description: str, *, seeds: bool = True) -> argparse.ArgumentParser:
    """The options that every benchmark of training has."""
    made = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description.strip().replace("`", ""),
        epilog="Every setting of a run can be given too, as in --learning.iterations 100; "
        "`python -m sepo_trainer train --help` lists them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if seeds:
        made.add_argument(
            "--seeds", type=at_least(1), default=5, metavar="N", help="how many (%(default)s)"
        )
        made.add_argument(
            "--first-seed", type=at_least(0), default=0, metavar="S", help="(%(default)s)"
        )
        made.add_argument(
            "--jobs",
            type=at_least(1),
            default=1,
            metavar="N",
            help="trainings at once (%(default)s); more than one makes their times longer, "
            "and the record says so",
        )
        made.add_argument(
            "--replace",
            action="store_true",
            help="write over a record of other settings or of more seeds",
        )
    made.add_argument("--config", type=Path, metavar="FILE", help="settings of the run, as TOML")
    made.add_argument(
        "--runs", type=Path, default=RUNS, metavar="DIR", help="for run folders (%(default)s)"
    )
    made.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="for records (benchmarks/results)",
    )
    return made


def at_least(smallest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < smallest:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {smallest} up")
        return int(text)

    return number


def record_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be a file's name: use letters, digits, '.', '_' and '-'"
        )
    return text


def parse(
    made: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[argparse.Namespace, RunConfig]:
    """The benchmark's own options, and the run's settings from the rest.

    Raises:
        ConfigError, BenchmarkError: as `settings` does, or a folder cannot be written.
    """
    given, overrides = made.parse_known_args(arguments)
    config = settings(overrides, file=given.config)
    check_writable("--runs", given.runs)
    check_writable("--results", given.results)
    return given, config


def check_writable(option: str, folder: Path) -> None:
    """Refuse, before any work, a ``folder`` that nothing can be written to; it need not be there.

    Args:
        option: that names it on the command line.

    Raises:
        BenchmarkError: it is such a folder.
    """
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        with TemporaryDirectory(dir=there):  # permissions alone do not tell
            pass
    except OSError as error:
        raise BenchmarkError(
            f"the folder {folder} cannot be written ({error.strerror}). "
            f"Choose another place with {option}, or mend its permissions."
        ) from error


def settings(overrides: Sequence[str], *, file: Path | None = None) -> RunConfig:
    """The run's settings: defaults, then ``file``, then ``overrides`` such as ``--a.b value``.

    Raises:
        ConfigError: a setting is unknown or impossible.
        BenchmarkError: a setting is given that the benchmark chooses itself.
    """
    config = resolve(file, overrides)
    chosen = [key for key in changed(config, keep=NOT_SETTINGS) if key in NOT_SETTINGS]
    if chosen:
        raise BenchmarkError(
            f"{chosen[0]!r} is chosen by the benchmark itself, so it cannot be a setting here. "
            "Use --seeds and --first-seed, --name, and --runs DIR."
        )
    return config


def check_games(config: RunConfig) -> None:
    """Refuse, before any work, a game that is not there, or an option that its rules lack.

    Raises:
        BenchmarkError: it is such a game, or such an option.
    """
    for game in config.games:
        rules = config.alone(game).game
        try:
            set_stage(rules.name, rules.options, preset=rules.preset)
        except ValueError as error:
            raise BenchmarkError(str(error)) from error


def changed(config: RunConfig, *, keep: Sequence[str] = ()) -> dict[str, Setting]:
    """The settings that differ from the defaults, as ``a.b``, without seed and places.

    A joint run has settings for each of its games, so it is held against its own defaults.

    >>> changed(RunConfig.model_validate({"seed": 3, "learning": {"iterations": 7}}))
    {'learning.iterations': 7}
    >>> changed(resolve(None, ["--game.name", "joint", "--courses.kuhn_poker.weight", "2"]))
    {'game.name': 'joint', 'courses.kuhn_poker.weight': 2.0}
    """
    joint = config.game.name == JOINT
    default = _flat(resolve(None, ["--game.name", JOINT]) if joint else RunConfig())
    default["game.name"] = RunConfig().game.name
    ours = _flat(config)
    hidden = set(NOT_SETTINGS) - set(keep)
    return {
        key: value
        for key, value in ours.items()
        if key not in default or (value != default[key] and key not in hidden)
    }


def config_digest(config: RunConfig) -> str:
    """Of every setting, defaults included, but for seed and places."""
    tree = config.model_dump(mode="json", exclude=set(NOT_SETTINGS))
    return sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def command(module: str, config: RunConfig, *options: str) -> str:
    """The command line that measures the same again, from the root of a checkout.

    >>> command("benchmarks.speed", RunConfig(), "--step")
    'python -m benchmarks.speed --step'
    """
    words = ["python", "-m", module, *options]
    for key, value in changed(config).items():
        if isinstance(value, dict):
            for name, one in value.items():
                words += [f"--{key}.{name}", _toml(one)]
        else:
            words += [f"--{key}", _toml(value)]
    return shlex.join(words)


def game_id(game: str) -> GameId:
    found = domain(game)
    return GameId(id=found.name, version=found.version)


def _toml(value: Setting) -> str:
    """As `override` reads it back."""
    return str(value) if isinstance(value, str | None) else json.dumps(value)


def _flat(tree: RunConfig) -> dict[str, Setting]:
    """Dotted keys; the game's options stay one value."""
    found: dict[str, Setting] = {}

    def walk(branch: dict[str, Any], prefix: str) -> None:
        for key, value in branch.items():
            if isinstance(value, dict) and prefix + key != "game.options":
                walk(value, f"{prefix}{key}.")
            else:
                found[prefix + key] = value

    walk(tree.model_dump(mode="json"), "")
    return found
