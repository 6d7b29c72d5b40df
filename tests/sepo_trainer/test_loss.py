"""The kinds of policy loss: laws that hold for all of them, and what tells them apart by hand.

TRL's own code is held against them in tests/proofs/test_trl.py.
"""

from __future__ import annotations

from math import exp, log
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sepo_trainer.learning.loss import LossKind, clipped_tokens, mean_length, policy_loss

KINDS = get_args(LossKind)
LONGEST = 8


def rows(count: int, *, seed: int, drift: float = 0.3) -> tuple[Tensor, ...]:
    """Log-probs now and when written, advantages, mask and weights of rows of unequal length."""
    some = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=some)

    now = -1 + 0.3 * normal(count, LONGEST)
    lengths = torch.randint(1, LONGEST + 1, (count, 1), generator=some)
    mask = torch.arange(LONGEST) < lengths
    weights = torch.rand(count, dtype=torch.float64, generator=some)
    return now, now + drift * normal(count, LONGEST), normal(count, LONGEST), mask, weights


def slope(kind: LossKind, batch: tuple[Tensor, ...], *, mean: float | None = None, high=0.2):
    """The loss, and its gradient at each log-prob."""
    now, old, advantages, mask, weights = batch
    now = now.clone().requires_grad_()
    loss = policy_loss(
        kind,
        *(now, old, advantages, mask, weights),
        clip=0.2,
        clip_high=high,
        longest=LONGEST,
        mean_length=mean_of(batch) if mean is None else mean,
    )
    loss.backward()
    return loss.item(), now.grad


def mean_of(batch: tuple[Tensor, ...]) -> float:
    return mean_length(batch[3].sum(1).tolist(), batch[4].tolist())


each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@given(seed=st.integers(0, 99), size=st.integers(1, 6))
def test_the_losses_of_microbatches_add_up(kind, seed, size):
    batch = rows(6, seed=seed)
    whole, pull = slope(kind, batch)
    cuts = [tuple(part[at : at + size] for part in batch) for at in range(0, 6, size)]
    parts = [slope(kind, cut, mean=mean_of(batch)) for cut in cuts]
    assert sum(loss for loss, _ in parts) == pytest.approx(whole, abs=1e-12)
    torch.testing.assert_close(torch.cat([at for _, at in parts]), pull, rtol=0, atol=1e-12)


@each_kind
@given(seed=st.integers(0, 99))
def test_what_weighs_one_pool_against_another_weighs_their_gradients_alike(kind, seed):
    """Rows of two pools; the second counts three times, once by its weights, which are those of
    groups, and once by its rewards, where lambda is."""
    batch = rows(6, seed=seed)
    _, before = slope(kind, batch)
    by = torch.tensor([1, 1, 1, 3, 3, 3], dtype=torch.float64)

    _, priced = slope(kind, (*batch[:2], batch[2] * by[:, None], *batch[3:]))
    torch.testing.assert_close(priced, before * by[:, None], rtol=0, atol=1e-12)

    weighed = (*batch[:4], batch[4] * by)
    common = mean_of(batch) / mean_of(weighed) if kind in ("dapo", "cispo") else 1.0
    _, heavier = slope(kind, weighed)
    torch.testing.assert_close(heavier, common * before * by[:, None], rtol=0, atol=1e-12)


@each_kind
@given(seed=st.integers(0, 99), factor=st.floats(0.1, 5))
def test_a_factor_per_token_may_be_multiplied_to_the_advantages(kind, seed, factor):
    batch = rows(3, seed=seed)
    _, before = slope(kind, batch)
    truncated = torch.ones(3, LONGEST, dtype=torch.float64)
    truncated[:, ::2] = factor
    _, after = slope(kind, (*batch[:2], batch[2] * truncated, *batch[3:]))
    torch.testing.assert_close(after, before * truncated, rtol=0, atol=1e-12)


