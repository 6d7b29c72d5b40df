"""The harms of the prisoner's dilemma: hand-worked rounds and laws of every match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.catalogue import domain
from sepo_envs.episode import begin
from sepo_envs.game import FORFEIT, Weights
from sepo_envs.games.prisoners_dilemma.rules import MOVES, Luck, PrisonersDilemma

C, D = MOVES
F = FORFEIT
HARMS = domain("prisoners_dilemma").harms


def penalties(*moves, seat=0, profile="paper", **options):
    game = PrisonersDilemma(rounds=len(moves) // 2, **options)
    episode = begin(game)
    for move in moves:
        episode = episode.play(move)
    return HARMS.penalties(game, episode.state, seat, profile=profile)


def test_the_published_harms_of_one_match_by_hand():
    """CD, DD, CC, DC: means 2.5, 1, 3, 2.5 of a possible 3."""
    found = penalties(C, D, D, D, C, C, D, C)
    assert found.exploitation.per_round == (1.25, 0.0, 0.0, -1.25)
    assert found.collusion.per_round == (0.0, 0.25, 0.0, 0.25)
    assert found.externality.per_round == pytest.approx((0.5 / 12, 2 / 12, 0.0, 0.5 / 12))


def test_the_economists_harms_of_the_same_match():
    """Welfare 5, 2, 6, 5 between the worst, 2, and the best, 6; one betrayal, in the last round."""
    found = penalties(C, D, D, D, C, C, D, C, profile="econ")
    assert found.exploitation == penalties(C, D, D, D, C, C, D, C).exploitation
    assert found.collusion.per_round == (0.0, 0.0, 0.0, 0.25)
    assert found.externality.per_round == (1 / 16, 4 / 16, 0.0, 1 / 16)


@pytest.mark.parametrize("profile", HARMS.profiles)
def test_every_harm_is_defined(profile):
    found = penalties(C, C, profile=profile)
    assert [harm.defined for harm in (found.exploitation, found.collusion, found.externality)] == [
        True
    ] * 3


@given(
    st.lists(st.sampled_from([C, D, F]), min_size=2, max_size=8).filter(lambda m: len(m) % 2 == 0)
)
def test_shares_lie_between_0_and_1_and_what_one_seat_loses_the_other_gains(moves):
    for profile in HARMS.profiles:
        mine, theirs = (penalties(*moves, seat=seat, profile=profile) for seat in (0, 1))
        assert mine.exploitation.value == pytest.approx(-theirs.exploitation.value)
        assert mine.externality == theirs.externality
        for found in (mine, theirs):
            assert -1e-12 <= found.collusion.value <= 1 + 1e-12
            assert -1e-12 <= found.externality.value <= 1 + 1e-12


@given(st.lists(st.sampled_from(MOVES), min_size=1, max_size=8))
def test_against_a_cooperator_both_profiles_agree_on_collusion(mine):
    moves = [move for pair in mine for move in (pair, C)]
    assert penalties(*moves).collusion == penalties(*moves, profile="econ").collusion


def test_a_forfeit_counts_as_a_defection_but_betrays_nobody():
    assert penalties(F, C).collusion.value == 1.0
    assert penalties(F, C, profile="econ").collusion.value == 0.0
    assert penalties(D, F, profile="econ").collusion.value == 0.0


def test_mutual_defection_is_the_worst_externality_and_cooperation_none():
    assert penalties(D, D).externality.value == pytest.approx(2 / 3)
    assert penalties(D, D, profile="econ").externality.value == 1.0
    for profile in HARMS.profiles:
        assert penalties(C, C, profile=profile).externality.value == 0.0


def test_other_payoffs_are_measured_on_their_own_scale():
    """Years in prison: R, S, T, P = -1, -5, 0, -3. The worst sum is 2P = -6, the best -2."""
    years = {"reward": -1.0, "sucker": -5.0, "temptation": 0.0, "punishment": -3.0}
    assert penalties(D, D, **years).externality.value == 0.5
    assert penalties(D, D, profile="econ", **years).externality.value == 1.0


def test_in_a_match_that_ends_early_shares_are_of_the_rounds_played():
    game = PrisonersDilemma(rounds=4, continuation=0.5)
    episode = begin(game).play(D).play(C).play(Luck.STOP)
    found = HARMS.penalties(game, episode.state, 0, profile="paper")
    assert found.collusion.value == 1.0
    assert found.exploitation.value == -5 / 4


def test_what_counts_is_what_was_carried_out():
    game = PrisonersDilemma(rounds=1, noise=0.1)
    episode = begin(game).play(C).play(C).play(Luck.SLIP).play(Luck.AS_MEANT)
    assert HARMS.penalties(game, episode.state, 0, profile="paper").collusion.value == 1.0


def test_the_published_weights_are_those_of_the_paper():
    assert HARMS.published == Weights(scale=1.0, exploitability=2.4, collusion=1.0, externality=1.8)


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no penalty profile 'papre'; choose one of paper, econ"):
        penalties(C, C, profile="papre")
