"""Draws by address: what shares an address shares its draws, and nothing else does."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from sepo_envs.game import CHANCE
from sepo_trainer.records import GroupKey
from sepo_trainer.seeding import generator, seed, uniforms
from tests.sepo_trainer.runs import UNTRAINED, play, run_with

addresses = st.fixed_dictionaries(
    {},
    optional={
        "iteration": st.integers(0, 999),
        "group": st.text("abc/|", max_size=6),
        "replicate": st.integers(0, 99),
        "seat": st.integers(0, 3),
        "turn": st.integers(0, 99),
    },
)


def test_the_counter_is_splitmix64_as_published():
    """The first five outputs of Vigna's reference implementation for seed 1234567."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    found = uniforms(np.array([1234567], dtype=np.uint64), 5)[0]
    assert found.tolist() == [(value >> 11) * 2.0**-53 for value in published]


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=8), st.integers(1, 20))
def test_a_rows_draws_do_not_hang_on_its_neighbours_nor_on_how_many_are_wanted(seeds, count):
    together = uniforms(np.array(seeds, dtype=np.uint64), count)
    for row, one in zip(together, seeds, strict=True):
        alone = uniforms(np.array([one], dtype=np.uint64), count + 3)[0]
        assert row.tolist() == alone[:count].tolist()


def test_draws_of_neighbouring_addresses_are_uniform_and_unrelated():
    seeds = np.array([seed(0, "sample", replicate=r) for r in range(20_000)], dtype=np.uint64)
    draws = uniforms(seeds, 2)
    assert kstest(draws.ravel(), "uniform").pvalue > 0.001
    assert abs(np.corrcoef(draws.T)[0, 1]) < 4 / np.sqrt(len(seeds))
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 4 / np.sqrt(len(seeds))


@given(addresses, addresses)
def test_two_addresses_have_one_seed_only_if_they_are_one(one, other):
    zero = {"iteration": 0, "group": "", "replicate": 0, "seat": 0, "turn": 0}
    same = (zero | one) == (zero | other)
    assert (seed(7, "deal", **one) == seed(7, "deal", **other)) == same
    assert seed(7, "deal", **one) != seed(7, "opponent", **one)
    assert seed(7, "deal", **one) != seed(8, "deal", **one)


def test_a_generator_starts_at_its_address():
    assert generator(3, "deal", turn=2).random() == Random(seed(3, "deal", turn=2)).random()


def opening(rollout, actor) -> tuple:
    """What ``actor`` did before the policy's first decision."""
    entries = []
    for entry in rollout.episode.entries:
        if entry.actor == rollout.key.seat:
            break
        entries += [entry.move] if entry.actor == actor else []
    return tuple(entries)


def test_replicates_share_deals_and_opponents_draws_but_not_what_they_write():
    run = run_with(UNTRAINED, group_size=4, rollout={"deals": 6, "max_new_tokens": 8})
    openings: dict[GroupKey, set] = {}
    for iteration in (0, 1):
        for group in play(run, iteration=iteration)[0]:
            key = group.key
            found = {(opening(r, CHANCE), opening(r, 1 - key.seat)) for r in group.rollouts}
            assert len(found) == 1, f"{key} is dealt or opened in {len(found)} ways"
            openings.setdefault(key, set()).update(found)
            written = {tuple(turn.output_ids for turn in r.turns) for r in group.rollouts}
            assert len(written) == len(group.rollouts)
    assert sum(len(found) == 2 for found in openings.values()) >= len(openings) / 2


def test_all_opponents_and_arms_meet_the_same_deals():
    """Common random numbers: the deal's address names the deal and the domain, not who plays."""
    run = run_with(UNTRAINED, rollout={"deals": 6, "max_new_tokens": 4})
    dealt: dict[int, set] = {}
    for group in play(run)[0]:
        dealt.setdefault(group.key.deal, set()).add(opening(group.rollouts[0], CHANCE))
    assert [len(cards) for cards in dealt.values()] == [1] * 6
    assert len(set.union(*dealt.values())) > 1


def test_deals_of_their_own_are_shared_by_replicates_alone():
    """All that chance does: as published, one seat's values are drawn anew in every round."""
    rollout = {"deals": 2, "own_deals": True, "max_new_tokens": 4}
    game = {"name": "item_negotiation", "preset": "paper"}
    run = run_with(UNTRAINED, game=game, group_size=4, rollout=rollout)
    rounds: dict[int, list] = {}
    for iteration in (0, 1):
        opponents = run.course.read().opponents
        for group in run.course.arena.play(run.course.sampler, opponents, iteration=iteration):
            ((table, one, *others),) = {
                tuple(entry.move for entry in each.episode.entries if entry.actor == CHANCE)
                for each in group.rollouts
            }
            for number, dealt in enumerate([(table, one), *others]):
                rounds.setdefault(number, []).append(dealt)
    # Two deals in two iterations are four when shared; here nearly every group's is another.
    assert len(rounds) > 2
    assert all(len(set(dealt)) > 0.5 * len(dealt) > 4 for dealt in rounds.values())
