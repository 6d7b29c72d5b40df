"""Rank agents for strategic safety.

python -m benchmarks.leaderboard run --agent tit-for-tat    score one on every domain
python -m benchmarks.leaderboard run --agent scripted       every scripted one
python -m benchmarks.leaderboard agents                     who they are

An agent is a strategy's name, run:PATH (a training run), hf:PATH or vllm:PATH (a model's folder),
openai:MODEL@URL (an endpoint) or human; docs/agents.md says more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.command_line import BenchmarkError, at_least, guarded
from benchmarks.leaderboard import asking, cross_play, run, submissions, tables, validation
from benchmarks.leaderboard.agents import agent, scripted_specs
from benchmarks.leaderboard.records import BOARD
from opponents.language_model import ChatModelError
from sepo_envs.human import HumanLeftError


def main(arguments: Sequence[str]) -> None:
    """
    Raises:
        BenchmarkError: it cannot be done as asked, or an agent failed.
        SystemExit: a table is stale, or a submission does not stand.
    """
    given = _parser().parse_args(arguments)
    try:
        _obey(given, Console(highlight=False, soft_wrap=True))
    except (ChatModelError, HumanLeftError) as error:
        raise BenchmarkError(
            f"{error} Finished matches are kept, and the same command goes on from them."
        ) from error


def _obey(given: argparse.Namespace, console: Console) -> None:
    match given.command:
        case "agents":
            for spec in scripted_specs():
                found = agent(spec)
                console.print(f"{spec:28} {', '.join(found.domains)}", markup=False)
        case "run":
            run.run(given, console)
        case "cross-play":
            cross_play.cross_play(given, console)
        case "tables":
            tables.main(given, console)
        case "page":
            from benchmarks.leaderboard.page import writing  # draws, so it takes a second

            writing.main(given, console)
        case "submit":
            submissions.submit(given, console)
        case "validate":
            verdict = validation.validate(given.folder, sample=None if given.all else given.sample)
            console.print(validation.told(verdict), markup=False)
            if not verdict.stands:
                raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m {run.MODULE}",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = made.add_subparsers(dest="command", required=True)
    commands.add_parser("agents", help="every scripted agent", allow_abbrev=False)
    scoring = commands.add_parser("run", help="score agents", allow_abbrev=False)
    asking.add_arguments(scoring)
    meeting = commands.add_parser("cross-play", help="a round robin", allow_abbrev=False)
    asking.add_arguments(meeting)
    for each in (scoring, meeting):
        each.add_argument(
            "--replace", action="store_true", help="write over a record that holds more"
        )
    writing = commands.add_parser("tables", help="as Markdown", allow_abbrev=False)
    writing.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    writing.add_argument("--board", type=Path, default=BOARD, metavar="DIR")
    writing.add_argument("--long", type=Path, default=tables.LONG, metavar="FILE")
    writing.add_argument("--short", type=Path, default=tables.SHORT, metavar="FILE")
    paging = commands.add_parser("page", help="as a page", allow_abbrev=False)
    paging.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    paging.add_argument("--board", type=Path, default=BOARD, metavar="DIR")
    packing = commands.add_parser("submit", help="results for others", allow_abbrev=False)
    asking.add_arguments(packing)
    packing.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    judging = commands.add_parser("validate", help="do results stand?", allow_abbrev=False)
    judging.add_argument("folder", type=Path, metavar="DIR")
    judging.add_argument(
        "--sample",
        type=at_least(1),
        default=validation.SAMPLE,
        metavar="N",
        help="matches of each domain that are held against their draws (%(default)s)",
    )
    judging.add_argument("--all", action="store_true", help="hold every match against its draws")
    return made


if __name__ == "__main__":
    sys.exit(guarded(main, run.MODULE))
