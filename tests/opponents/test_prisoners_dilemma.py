"""The strategies of the prisoner's dilemma: what each does, its pools, and the golden numbers."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from opponents.opponent import Opponent, Pool
from opponents.pools import check_disjoint
from opponents.prisoners_dilemma import (
    ALTERNATOR,
    ALWAYS_DEFECT,
    DEMONSTRATORS,
    EXTORT_2,
    GENEROUS,
    GRADUAL,
    GRIM,
    LENIENT,
    OPPONENTS,
    PAPER_POOLS,
    POOLS,
    PROBER,
    RANDOM,
    SUSPICIOUS,
    TIT_FOR_TAT,
    WIN_STAY,
)
from sepo_envs.episode import Episode, begin
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.game import FORFEIT
from sepo_envs.games.prisoners_dilemma.rules import MOVES, Luck, PrisonersDilemma

C, D = MOVES
GAME = PrisonersDilemma()
PAGE = Path(__file__).parents[2] / "docs" / "opponents.md"
SECTION = PAGE.read_text().partition("\n## Iterated prisoner's dilemma\n")[2].partition("\n## ")[0]
LISTED = [
    *((pool.name, opponent) for pool in POOLS.values() for opponent in pool.opponents),
    *(("demonstrators", opponent) for opponent, _ in DEMONSTRATORS),
]


def match(*pair: Opponent, game: PrisonersDilemma = GAME, seed: int = 0) -> Episode:
    """One match between two opponents, seat 0 first."""
    rng, episode = Random(seed), begin(game).deal(Random(seed))
    while (seat := episode.actor) is not None:
        seen = game.observe(episode.state, seat)
        move = pair[seat].act(seen, game.legal_moves(episode.state, seat), rng)
        episode = episode.play(move).deal(rng)
    return episode


def points_per_round(*pair: Opponent) -> tuple[float, ...]:
    episode = match(*pair)
    return tuple(points / episode.game.rounds for points in episode.returns)


def answers(opponent: Opponent, theirs: str) -> str:
    """What a certain strategy plays against these moves, one answer more than there are moves."""
    game, said = PrisonersDilemma(rounds=len(theirs) + 1), ""
    episode = begin(game)
    for letter in f"{theirs}C":
        move = opponent.act(game.observe(episode.state, 0), MOVES, Random(0))
        said += move.name[0]
        episode = episode.play(move).play(C if letter == "C" else D)
    return said


def table_of(tree: GameTree, opponent: Opponent) -> ActionTable:
    rows = {}
    for key in tree.situations:
        episode = tree.example(key)
        seen = tree.game.observe(episode.state, episode.actor)
        rows[key] = opponent.probabilities(seen, MOVES)
    return ActionTable(rows)


def test_tit_for_tat_earns_the_golden_numbers_and_is_exploited_by_exactly_5_16ths():
    """GAMES.md: .875 to always-defect's 1.5, 2.5 to the alternator's 2.5, clipped and averaged."""
    assert points_per_round(TIT_FOR_TAT, ALWAYS_DEFECT) == (0.875, 1.5)
    assert points_per_round(TIT_FOR_TAT, ALTERNATOR) == (2.5, 2.5)
    assert POOLS["exploit"].opponents == (ALWAYS_DEFECT, ALTERNATOR)
    pairs = [points_per_round(TIT_FOR_TAT, o) for o in POOLS["exploit"].opponents]
    assert sum(max(0.0, theirs - mine) for mine, theirs in pairs) / 2 == 0.3125


@pytest.mark.parametrize("rounds", [2, 5])
def test_the_best_reply_to_tit_for_tat_gains_two_points_in_the_last_round(rounds):
    """As 26 to 24 in eight rounds (tests/sepo_envs has the whole tree)."""
    tree = GameTree(PrisonersDilemma(rounds=rounds))
    table = table_of(tree, TIT_FOR_TAT)
    assert tree.returns(table)[0] == 3 * rounds
    assert tree.best_response(table, 0).value == 3 * rounds + 2


@pytest.mark.parametrize("other", [LENIENT, RANDOM, GENEROUS], ids=lambda other: other.name)
def test_in_the_long_run_extort_2_takes_twice_as_much_over_p_as_it_leaves(other):
    """Stewart and Plotkin (2012): mine - P = 2 (theirs - P), whoever the other is."""
    pairs = [(mine, theirs) for mine in MOVES for theirs in MOVES]
    game = PrisonersDilemma(rounds=2)
    after = [game.play(game.start(), dict(enumerate(pair))) for pair in pairs]
    p, q = (
        np.array([opponent.policy(game.observe(state, seat))[C] for state in after])
        for seat, opponent in enumerate((EXTORT_2, other))
    )
    step = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], axis=1)
    often = np.linalg.matrix_power(step, 1_000)[0]
    mine, theirs = often @ np.array([game.payoffs(state)[0] for state in after])
    assert mine - 1 == pytest.approx(2 * (theirs - 1))
    assert mine > 1.1


@pytest.mark.parametrize(
    ("opponent", "theirs", "mine"),
    [
        (TIT_FOR_TAT, "CDDCC", "CCDDCC"),
        (SUSPICIOUS, "CDDCC", "DCDDCC"),
        (ALTERNATOR, "CDDCC", "DCDCDC"),
        (GRIM, "CCDCC", "CCCDDD"),
        (WIN_STAY, "CDDCD", "CCDCCD"),
        (PROBER, "CCCCC", "DCCDDD"),
        (PROBER, "CCDDC", "DCCDDC"),
        (GRADUAL, "DCCDCCCCC", "CDCCDDCCCC"),
        (GRADUAL, "DDDDCCC", "CDCCDDCC"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_each_certain_strategy_answers_as_its_definition_says(opponent, theirs, mine):
    assert answers(opponent, theirs) == mine


@pytest.mark.parametrize(
    ("opponent", "after_cc", "after_cd"),
    [(GENEROUS, 1, 0.25), (RANDOM, 0.5, 0.5), (LENIENT, 0.9, 0.9), (EXTORT_2, 8 / 9, 0.5)],
    ids=lambda value: getattr(value, "name", value),
)
def test_each_mixing_strategy_mixes_as_its_definition_says(opponent, after_cc, after_cd):
    for move, probability in ((C, after_cc), (D, after_cd)):
        episode = begin(GAME).play(C).play(move)
        row = opponent.policy(GAME.observe(episode.state, 0))
        assert row == {C: probability, D: 1 - probability}


def test_opponents_answer_what_was_seen_and_a_forfeit_is_seen_as_a_defection():
    forfeited = begin(GAME).play(C).play(FORFEIT)
    assert TIT_FOR_TAT.policy(GAME.observe(forfeited.state, 0)) == {C: 0, D: 1}
    noisy = PrisonersDilemma(noise=0.1)
    slipped = begin(noisy).play(C).play(C).play(Luck.AS_MEANT).play(Luck.SLIP)
    assert GRIM.policy(noisy.observe(slipped.state, 0)) == {C: 0, D: 1}


def test_no_opponent_of_one_pool_plays_as_one_of_another():
    """Four rounds are enough for every one to show itself."""
    check_disjoint(POOLS.values(), PrisonersDilemma(rounds=4))


def test_the_published_pools_overlap_with_ours():
    """So nothing trained on them may be judged by our held-out pool."""
    check_disjoint(PAPER_POOLS.values(), PrisonersDilemma(rounds=4))
    published = Pool("published train", PAPER_POOLS["train"].opponents)
    with pytest.raises(ValueError, match="'grim' of pool 'published train' and 'grim' of pool 'he"):
        check_disjoint([published, POOLS["heldout"]], PrisonersDilemma(rounds=4))


def test_names_are_unique_and_every_opponent_has_a_citation():
    names = [opponent.name for pool in POOLS.values() for opponent in pool.opponents]
    assert len(names) == len(set(names)) == len(OPPONENTS)
    assert all(len(opponent.citation) > 10 for _, opponent in LISTED)


def test_the_published_mixture_of_demonstrators_sums_to_one():
    assert sum(weight for _, weight in DEMONSTRATORS) == pytest.approx(1)


@pytest.mark.parametrize("opponent", OPPONENTS.values(), ids=lambda opponent: opponent.name)
@pytest.mark.parametrize("options", [{}, {"noise": 0.2, "continuation": 0.8}], ids=str)
def test_every_opponent_plays_any_variant_to_its_end(opponent, options):
    game = PrisonersDilemma(rounds=12, **options)
    assert match(opponent, RANDOM, game=game, seed=3).actor is None
    assert match(RANDOM, opponent, game=game, seed=3).actor is None


def row_of(pool: str, opponent: Opponent) -> str:
    return f"| {pool} | {opponent.name} | {opponent.policy.__doc__} | {opponent.citation} |"


def test_the_page_prints_what_the_code_plays():
    """If this fails, put the expected rows into docs/opponents.md."""
    printed = [line for line in SECTION.splitlines() if line.startswith("| ")][1:]
    assert printed == [row_of(pool, opponent) for pool, opponent in LISTED]
