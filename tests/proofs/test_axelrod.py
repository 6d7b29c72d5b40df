"""The iterated prisoner's dilemma against a second implementation: the Axelrod library.

Our strategies against its strategies, move for move; its own matches and a whole tournament of its,
played in our environment by its players, to the same moves, points and ranks.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Sequence
from itertools import product
from random import Random
from statistics import median

import pytest

from opponents.opponent import Opponent
from opponents.prisoners_dilemma import OPPONENTS
from sepo_envs.episode import begin
from sepo_envs.games.prisoners_dilemma.rules import MOVES, PrisonersDilemma
from sepo_envs.parallel import parallel_env

pytestmark = pytest.mark.slow  # the library takes seconds to import

C, D = MOVES
PAIRS = 100
MIXING = ("generous-tit-for-tat", "random", "zd-extort-2")
CERTAIN = (
    *("tit-for-tat", "always-defect", "alternator", "always-cooperate", "grim"),
    *("win-stay-lose-shift", "suspicious-tit-for-tat", "prober", "gradual"),
)


@pytest.fixture(scope="module")
def library():
    """Importing it makes every later process of this one start anew, which would slow other tests
    down and is taken back; what its imports warn of is not our business."""
    method = multiprocessing.get_start_method()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import axelrod
    multiprocessing.set_start_method(method, force=True)
    return axelrod


def theirs(library, name: str):
    """The library's player of our strategy."""
    players = {
        "tit-for-tat": library.TitForTat,
        "generous-tit-for-tat": lambda: library.GTFT(p=0.25),
        "random": lambda: library.Random(p=0.5),
        "always-defect": library.Defector,
        "alternator": lambda: library.Cycler("DC"),
        "always-cooperate": library.Cooperator,
        "grim": library.Grudger,
        "win-stay-lose-shift": library.WinStayLoseShift,
        "suspicious-tit-for-tat": library.SuspiciousTitForTat,
        "zd-extort-2": library.ZDExtort2,
        "prober": library.Prober,
        "gradual": library.OriginalGradual,
    }
    return players[name]()


def script(moves: str) -> Opponent:
    """Plays these moves over and over, whatever happens."""

    def policy(seen):
        move = C if moves[len(seen.mine) % len(moves)] == "C" else D
        return {C: float(move is C), D: float(move is D)}

    return Opponent(moves, policy, "none")


def match(*pair: Opponent, rounds: int) -> tuple[list[str], tuple[float, ...]]:
    """Each seat's moves, and the points, of a match between certain strategies of ours."""
    game = PrisonersDilemma(rounds=rounds)
    episode, rng = begin(game), Random(0)
    while (seat := episode.actor) is not None:
        seen = game.observe(episode.state, seat)
        episode = episode.play(pair[seat].act(seen, MOVES, rng))
    played = [
        "".join(move.name[0] for move in game.observe(episode.state, seat).mine) for seat in (0, 1)
    ]
    return played, episode.returns


def play_in_ours(library, pair: Sequence, *, rounds: int, generator, **payoffs: float):
    """A match in our parallel environment, by the library's players or by opponents of ours.

    A player of the library sees what our environment says was played. Those that mix are seeded
    from ``generator`` as its `Match` does it. An opponent of ours acts on our observation, and is
    shown to the library's player as a player without a strategy.

    Returns:
        Both seats' moves as the library writes them, and both seats' rewards added up.
    """
    letters = (library.Action.C, library.Action.D)
    known = {"length": rounds, "noise": 0}
    known["game"] = library.Game(**{name[0]: worth for name, worth in payoffs.items()})
    players = [library.Player() if isinstance(one, Opponent) else one for one in pair]
    for player, one in zip(players, pair, strict=True):
        player.reset()
        player.set_match_attributes(**known)
        if player is one and library.Classifiers["stochastic"](player):
            player.set_seed(generator.random_seed_int())
    table = parallel_env("prisoners_dilemma", rounds=rounds, **payoffs)
    table.reset(seed=0)
    points = [0.0, 0.0]
    while table.agents:
        actions = {}
        for seat, (player, one) in enumerate(zip(players, pair, strict=True)):
            if player is one:
                move = MOVES[letters.index(player.strategy(players[1 - seat]))]
            else:
                move = one.act(table.game.observe(table.episode.state, seat), MOVES, Random(0))
            actions[table.agents[seat]] = MOVES.index(move)
        _, rewards, *_ = table.step(actions)
        points = [total + reward for total, reward in zip(points, rewards.values(), strict=True)]
        done = [letters[MOVES.index(table.episode.state.played[-1].done(s))] for s in (0, 1)]
        players[0].update_history(*done)
        players[1].update_history(*reversed(done))
    return [list(player.history) for player in players], tuple(points)


def test_every_certain_pair_of_ours_scores_as_in_the_library(library):
    for mine, other in product(CERTAIN, repeat=2):
        _, points = match(OPPONENTS[mine], OPPONENTS[other], rounds=8)
        played = library.Match((theirs(library, mine), theirs(library, other)), turns=8)
        played.play()
        assert points == played.final_score(), (mine, other)


