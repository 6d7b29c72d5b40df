"""Our environments' races against those of others, for `benchmarks.speed --environments`.

Each race is run in turn, ours, theirs, ours, theirs, on one core, after a round that does not
count. Both sides play at random, by the same kind of coin, and a step is one decision of one seat.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from random import Random
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import pettingzoo

import sepo_envs  # noqa: F401  registers the ids
from benchmarks.command_line import BenchmarkError
from benchmarks.records import Measure, measure
from sepo_envs.batch import Board
from sepo_envs.exact import ActionTable
from sepo_envs.exact.repeated import RepeatedSolver
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma

GAMES = "kuhn_poker, prisoners_dilemma"
HANDS = 3
"""Of a match of Kuhn poker in text: TextArena's default."""
ROUNDS = 10
"""Of a dilemma in text: TextArena's default."""
REPETITIONS = 8
"""Rounds of the dilemma elsewhere: our default."""
STRUCTURED, BATCHED, SEEN = 3_000, 100_000, 4
"""Hands at a table; episodes of a batch; batches that a known board has seen."""
LARGE = 1_000_000
"""Episodes of a batch that is large beside the 131,071 nodes that a new board explores."""
PEERS = ("textarena", "shimmy", "open_spiel")


class Work(NamedTuple):
    """What was done in one go."""

    steps: int
    games: int
    seconds: float
    """Of this process's CPU, so that what else the machine does counts little."""


@dataclass(frozen=True, slots=True)
class Race:
    """The same work by us and by them."""

    name: str
    peer: str
    ours: Callable[[int], Work]
    theirs: Callable[[int], Work]
    """Of each round of the race, by its number, so that no round repeats the draws of another."""


def measured(pairs: int) -> dict[str, dict[str, Measure]]:
    """Every race in ``pairs`` of runs, and what runs alone as often.

    Raises:
        BenchmarkError: a library to compare with is not installed.
    """
    found = {race.name: run(race, pairs) for race in races()}
    found["IPD, best response to a tabular policy"] = {
        "seconds": measure([best_response() for _ in range(pairs)], "seconds", over="repeats")
    }
    found["import sepo_envs in a fresh process"] = {
        "seconds": measure([import_seconds() for _ in range(pairs)], "seconds", over="repeats")
    }
    return found


def notes() -> tuple[str, ...]:
    """What a reader must know, with the versions of the peers."""
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    return (
        f"{peers}; in turn on one core, both sides playing at random. Seconds are of "
        "the process's CPU; those of the import are by the clock.",
        "In text: prompt out, reply read, by PettingZoo's AEC API and by TextArena's own. There "
        "each game has a new environment, because a used one leaks earlier games into its prompts. "
        "Its dilemma has a step of talk before each choice, so that the same "
        f"{ROUNDS} rounds are twice as many steps there as here.",
        "Shimmy counts chance as moves and would truncate Kuhn poker after one; that is patched "
        "here and nowhere else.",
        "OpenSpiel plays each game in C++ (`evaluate_bots` between uniform random bots). Our batch "
        f"is {BATCHED:,} episodes between uniform policies: on a new board, which has yet to ask "
        f"the rules everything, and on one that {SEEN * BATCHED:,} episodes have been played on. "
        f"What a new board asks is paid once: {LARGE:,} episodes of the dilemma on one show how "
        "little that is in a large batch.",
        "The best response is to a table of random probabilities in all 21,845 histories per seat "
        "of eight rounds, the solver's construction included.",
    )


