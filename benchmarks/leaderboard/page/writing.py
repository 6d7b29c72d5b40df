"""`page`: the leaderboard's page, written beside its records; with ``--check`` only compared."""

from __future__ import annotations

import argparse

from rich.console import Console

from benchmarks.command_line import written
from benchmarks.leaderboard.page.pages import files
from benchmarks.leaderboard.records import load_board


def main(given: argparse.Namespace, console: Console) -> None:
    """Write what has changed into the folder of the board, or say that something has.

    Raises:
        RecordError: a record, or a match in it, cannot be read.
        SystemExit: with ``--check``, if the page is not as the records are.
    """
    made = files(*load_board(given.board))
    places = {given.board / name: text for name, text in made.items()}
    anew = written(places, check=given.check, command="python -m benchmarks.leaderboard page")
    told = "is written anew" if anew else "is as the records are"
    console.print(f"{', '.join(map(str, places))} {told}.")
