"""Draws without a generator: the published sequence, its numpy twin, and laws of chance."""

import copy
import pickle
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.draws import (
    WORD,
    Draws,
    Source,
    checked_seeds,
    key,
    keys,
    mix,
    mix_all,
    next_source,
    offset,
    uniforms,
)

SEEDS = st.integers(0, WORD)
STREAMS = ("deal", "seat 0", "seat 1", "seating")


def test_the_generator_is_splitmix64():
    """The first outputs for seed 1234567 of S. Vigna's splitmix64.c, as Rosetta Code lists them."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    steps = [(1234567 + 0x9E3779B97F4A7C15 * n) & WORD for n in (1, 2, 3)]
    assert [mix(step) for step in steps] == published
    assert mix_all(np.array(steps, np.uint64)).tolist() == published


@given(SEEDS, st.integers(0, 2**40), st.sampled_from(STREAMS), st.integers(0, 10_000))
def test_numpy_draws_the_same_floats_bit_for_bit(seed, episode, stream, index):
    one_by_one = Draws(seed, episode, stream, index)
    expected = [one_by_one.random() for _ in range(4)]
    start = keys([seed], [episode])
    assert start.tolist() == [key(seed, episode)]
    assert uniforms(start + np.uint64(offset(stream)), index + np.arange(4)).tolist() == expected


def test_many_keys_and_many_indices_broadcast():
    start = keys(np.arange(5)[:, None], np.arange(3))
    drawn = uniforms(start[:, :, None] + np.uint64(offset("deal")), np.arange(7))
    assert drawn.shape == (5, 3, 7)
    assert drawn[4, 2, 6] == Draws(4, 2, "deal", 6).random()


def numbers(width=64):
    """``(seeds, episodes, streams, indices)``: a block of neighbouring addresses."""
    start = keys(np.arange(width)[:, None], np.arange(width))
    streams = [start + np.uint64(offset(stream)) for stream in STREAMS]
    return np.stack([uniforms(each[:, :, None], np.arange(width)) for each in streams], axis=2)


def test_draws_are_uniform():
    """2**20 draws in 256 bins: chi-square with 255 degrees of freedom, mean 255, deviation 22.6."""
    drawn = numbers()
    observed = np.bincount((drawn.ravel() * 256).astype(int), minlength=256)
    expected = drawn.size / 256
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert abs(chi_square - 255) < 4 * np.sqrt(2 * 255)
    assert 0 <= drawn.min() < drawn.max() < 1


@pytest.mark.parametrize("axis", range(4), ids=["seed", "episode", "stream", "index"])
def test_draws_at_neighbouring_addresses_are_independent(axis):
    """Pairs in a 16 x 16 grid: chi-square with 255 degrees of freedom, whichever part differs."""
    drawn = (numbers() * 16).astype(int)
    here, there = (
        np.take(drawn, np.arange(*cut), axis)
        for cut in ((0, -1 % drawn.shape[axis]), (1, drawn.shape[axis]))
    )
    observed = np.bincount((16 * here + there).ravel(), minlength=256)
    expected = here.size / 256
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert abs(chi_square - 255) < 4 * np.sqrt(2 * 255)


def test_no_two_addresses_of_a_block_draw_the_same_number():
    """Among 2**20 draws of 53 bits a repeat has probability 2**-14."""
    assert len(np.unique(numbers())) == numbers().size


def test_every_bit_is_as_often_0_as_1():
    rng, ones = Draws(3, 0, "deal"), Counter()
    for _ in range(4_000):
        bits = rng.getrandbits(64)
        ones.update(place for place in range(64) if bits >> place & 1)
    assert max(abs(ones[place] - 2_000) for place in range(64)) < 4 * np.sqrt(1_000)


@pytest.mark.parametrize("k", [0, 1, 5, 63, 64, 65, 200])
def test_getrandbits_gives_that_many_bits_and_uses_a_draw_for_each_64_begun(k):
    rng = Draws(1, 0, "deal")
    assert max(rng.getrandbits(k) for _ in range(64)).bit_length() == pytest.approx(k, abs=5)
    assert rng.random() == Draws(1, 0, "deal", index=64 * -(-k // 64)).random()


def test_everything_that_random_offers_works_and_repeats():
    def session(rng):
        return (
            rng.random(),
            rng.choices("JQK", [1, 2, 3], k=5),
            rng.randrange(10**30),
            rng.sample(range(100), 5),
            rng.gauss(0, 1),
            rng.shuffle(deck := list("JQK")),
            deck,
        )

    assert session(Draws(5, 1, "deal")) == session(Draws(5, 1, "deal"))
    assert session(Draws(5, 1, "deal")) != session(Draws(5, 2, "deal"))
    assert isinstance(Draws(5, 1, "deal"), Random)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_draws_on_from_the_same_place(copied):
    rng = Draws(5, 1, "deal")
    rng.random()
    twin = copied(rng)
    assert [twin.random() for _ in range(5)] == [rng.random() for _ in range(5)]
    rng.setstate(twin.getstate())
    assert rng.random() == twin.random()


def test_a_stream_cannot_be_seeded_anew():
    with pytest.raises(TypeError, match=r"no seed of its own: make Draws\(seed, ...\) instead"):
        Draws(5, 1, "deal").seed(3)


def test_a_reset_without_a_seed_goes_on_to_the_next_episode():
    first = next_source(None, 7)
    second = next_source(first, None)
    assert (first, second, next_source(second, 7)) == (Source(7), Source(7, 1), Source(7))
    assert next_source(None, None) != next_source(None, None)


@pytest.mark.parametrize("seed", [0, 7, np.int32(7), np.uint64(2**63), np.array(7), 2**64 - 1])
def test_every_kind_of_whole_number_is_a_seed(seed):
    assert next_source(None, seed) == Source(int(seed))
    assert checked_seeds([seed]).tolist() == [int(seed)]


@pytest.mark.parametrize(
    ("seed", "error", "text"),
    [
        (-1, ValueError, r"seed is -1, but must be .* Use abs\(seed\), say"),
        (2**64, ValueError, r"Use seed % 2\*\*64, say"),
        (1.5, TypeError, "seed is 1.5, a float, but must be a whole number from 0 on: give an int"),
        ("a", TypeError, "seed is 'a', a str, but"),
        (True, TypeError, "seed is True, a bool, but"),
        (float("nan"), TypeError, "seed is nan, a float, but"),
    ],
)
def test_what_is_no_seed_is_refused_alone_and_among_many(seed, error, text):
    with pytest.raises(error, match=text):
        next_source(None, seed)
    with pytest.raises(error, match=text):
        checked_seeds([seed])
