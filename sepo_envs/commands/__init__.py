"""What ``python -m sepo_envs`` does: list the games, play, read replays, check a game of one's own.

Each command is a file here with ``add(parser)``, which says what it takes, and ``run(given)``,
which does it and returns the exit status.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sepo_envs.commands import checking, listing, playing, replaying
from sepo_envs.commands.targets import UsageError

COMMANDS = {"list": listing, "play": playing, "replay": replaying, "check": checking}

EXAMPLES = """\
examples:
  python -m sepo_envs list                                   every game, its ids and opponents
  python -m sepo_envs play kuhn_poker --against nash         sit down at the table
  python -m sepo_envs play kuhn_poker --against nash --save mine.jsonl
  python -m sepo_envs replay mine.jsonl --episode 1          what happened, move by move
  python -m sepo_envs check my_package.nim:NIM               does my own game keep every law?
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status is 0, 1 if something was found wrong, or 2 for bad usage."""
    parser = argparse.ArgumentParser(
        prog="python -m sepo_envs",
        description="Strategic games for language models: look around, play, replay, check.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    several = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, command in COMMANDS.items():
        one = several.add_parser(
            name,
            help=command.SUMMARY,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add(one)
    given = parser.parse_args(arguments)
    try:
        status: int = COMMANDS[given.command].run(given)
        return status
    except BrokenPipeError:
        # Whoever read the output, `head` say, has seen enough; Python must not flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, OSError) as error:
        print(f"{parser.prog} {given.command}: {error}", file=sys.stderr)
        return 2
