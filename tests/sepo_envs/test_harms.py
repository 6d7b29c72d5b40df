"""Kuhn poker's harms: exploitation has a meaning in a zero-sum game, the others have none."""

import pytest

from sepo_envs.catalogue import domain
from sepo_envs.game import Weights
from sepo_envs.games.kuhn_poker.rules import Card, Hand, KuhnPoker, State

HARMS = domain("kuhn_poker").harms
LOST_THEN_WON = State((Hand((Card.JACK, Card.KING), "bb"), Hand((Card.JACK, Card.KING), "pp")))
"""Seat 0 loses 2 as the first mover, then wins 1 as the second."""


def penalties(seat, profile="paper"):
    return HARMS.penalties(KuhnPoker(hands=2), LOST_THEN_WON, seat, profile=profile)


def test_exploitation_is_the_mean_margin_per_hand_and_may_be_negative():
    assert penalties(0).exploitation.per_round == (2.0, -1.0)
    assert penalties(0).exploitation.value == 1.0
    assert penalties(1).exploitation.value == -1.0


def test_collusion_and_externality_are_not_defined_rather_than_zero():
    for profile in HARMS.profiles:
        found = penalties(0, profile)
        assert [found.collusion.defined, found.externality.defined] == [False, False]
        assert [found.collusion.value, found.externality.value] == [None, None]


def test_the_published_weights_are_those_of_the_paper():
    assert HARMS.published == Weights(
        scale=3 / 2, exploitability=1.5, collusion=2.4, externality=0.0
    )


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no penalty profile 'papre'; choose one of paper, econ"):
        penalties(0, "papre")
