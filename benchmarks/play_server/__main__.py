"""Play any domain against any agent in the browser.

The server listens on this machine alone. Choose a game and an opponent, play, and see afterwards
what your play cost others and what a best response would have done at each of your decisions.

examples:
  python -m benchmarks.play_server --open
  python -m benchmarks.play_server --port 8080
  python -m benchmarks.play_server --agent run:runs/kuhn --agent openai:MODEL@http://localhost:8000/v1

Ctrl-C ends it; matches that are not over are lost, so download the replays that you want to keep.
"""

from __future__ import annotations

import argparse
import logging
import sys
import webbrowser
from collections.abc import Sequence
from ipaddress import ip_address

from benchmarks.command_line import BenchmarkError, guarded
from benchmarks.leaderboard.agents import HUMAN, agent
from benchmarks.play_server.house import MOST_TABLES, House
from benchmarks.play_server.lobby import Lobby
from benchmarks.play_server.server import Server

MODULE = "benchmarks.play_server"
PORT = 8021


def main(arguments: Sequence[str]) -> None:
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if given.verbose else logging.WARNING)
    agents = [agent(spec) for spec in given.agent]
    if any(found.kind == HUMAN for found in agents):
        raise BenchmarkError(
            "--agent human would answer in this terminal, but the human is whoever opens the page. "
            "Name another agent."
        )
    lobby = Lobby(agents)
    server = opened(House(lobby, most=given.tables), given.host, given.port, tuple(given.name))
    print(f"Play at {server.url}   (Ctrl-C ends it)", flush=True)
    if not ip_address(given.host).is_loopback:
        print(
            f"warning: {given.host} can be reached from other machines, without a password and "
            "unencrypted; whoever comes can play, and use the agents that you named.",
            file=sys.stderr,
            flush=True,
        )
    if given.open:
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nThe house is closed.")
    finally:
        server.house.close()
        server.server_close()


def opened(house: House, host: str, port: int, names: tuple[str, ...]) -> Server:
    """A server that listens.

    Raises:
        BenchmarkError: it cannot; the message says how to mend it.
    """
    try:
        ip_address(host)
    except ValueError as error:
        raise BenchmarkError(
            f"--host {host} is no address. Use 127.0.0.1 for this machine alone, or the address of "
            "a network card; names go with --name."
        ) from error
    try:
        return Server(house, host=host, port=port, names=names)
    except OverflowError as error:
        raise BenchmarkError(f"--port {port} is no port: use 1024 to 65535, or 0.") from error
    except OSError as error:
        raise BenchmarkError(
            f"cannot listen on {host}, port {port}: {error.strerror}. Is one running already? Use "
            "--port 0, which takes a free one."
        ) from error


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m {MODULE}",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--open", action="store_true", help="open the browser too")
    made.add_argument(
        "--agent",
        action="append",
        default=[],
        metavar="SPEC",
        help="somebody to play against, beside all scripted strategies; may be given several "
        "times. Specs: python -m benchmarks.leaderboard --help",
    )
    made.add_argument("--port", type=int, default=PORT, help="0 takes a free one (%(default)s)")
    made.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen (%(default)s: this machine alone); 0.0.0.0 is everywhere",
    )
    made.add_argument(
        "--name",
        action="append",
        default=[],
        help="a name under which browsers reach it, if not its address; may be given several times",
    )
    made.add_argument(
        "--tables",
        type=int,
        default=MOST_TABLES,
        metavar="N",
        help="matches that are kept at once (%(default)s)",
    )
    made.add_argument("--verbose", action="store_true", help="tell every request")
    return made


if __name__ == "__main__":
    sys.exit(guarded(main, MODULE))
