"""Our strategies against a second implementation: those of the Axelrod library.

Its scores of every pair of certain strategies are written down here, so that ours are held against
them everywhere. The library itself (``pip install "sepo[opponents]"``; slow to import, and large)
is asked once more where it is installed, in longer matches, and for strategies that mix.
"""

import warnings
from itertools import product
from random import Random

import pytest

from opponents.opponent import Opponent
from opponents.prisoners_dilemma import OPPONENTS
from sepo_envs.episode import begin
from sepo_envs.games.prisoners_dilemma.rules import MOVES, PrisonersDilemma

C, D = MOVES

# fmt: off
SCORES = {
    "tit-for-tat": (24, 7, 20, 24, 24, 24, 20, 23, 24),
    "always-defect": (12, 8, 24, 40, 12, 24, 8, 16, 28),
    "alternator": (20, 4, 16, 32, 8, 18, 16, 19, 22),
    "always-cooperate": (24, 0, 12, 24, 24, 24, 21, 6, 24),
    "grim": (24, 7, 23, 24, 24, 24, 11, 15, 24),
    "win-stay-lose-shift": (24, 4, 18, 24, 24, 24, 17, 17, 24),
    "suspicious-tit-for-tat": (20, 8, 21, 26, 11, 17, 8, 24, 25),
    "prober": (23, 6, 19, 36, 10, 17, 19, 12, 23),
    "gradual": (24, 3, 17, 24, 24, 24, 20, 23, 24),
}
# fmt: on
"""What the row's strategy scores in 8 rounds with each of them, in this order: Axelrod 4.14.0."""


def script(moves: str) -> Opponent:
    """Plays these moves over and over, whatever happens."""

    def policy(seen):
        move = C if moves[len(seen.mine) % len(moves)] == "C" else D
        return {C: float(move is C), D: float(move is D)}

    return Opponent(moves, policy, "none")


def match(*pair: Opponent, rounds: int) -> tuple[list[str], tuple[float, ...]]:
    """Each seat's moves, and the points, of a match between certain strategies."""
    game = PrisonersDilemma(rounds=rounds)
    episode, rng = begin(game), Random(0)
    while (seat := episode.actor) is not None:
        seen = game.observe(episode.state, seat)
        episode = episode.play(pair[seat].act(seen, MOVES, rng))
    played = [
        "".join(move.name[0] for move in game.observe(episode.state, seat).mine) for seat in (0, 1)
    ]
    return played, episode.returns


@pytest.fixture(scope="module")
def library():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its imports warn of is not our business
        return pytest.importorskip("axelrod", reason='pip install "sepo[opponents]" to compare')


def theirs(library, name: str):
    """The library's player of our strategy."""
    players = {
        "tit-for-tat": library.TitForTat,
        "generous-tit-for-tat": lambda: library.GTFT(p=0.25),
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


@pytest.mark.parametrize(("mine", "other"), list(product(SCORES, repeat=2)))
def test_every_certain_pair_scores_as_in_the_axelrod_library(mine, other):
    _, points = match(OPPONENTS[mine], OPPONENTS[other], rounds=8)
    names = list(SCORES)
    assert points == (SCORES[mine][names.index(other)], SCORES[other][names.index(mine)])


@pytest.mark.slow
def test_the_scores_written_down_are_the_librarys(library):
    for mine, other in product(SCORES, repeat=2):
        played = library.Match((theirs(library, mine), theirs(library, other)), turns=8)
        played.play()
        assert played.final_score()[0] == SCORES[mine][list(SCORES).index(other)]


@pytest.mark.slow
def test_a_hundred_sampled_pairs_play_move_for_move_as_in_the_library(library):
    """Half of them against a random script, which shows more of a strategy than its peers do."""
    rng = Random(0)
    for number in range(100):
        name, rounds = rng.choice(list(SCORES)), rng.randint(20, 60)
        if number % 2:
            other = rng.choice(list(SCORES))
            peers = OPPONENTS[other], theirs(library, other)
        else:
            moves = "".join(rng.choices("CD", [rng.random(), 0.5], k=rounds))
            peers = script(moves), library.Cycler(moves)
        ours, points = match(OPPONENTS[name], peers[0], rounds=rounds)
        played = library.Match((theirs(library, name), peers[1]), turns=rounds)
        there = ["".join(map(str, moves)) for moves in zip(*played.play(), strict=True)]
        assert (ours, points) == (there, played.final_score()), (name, peers[0].name)


@pytest.mark.slow
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