@each_kind
@given(seed=st.integers(0, 99))
def test_before_any_update_it_is_the_policy_gradient_over_what_each_divides_by(kind, seed):
    batch = rows(4, seed=seed, drift=0.0)
    _, _, advantages, mask, weights = batch
    lengths = mask.sum(1, keepdim=True)
    divisor = {
        "clipped": torch.ones_like(lengths),
        "dr_grpo": torch.full_like(lengths, LONGEST),
        "dapo": torch.full_like(weights[:, None], mean_of(batch)),
        "gspo": lengths,
        "cispo": torch.full_like(weights[:, None], mean_of(batch)),
    }[kind]
    expected = -weights[:, None] * torch.where(mask, advantages, 0.0) / divisor
    torch.testing.assert_close(slope(kind, batch)[1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["dapo", "cispo"])
def test_a_row_twice_at_half_its_weight_is_that_row_and_one_without_weight_is_none(kind):
    batch = rows(3, seed=0)
    loss, pull = slope(kind, batch)
    twice = tuple(torch.cat([part, part[:1], part[1:2]]) for part in batch)
    twice[4][[0, 3]] /= 2
    twice[4][4] = 0.0
    again, found = slope(kind, twice)
    assert again == pytest.approx(loss, abs=1e-12)
    torch.testing.assert_close(found[0] + found[3], pull[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1:3], pull[1:], rtol=0, atol=1e-12)
    assert not found[4].any()


@each_kind
def test_where_nothing_was_written_even_infinite_log_probs_do_no_harm(kind):
    now, old, advantages, mask, weights = rows(3, seed=1)
    mask = mask & (torch.arange(LONGEST) < 4)
    loss, pull = slope(kind, (now, old, advantages, mask, weights))
    wild = torch.where(mask, now, float("-inf"))
    again, found = slope(kind, (wild, old, advantages, mask, weights))
    assert again == loss
    assert torch.equal(found, pull)
    none = torch.zeros_like(mask)
    assert slope(kind, (wild, old, advantages, none, weights), mean=1.0)[0] == 0.0


def one_row(ratios: list[float], advantages: list[float]) -> tuple[Tensor, ...]:
    """A row whose log-probs are 0 now, with these ratios."""
    now = torch.zeros(1, len(ratios), dtype=torch.float64)
    old = now - torch.tensor([[log(ratio) for ratio in ratios]], dtype=torch.float64)
    gains = torch.tensor([advantages], dtype=torch.float64)
    return now, old, gains, torch.ones_like(now, dtype=torch.bool), torch.ones(1).double()


def test_gspo_clips_the_row_by_the_geometric_mean_of_its_ratios():
    """1.5 x 0.9 is 1.35, whose root is 1.16: within 1.2, although a token alone is not."""
    loss, pull = slope("gspo", one_row([1.5, 0.9], [1.0, 1.0]))
    assert loss == pytest.approx(-(1.35**0.5))
    assert pull.tolist() == [pytest.approx([-(1.35**0.5) / 2] * 2)]
    _, clipped = slope("gspo", one_row([1.5, 1.0], [1.0, 1.0]))  # 1.5 ** .5 is 1.22
    assert clipped.tolist() == [[0.0, 0.0]]
    _, of_tokens = slope("clipped", one_row([1.5, 0.9], [1.0, 1.0]))
    assert of_tokens.tolist() == [pytest.approx([0.0, -0.9])]


def test_gspo_credits_each_turn_of_a_row_with_its_own_advantage():
    """A mean over the row would give both turns the mean advantage, here none."""
    _, pull = slope("gspo", one_row([1.0, 1.0], [1.0, -1.0]))
    assert pull.tolist() == [pytest.approx([-0.5, 0.5])]


def test_cispo_bounds_the_weight_of_a_token_and_never_its_push():
    """Ratios of 3 and 0.1; PPO lets go of the first, and of the second where it is to fall."""
    _, pull = slope("cispo", one_row([3.0, 0.1], [1.0, -1.0]), mean=1.0, high=1.5)
    assert pull.tolist() == [pytest.approx([-2.5, 0.1])]
    _, gone = slope("clipped", one_row([3.0, 0.1], [1.0, -1.0]))
    assert gone.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("kind", ["clipped", "dr_grpo", "dapo"])
def test_a_higher_clip_lets_likelier_tokens_rise_further_and_none_fall_further(kind):
    batch = one_row([1.25, 1.35, 0.75], [1.0, 1.0, -1.0])
    assert [bool(at) for at in slope(kind, batch, high=0.28)[1][0]] == [True, False, False]
    assert [bool(at) for at in slope(kind, batch, high=0.2)[1][0]] == [False, False, False]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clipped", [True, False, True]),
        ("gspo", [False, False, False]),
        ("cispo", [True, False, False]),
    ],
)
def test_a_token_is_told_as_clipped_by_the_ratio_that_its_loss_goes_by(kind, expected):
    now, old, _, mask, _ = one_row([exp(0.5), 1.0, exp(-0.5)], [0.0] * 3)
    assert clipped_tokens(kind, now, old, mask, clip=0.2, clip_high=0.2).tolist() == [expected]
    mask[:, 0] = False
    found = clipped_tokens(kind, now, old, mask, clip=0.2, clip_high=0.2)
    assert not found[0, 0]
