"""Who demonstrates, how often, and what that does in the dilemma: it cooperates too much."""

import json
from itertools import product

import pytest
from scipy.stats import binomtest

from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.dataset import Recipe, write_dataset
from sepo_trainer.dataset.card import imitators_margins
from sepo_trainer.stage import set_stage
from tests.sepo_trainer.mixture import PUBLISHED


def test_the_demonstrators_are_the_published_mixture():
    for name in CATALOGUE:
        mixture = {expert.name: share for expert, share in set_stage(name).demonstrators}
        assert mixture == PUBLISHED[name]
        assert sum(mixture.values()) == pytest.approx(1)


C, D = True, False
BY_HAND = {
    "tit-for-tat": lambda mine, theirs: 1.0 if not theirs or theirs[-1] else 0.0,
    "always-defect": lambda mine, theirs: 0.0,
    "grim": lambda mine, theirs: 1.0 if all(theirs) else 0.0,
    "random": lambda mine, theirs: 0.5,
    "generous-tit-for-tat": lambda mine, theirs: 1.0 if not theirs or theirs[-1] else 0.25,
    "always-cooperate": lambda mine, theirs: 1.0,
}
"""The probability of cooperating, a second time."""


def cooperations(one, other, mine=(), theirs=()) -> tuple[float, float]:
    """The mean, and the mean square, of how often both seats together cooperate in 8 rounds."""
    if len(mine) == 8:
        number = sum(mine) + sum(theirs)
        return float(number), float(number**2)
    p, q = one(mine, theirs), other(theirs, mine)
    ways = [
        (likely, cooperations(one, other, (*mine, a), (*theirs, b)))
        for a, b in product((C, D), repeat=2)
        if (likely := (p if a else 1 - p) * (q if b else 1 - q)) > 0
    ]
    return sum(w * first for w, (first, _) in ways), sum(w * second for w, (_, second) in ways)


@pytest.fixture(scope="module")
def dilemma(tmp_path_factory):
    """What the demonstrators of the dilemma say by default, as (round, move)."""
    folder = tmp_path_factory.mktemp("demonstrations") / "set"
    write_dataset(Recipe(("prisoners_dilemma",), decisions=8_800), folder)
    rows = map(json.loads, (folder / "train.jsonl").read_text().splitlines())
    return [(row["rounds"][0], row["moves"][0]) for row in rows]


def test_the_dilemmas_demonstrations_begin_by_cooperating(dilemma):
    """.33 + .22 + .05 + .05 of them surely, and half of .08: .69, where defecting dominates."""
    first = [move for number, move in dilemma if number == 1]
    assert len(first) == 2 * 550
    assert binomtest(first.count("[cooperate]"), len(first), 0.69).pvalue > 1e-4


def test_the_dilemmas_demonstrations_cooperate_as_often_as_the_mixture_must(dilemma):
    """By going through every match of every two of them; matches are independent, rounds not."""
    mixture = PUBLISHED["prisoners_dilemma"]
    pairs = [
        (mixture[a] * mixture[b], cooperations(BY_HAND[a], BY_HAND[b]))
        for a, b in product(mixture, repeat=2)
    ]
    mean, square = (sum(weight * moments[n] for weight, moments in pairs) for n in range(2))
    error = ((square - mean**2) / 550) ** 0.5
    cooperative = sum(move == "[cooperate]" for _, move in dilemma)
    assert len(dilemma) == 550 * 16
    assert cooperative / 550 == pytest.approx(mean, abs=4 * error)


def test_a_perfect_imitator_is_exploited_more_than_tit_for_tat():
    """By hand, against always-defect: 5/8 for who answers in kind, (5 + 7 * 5/4)/8 for who forgives
    a quarter, 5 and 5/2 for who takes no notice, 0 for who defects."""
    margins = imitators_margins("prisoners_dilemma")
    expected = 0.55 * 5 / 8 + 0.05 * (5 + 7 * 5 / 4) / 8 + 0.05 * 5 + 0.08 * 5 / 2
    assert margins["always-defect"] == pytest.approx(expected)
    assert margins["alternator"] < 0
    e = sum(max(0.0, margin) for margin in margins.values()) / 2
    assert e == pytest.approx(expected / 2) == pytest.approx(0.43984, abs=1e-5)
    assert e > 0.3125
