"""Play in the terminal, in the very words that a language model reads.

A move is typed as [bet] or just bet. What cannot be read is asked again, with the reason. Ctrl-D or
Ctrl-C leaves; every finished episode is already in the file of --save. Seats alternate unless
--seat is given. The opponent sits in all other seats.

examples:
  python -m sepo_envs play kuhn_poker                        who is there to play against?
  python -m sepo_envs play kuhn_poker --against nash --seat 0 --seed 7
  python -m sepo_envs play prisoners_dilemma --against gradual --option rounds=20
  yes defect | head -8 | python -m sepo_envs play prisoners_dilemma --against random
"""

from __future__ import annotations

import argparse
from pathlib import Path
from secrets import randbits
from shlex import join

from sepo_envs import replays
from sepo_envs.catalogue import Domain
from sepo_envs.commands.listing import page
from sepo_envs.commands.outcome import outcome, points
from sepo_envs.commands.targets import (
    UsageError,
    add_options,
    as_usage,
    checked_options,
    named_domain,
    named_opponent,
)
from sepo_envs.draws import DEAL, Source, checked_seed, seat_stream
from sepo_envs.episode import Episode, begin
from sepo_envs.find_opponent import Opponent, played_by
from sepo_envs.game import Game
from sepo_envs.human import Human, HumanLeftError

SUMMARY = "a person in the terminal against an opponent"
ASK = "ask"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("game", help="its name, or package.module:NAME for a game of your own")
    parser.add_argument(
        "--against",
        metavar="OPPONENT",
        default=ASK,
        help="its name, or package.module:NAME for one of your own; left out, the names are listed",
    )
    parser.add_argument("--seat", type=int, help="0, 1, ...; left out, seats alternate")
    parser.add_argument(
        "--seed", type=int, help="of the deals and of the opponent's draws; left out, a new one"
    )
    add_options(parser)
    parser.add_argument(
        "--save", metavar="FILE", type=Path, help="add every finished episode to this replay file"
    )


def run(given: argparse.Namespace) -> int:
    found = named_domain(given.game)
    game = found.make(**checked_options(found, given.option))
    if given.against == ASK:
        print(page(found))
        print("\nChoose one of them: --against NAME.")
        return 0
    opponent = named_opponent(given.against, found.name)
    if given.seat is not None and given.seat not in range(game.seats):
        raise UsageError(
            f"--seat is {given.seat}, but {found.name} has seats 0 to {game.seats - 1}."
        )
    if given.save is not None:
        with as_usage(ValueError):
            replays.check_appendable(given.save)
    with as_usage(ValueError):
        seed = randbits(32) if given.seed is None else checked_seed(given.seed, "--seed")
    finished = play(
        found,
        game,
        opponent,
        seat=given.seat,
        seed=seed,
        save=given.save,
        human=Human(found.words(game)),
    )
    if given.save is not None and finished:
        named = ["--game", given.game] if ":" in given.game else []
        again = join(["python", "-m", "sepo_envs", "replay", str(given.save), *named])
        print(f"They are in {given.save}: {again}")
    return 0


def play(
    found: Domain,
    game: Game,
    opponent: Opponent,
    *,
    human: Human,
    seed: int,
    seat: int | None = None,
    save: Path | None = None,
) -> int:
    """Episodes until the person leaves, then the score; ``human`` reads and is shown everything.

    Args:
        seed: episode n is the n-th that `sepo_envs.draws` gives for it, as in the environments.
        seat: the person's; None alternates.
        save: the replay file to which each finished episode is added at once.

    Returns:
        How many episodes were finished.
    """
    write, total, number = human.write, 0.0, 0
    write(f"You play {found.title} against {opponent.name}. Ctrl-D leaves.")
    write(f"To be dealt the same again: --seed {seed}\n")
    while True:
        mine = number % game.seats if seat is None else seat
        write(f"=== episode {number + 1}: you are player_{mine} ===\n")
        try:
            episode = _episode(game, human, opponent, mine, Source(seed, number))
        except (HumanLeftError, KeyboardInterrupt):
            write(f"\nYou leave with {points(total)} after {_finished(number)}.")
            return number
        names = [human.name if s == mine else opponent.name for s in range(game.seats)]
        total += episode.returns[mine]
        if save is not None:
            replays.append(save, episode, {"players": names, "seed": seed, "episode": number})
        write("\n" + outcome(found, episode, names))
        number += 1
        write(f"So far: {points(total)} in {_finished(number)}.\n")


def _episode(game: Game, human: Human, opponent: Opponent, mine: int, source: Source) -> Episode:
    deals = source.draws(DEAL)
    draws = {seat: source.draws(seat_stream(seat)) for seat in range(game.seats)}
    episode = begin(game).deal(deals)
    while (actor := episode.actor) is not None:
        if actor == mine:
            move = human.act_on(episode, mine)
        else:
            seen = game.observe(episode.state, actor)
            legal = game.legal_moves(episode.state, actor)
            move = played_by(opponent, opponent.act(seen, legal, draws[actor]), legal)
        episode = episode.play(move).deal(deals)
    return episode


def _finished(number: int) -> str:
    return f"{number} finished episode{'' if number == 1 else 's'}"