def test_a_hundred_sampled_pairs_of_ours_play_move_for_move_as_in_the_library(library):
    """Half of them against a random script, which shows more of a strategy than its peers do."""
    rng = Random(0)
    for number in range(PAIRS):
        name, rounds = rng.choice(CERTAIN), rng.randint(20, 60)
        if number % 2:
            other = rng.choice(CERTAIN)
            peers = OPPONENTS[other], theirs(library, other)
        else:
            moves = "".join(rng.choices("CD", [rng.random(), 0.5], k=rounds))
            peers = script(moves), library.Cycler(moves)
        ours, points = match(OPPONENTS[name], peers[0], rounds=rounds)
        played = library.Match((theirs(library, name), peers[1]), turns=rounds)
        there = ["".join(map(str, moves)) for moves in zip(*played.play(), strict=True)]
        assert (ours, points) == (there, played.final_score()), (name, peers[0].name)


def test_our_opponents_meet_a_hundred_of_the_librarys_as_its_own_players_do(library):
    """Any of its strategies may sit opposite, those that mix by their seed."""
    rng, mixed = Random(1), 0
    for _ in range(PAIRS):
        name, kind = rng.choice(CERTAIN), rng.choice(library.short_run_time_strategies)
        seed, rounds = rng.randrange(2**31), rng.randint(5, 40)
        there = library.Match((theirs(library, name), kind()), turns=rounds, seed=seed)
        there.play()
        here, points = play_in_ours(
            library,
            (OPPONENTS[name], kind()),
            rounds=rounds,
            generator=library.RandomGenerator(seed),
        )
        assert list(zip(*here, strict=True)) == there.result, (name, kind.name)
        assert points == there.final_score(), (name, kind.name)
        mixed += library.Classifiers["stochastic"](kind())
    assert 20 < mixed < 80


def test_a_hundred_matches_among_the_librarys_own_are_the_same_in_our_environment(library):
    """Every second one for other payoffs, near enough to the usual ones for its extortioners, whose
    probabilities follow from them."""
    rng = Random(2)
    for number in range(PAIRS):
        kinds = rng.choices(library.short_run_time_strategies, k=2)
        seed, rounds = rng.randrange(2**31), rng.randint(5, 40)
        payoffs = (
            {"reward": 3, "sucker": 0.25, "temptation": 4.5, "punishment": 1}
            if number % 2
            else {"reward": 3, "sucker": 0, "temptation": 5, "punishment": 1}
        )
        there = library.Match(
            [kind() for kind in kinds],
            turns=rounds,
            seed=seed,
            game=library.Game(**{name[0]: worth for name, worth in payoffs.items()}),
        )
        there.play()
        here, points = play_in_ours(
            library,
            [kind() for kind in kinds],
            rounds=rounds,
            generator=library.RandomGenerator(seed),
            **payoffs,
        )
        assert list(zip(*here, strict=True)) == there.result, kinds
        assert points == pytest.approx(there.final_score(), abs=1e-9), kinds


def test_a_seeded_tournament_of_the_library_ranks_the_same_in_our_environment(library):
    """Its round robin, seeds and score (the median over repetitions of points per round and match);
    whoever does not mix is played by our opponent."""
    names, rounds, repetitions, seed = list(OPPONENTS), 30, 5, 20
    names.remove("lenient")  # ours alone
    field = [theirs(library, name) for name in names]
    tournament = library.Tournament(field, turns=rounds, repetitions=repetitions, seed=seed)
    results = tournament.play(progress_bar=False)

    scores = [[0.0] * repetitions for _ in names]
    seeds = library.random_.BulkRandomGenerator(seed)
    for first in range(len(names)):
        for second in range(first, len(names)):
            generator = library.RandomGenerator(next(seeds))
            for repetition in range(repetitions):
                pair = [
                    theirs(library, name) if name in MIXING else OPPONENTS[name]
                    for name in (names[first], names[second])
                ]
                _, points = play_in_ours(library, pair, rounds=rounds, generator=generator)
                for place, won in zip((first, second), points, strict=True):
                    if first != second:  # it leaves out what a strategy earns from itself
                        scores[place][repetition] += won
    assert results.scores == scores
    middle = [median(row) for row in scores]
    ranked = sorted(range(len(names)), key=lambda place: -middle[place])
    assert results.ranked_names == [str(field[place]) for place in ranked]


@pytest.mark.parametrize("name", ["generous-tit-for-tat", "zd-extort-2"])
def test_a_strategy_that_mixes_by_the_last_round_has_the_librarys_probabilities(library, name):
    player, game = theirs(library, name), PrisonersDilemma(rounds=2)
    library.Match((player, library.Cooperator()), turns=1)  # tells the player the payoffs
    letters = {C: library.Action.C, D: library.Action.D}
    for pair in product(MOVES, repeat=2):
        seen = game.observe(game.play(game.start(), dict(enumerate(pair))), 0)
        there = player._four_vector[letters[pair[0]], letters[pair[1]]]
        assert OPPONENTS[name].policy(seen)[C] == pytest.approx(there, abs=1e-12)
    first = OPPONENTS[name].policy(game.observe(game.start(), 0))
    assert first == {C: 1, D: 0}
    assert player._initial == library.Action.C