def races() -> Iterator[Race]:
    """Every race, those first that leave least in memory.

    Raises:
        BenchmarkError: a library to compare with is not installed.
    """
    try:
        import pyspiel
        import shimmy  # noqa: F401
        import textarena  # noqa: F401
    except ImportError as error:
        raise BenchmarkError(
            f"--environments compares with {error.name}, which is not installed. "
            'Get all of them with: pip install "sepo[dev]"'
        ) from error
    yield Race("Kuhn poker, AEC", "Shimmy", in_integers, in_shimmy)
    yield Race(
        f"Kuhn poker in text, {HANDS} hands",
        "TextArena",
        partial(in_text, *POKER, games=1_000, hands=HANDS),
        partial(in_textarena, *POKER_THERE, games=1_000),
    )
    yield Race(
        f"IPD in text, {ROUNDS} rounds",
        "TextArena",
        partial(in_text, *DILEMMA, games=300, rounds=ROUNDS),
        partial(in_textarena, *DILEMMA_THERE, games=300),
    )
    kuhn = KuhnPoker()
    yield Race(
        "Kuhn poker, batch on a new board",
        "OpenSpiel C++",
        lambda number: in_batch(number, Board(kuhn), BATCHED),
        partial(in_openspiel, game=pyspiel.load_game("kuhn_poker")),
    )
    dilemma = PrisonersDilemma(rounds=REPETITIONS)
    repeated = pyspiel.create_repeated_game(
        pyspiel.load_game("matrix_pd"), {"num_repetitions": REPETITIONS}
    )
    yield Race(
        f"IPD, {REPETITIONS} rounds, batch on a new board",
        "OpenSpiel C++",
        lambda number: in_batch(number, Board(dilemma), BATCHED),
        partial(in_openspiel, game=repeated),
    )
    yield Race(
        f"IPD, {REPETITIONS} rounds, {LARGE:,} episodes on a new board",
        "OpenSpiel C++",
        lambda number: in_batch(number, Board(dilemma), LARGE),
        partial(in_openspiel, game=repeated),
    )
    known = Board(dilemma)
    for number in range(SEEN):
        in_batch(-1 - number, known, BATCHED)
    yield Race(
        f"IPD, {REPETITIONS} rounds, batch on a known board",
        "OpenSpiel C++",
        partial(in_batch, board=known, episodes=BATCHED),
        partial(in_openspiel, game=repeated),
    )


def run(race: Race, pairs: int) -> dict[str, Measure]:
    """Steps per second of both sides, and the ratios of steps and of whole games, pair by pair."""
    done = [(race.ours(n), race.theirs(n)) for n in range(pairs + 1)][1:]
    steps = [[work.steps / work.seconds for work in side] for side in zip(*done, strict=True)]
    games = [[work.games / work.seconds for work in side] for side in zip(*done, strict=True)]

    def ratios(rates: list[list[float]]) -> Measure:
        values = [ours / theirs for ours, theirs in zip(*rates, strict=True)]
        return measure(values, "ratio", over="pairs")

    return {
        "sepo": measure(steps[0], "steps/s", over="pairs"),
        race.peer: measure(steps[1], "steps/s", over="pairs"),
        f"sepo / {race.peer}": ratios(steps),
        f"sepo / {race.peer}, games": ratios(games),
    }


def poker_reply(prompt: str, heads: bool) -> str:
    """Calls or folds where the prompt last offered that, else bets or checks."""
    if prompt.rfind("[fold]") > prompt.rfind("[check]"):
        return "[call]" if heads else "[fold]"
    return "[bet]" if heads else "[check]"


def dilemma_reply(prompt: str, heads: bool) -> str:
    return "[cooperate]" if heads else "[defect]"


POKER = ("sepo/kuhn_poker_text-v0", poker_reply)
POKER_THERE = ("KuhnPoker-v0", poker_reply)
DILEMMA = ("sepo/prisoners_dilemma_text-v0", dilemma_reply)
DILEMMA_THERE = ("IteratedPrisonersDilemma-v0", dilemma_reply)


def in_text(
    env_id: str, reply: Callable[[str, bool], str], number: int, games: int, **options: Any
) -> Work:
    """Games in prompts and replies, as PettingZoo's loop plays them."""
    table, coin, steps = pettingzoo.make("aec", env_id, **options), Random(number), 0
    started = process_time()
    for seed in range(number * games, (number + 1) * games):
        table.reset(seed=seed)
        for _ in table.agent_iter():
            seen, _, terminated, truncated, _ = table.last()
            if terminated or truncated:
                break
            table.step(reply(seen["text"], coin.random() < 0.5))
            steps += 1
    return Work(steps, games, process_time() - started)


def in_textarena(env_id: str, reply: Callable[[str, bool], str], number: int, games: int) -> Work:
    import textarena

    coin, steps = Random(number), 0
    started = process_time()
    for seed in range(number * games, (number + 1) * games):
        table = textarena.make(env_id)
        table.reset(num_players=2, seed=seed)
        over = False
        while not over:
            _, prompt = table.get_observation()
            over, _ = table.step(reply(prompt, coin.random() < 0.5))
            steps += 1
    return Work(steps, games, process_time() - started)


def in_integers(number: int) -> Work:
    """Hands of Kuhn poker at a PettingZoo table of ours."""
    return at_table(pettingzoo.make("aec", "sepo/kuhn_poker-v0"), number)


def in_shimmy(number: int) -> Work:
    """Hands of OpenSpiel's Kuhn poker at Shimmy's PettingZoo table, less its truncation."""
    from shimmy import OpenSpielCompatibilityV0

    class Untruncated(OpenSpielCompatibilityV0):  # type: ignore[misc]
        def _update_termination_truncation(self) -> None:
            self.game_length = 0
            super()._update_termination_truncation()

    return at_table(Untruncated(game_name="kuhn_poker"), number)


def at_table(table: Any, number: int) -> Work:
    """Games of two actions that are always legal, as PettingZoo's loop plays them."""
    coin, steps = Random(number), 0
    started = process_time()
    for seed in range(number * STRUCTURED, (number + 1) * STRUCTURED):
        table.reset(seed=seed)
        for _ in table.agent_iter():
            _, _, terminated, truncated, _ = table.last()
            if terminated or truncated:
                break
            table.step(int(coin.random() < 0.5))
            steps += 1
    return Work(steps, STRUCTURED, process_time() - started)


class Uniform:
    """Every legal move equally likely."""

    name = "uniform"

    def probabilities(self, observation: Any, legal: Any) -> dict[Any, float]:
        return dict.fromkeys(legal, 1 / len(legal))


UNIFORM = Uniform()
"""One object, because a board remembers what each policy answered."""


def in_batch(number: int, board: Board, episodes: int) -> Work:
    """All ``episodes`` at once, with seeds of their own for each ``number`` from -100 on."""
    seeds = np.arange(episodes) + (number + 100) * episodes
    started = process_time()
    played = board.play((UNIFORM, UNIFORM), seeds=seeds)
    seconds = process_time() - started
    steps = played.each(lambda ending: sum(entry.actor >= 0 for entry in ending.entries))
    return Work(int(steps.sum()), episodes, seconds)


def in_openspiel(number: int, game: Any, games: int = 20_000) -> Work:
    """Games between OpenSpiel's uniform random bots, each game one call into C++."""
    import pyspiel

    bots = [pyspiel.make_uniform_random_bot(seat, seat + 1) for seat in range(2)]
    started = process_time()
    for seed in range(number * games, (number + 1) * games):
        pyspiel.evaluate_bots(game.new_initial_state(), bots, seed)
    seconds = process_time() - started
    return Work(round(games * decisions_per_game(game)), games, seconds)


def decisions_per_game(game: Any) -> float:
    """On average between uniform random seats."""

    def decisions(state: Any) -> float:
        if state.is_terminal():
            return 0.0
        if state.is_chance_node():
            dealt = state.chance_outcomes()
            return float(sum(p * decisions(state.child(action)) for action, p in dealt))
        if state.is_simultaneous_node():  # as every stage of a repeated game
            return float(game.num_players() * game.max_game_length())
        after = [decisions(state.child(action)) for action in state.legal_actions()]
        return float(1 + sum(after) / len(after))

    return decisions(game.new_initial_state())


def best_response() -> float:
    """Seconds to solve eight rounds of the dilemma against a table of random probabilities."""
    game = PrisonersDilemma(rounds=REPETITIONS)
    table = random_table()
    started = process_time()
    RepeatedSolver(game).best_response(table, seat=0)
    return process_time() - started


@cache
def random_table() -> ActionTable:
    """A probability of its own in every history of the dilemma and for both seats."""
    game = PrisonersDilemma(rounds=REPETITIONS)
    situations = RepeatedSolver(game).uniform().rows
    drawn = np.random.default_rng(0).random(len(situations)).tolist()
    return ActionTable(
        {
            situation: dict(zip(game.moves, (p, 1 - p), strict=True))
            for situation, p in zip(situations, drawn, strict=True)
        }
    )


def import_seconds() -> float:
    """Seconds of the import alone, in an interpreter of its own that has just started."""
    script = "from time import perf_counter as now; t = now(); import sepo_envs; print(now() - t)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return float(done.stdout)
