"""The loss and the update: what moves the weights, whatever the cut into batches."""

from dataclasses import replace
from math import log
from random import Random
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sepo_trainer.learning.learner import Batch, DivergedError, Learner, Pull
from sepo_trainer.learning.loss import LossKind, clipped_policy_loss, entropy, kl_to_reference
from sepo_trainer.policy.model import tiny
from sepo_trainer.policy.weights import frozen_copy
from sepo_trainer.records import Row, Trace
from sepo_trainer.train import learnable
from tests.sepo_trainer.runs import gates, play, rows_played, run_with
from tests.sepo_trainer.tabular import changing

PLAIN = Pull(clip=0.2, kl_talk=0.0, kl_move=0.0, entropy=0.0)
EVERYTHING = Pull(clip=0.2, kl_talk=1.0, kl_move=0.5, entropy=0.1)


def gradient(learner: Learner, rows, pull) -> torch.Tensor:
    learner.optimizer.zero_grad(set_to_none=True)
    learner.accumulate(Batch(rows, pull))
    return torch.cat([p.grad.double().flatten() for p in learner.model.parameters()])


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The distance of two gradients, relative to their size."""
    return float((one - other).norm() / other.norm())


@pytest.fixture(scope="module")
def played(warm_model):
    """A learner a step away from its reference, and rows of a conversation to learn from.

    Its weights are in double precision, so that what a cut changes is not hidden in rounding.
    """
    run = run_with(warm_model("conversation"), style="conversation")
    _, rows = rows_played(run)
    run.learner.update([Batch(rows, PLAIN)], learning_rate=1e-3)
    _, rows = rows_played(run)
    run.learner.model.double()
    run.learner.reference.model.double()
    return run.learner, rows


@pytest.mark.parametrize("microbatch", [1, 2, 4])
def test_any_cut_into_microbatches_gives_the_same_gradient(played, microbatch):
    learner, rows = played
    some = rows[:40]
    assert len({(row.prompt_ids, row.rest_ids) for row in some}) > 8
    whole = gradient(learner, some, EVERYTHING)
    cut = gradient(replace(learner, microbatch=microbatch), some, EVERYTHING)
    assert apart(cut, whole) < 1e-6


@pytest.mark.parametrize("loss", ["dr_grpo", "dapo", "gspo", "cispo"])
@pytest.mark.parametrize("microbatch", [1, 2])
def test_so_it_does_under_the_losses_of_others(played, loss, microbatch):
    learner, rows = played
    some = [row for row in rows if any(row.advantages)][:20]
    assert len({len(row.rest_ids) for row in some}) > 1
    pull = PLAIN._replace(loss=loss, longest=32)
    whole = gradient(learner, some, pull)
    assert whole.norm() > 0
    assert apart(gradient(replace(learner, microbatch=microbatch), some, pull), whole) < 1e-6


def test_rows_pull_independently_whatever_they_are_padded_to(played):
    """A short row alone and beside longer ones: gradients add up, and padding adds nothing."""
    learner, rows = played
    rows = sorted((r for r in rows if any(r.advantages)), key=lambda row: len(row.rest_ids))
    short, long = rows[0], rows[-1]
    assert len(long.rest_ids) > len(short.rest_ids) + 4
    apiece = gradient(learner, [short], PLAIN) + gradient(learner, [long], PLAIN)
    assert apart(gradient(learner, [short, long], PLAIN), apiece) < 1e-6


def test_the_order_of_rows_and_what_padding_token_fills_them_change_nothing(played):
    learner, rows = played
    shuffled = Random(0).sample(rows, len(rows))
    whole = gradient(learner, rows, EVERYTHING)
    assert apart(gradient(learner, shuffled, EVERYTHING), whole) < 1e-6
    other_pad = replace(learner, pad_id=learner.pad_id + 40)
    assert apart(gradient(other_pad, rows, EVERYTHING), whole) < 1e-6


def test_a_row_that_repeats_pulls_as_often_as_it_occurs(played):
    learner, rows = played
    row = next(row for row in rows if any(row.advantages))
    assert apart(gradient(learner, [row] * 3, PLAIN), 3 * gradient(learner, [row], PLAIN)) < 1e-6


def test_the_format_is_held_alike_in_what_is_played_often_and_in_what_is_seldom(played):
    """Two sequences: their mean KL of the talk by replies, however often either is played."""
    learner, rows = played
    one = rows[0]
    other = next(
        row for row in rows if (row.prompt_ids, row.rest_ids) != (one.prompt_ids, one.rest_ids)
    )

    def held(*rows: Row) -> float:
        return learner.accumulate(Batch(rows, EVERYTHING))["kl_talk"]

    assert held(one) != pytest.approx(held(other), rel=0.1)
    mean = (one.turns * held(one) + other.turns * held(other)) / (one.turns + other.turns)
    assert held(one, other) == pytest.approx(mean, rel=1e-4)
    assert held(*[one] * 9, other) == pytest.approx(mean, rel=1e-4)


def test_nothing_is_clipped_before_the_first_update(played):
    learner, rows = played
    assert learner.accumulate(Batch(rows, EVERYTHING))["clipped_share"] == 0.0


def test_the_policy_agrees_with_itself_as_the_reference(played):
    learner, rows = played
    own = replace(learner, reference=frozen_copy(learner.model))
    stats = own.accumulate(Batch(rows, EVERYTHING))
    assert stats["kl_talk"] == pytest.approx(0.0, abs=1e-6)
    assert stats["kl_move"] == pytest.approx(0.0, abs=1e-6)
    moved = learner.accumulate(Batch(rows, EVERYTHING))
    assert moved["kl_talk"] > 1e-5
    assert moved["kl_move"] > 1e-5


def test_a_magnet_pulls_moves_and_leaves_the_format_to_the_reference(played):
    learner, rows = played
    magnet = frozen_copy(learner.model)
    with torch.no_grad():
        for weight in magnet.model.parameters():
            weight.mul_(1.01)
    held = learner.accumulate(Batch(rows, EVERYTHING))
    own = replace(learner, magnet=frozen_copy(learner.model)).accumulate(Batch(rows, EVERYTHING))
    assert own["kl_talk"] == held["kl_talk"] > 1e-5
    assert own["kl_move"] == pytest.approx(0.0, abs=1e-6)

    def pulled(one: Learner, **weights: float) -> torch.Tensor:
        nothing = {"kl_talk": 0.0, "kl_move": 0.0}
        return gradient(one, rows, EVERYTHING._replace(**nothing | weights))

    both = {"kl_talk": 2.0, "kl_move": 30.0}
    towards = replace(learner, reference=magnet)
    parts = pulled(learner, kl_talk=2.0) + pulled(towards, kl_move=30.0) - pulled(learner)
    assert apart(pulled(replace(learner, magnet=magnet), **both), parts) < 1e-6
    assert apart(pulled(learner, **both), parts) > 1e-3


def test_a_reference_never_learns(played):
    learner, rows = played
    descent = torch.optim.SGD(learner.model.parameters(), lr=1.0)
    own = replace(learner, reference=frozen_copy(learner.model), optimizer=descent)
    before = [weight.clone() for weight in own.reference.model.parameters()]
    own.update([Batch(rows, PLAIN)], learning_rate=1e-3)
    after = list(own.reference.model.parameters())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert not all(
        torch.equal(one, other) for one, other in zip(after, own.model.parameters(), strict=True)
    )


@pytest.mark.parametrize(("arm", "felt"), [("credited", True), ("shared", False)])
def test_one_step_of_the_real_trainer_feels_lambda_only_where_it_is_credited(warm_model, arm, felt):
    """d(loss)/d(lambda) as the change of the loss's gradient when lambda doubles."""
    run = run_with(warm_model("fresh"), objective={"penalty_credit": arm})
    groups, scores = play(run)
    pulls = []
    for weight in (1.5, 3.0):
        weighed = changing(run, weights=replace(run.course.weights, exploitability=weight))
        rows, _ = learnable(weighed.course, groups, gates(scores))
        pulls.append(gradient(run.learner, rows, PLAIN))
    assert pulls[0].norm() > 0
    assert (apart(pulls[1], pulls[0]) > 0.1) if felt else (apart(pulls[1], pulls[0]) < 1e-5)


def bandit(count: int = 64) -> tuple[Learner, list[Row]]:
    """One prompt, two answers, the first one paid: rows as a sampler would have written them."""
    language = tiny(hidden=32, layers=1, heads=2, run_seed=0)
    optimizer = torch.optim.Adam(language.model.parameters())
    learner = Learner(language.model, None, optimizer, pad_id=0)
    with torch.no_grad():
        logprobs = torch.log_softmax(language.model(torch.tensor([[7]])).logits[0, -1], dim=-1)
    rows = [
        Row(
            (7,),
            (answer,),
            (True,),
            (True,),
            ((11, 12),),
            (float(logprobs[answer]),),
            (gain,),
            1 / count,
            1,
        )
        for answer, gain in ((11, 1.0), (12, -1.0))
        for _ in range(count // 2)
    ]
    return learner, rows


def log_odds(learner: Learner) -> torch.Tensor:
    """Of the bandit's first answer against its second."""
    logits = learner.model(torch.tensor([[7]])).logits[0, -1]
    return logits[11] - logits[12]


@pytest.mark.parametrize("paid", [1.0, -1.0])
def test_what_earns_more_becomes_likelier_by_the_policy_gradient(paid):
    """Plain ascent on half the log odds: a small step moves them by rate x |slope|^2 / 2.

    Only a first step shows this, and only without a memory: Adam weighs the step before with .9,
    so a gradient that turns round meets it and may come to nothing.
    """
    learner, rows = bandit()
    learner.model.double()
    plain = torch.optim.SGD(learner.model.parameters(), lr=1.0)
    learner = replace(learner, optimizer=plain, gradient_clip=1e9)
    before = log_odds(learner)
    slope = torch.autograd.grad(before, tuple(learner.model.parameters()))
    steepness = float(sum((part**2).sum() for part in slope))
    rows = [replace(row, advantages=(paid * row.advantages[0],)) for row in rows]
    learner.update([Batch(rows, PLAIN)], learning_rate=1e-7)
    moved = float((log_odds(learner) - before).detach())
    assert moved == pytest.approx(paid * 1e-7 * steepness / 2, rel=1e-2)


@pytest.mark.parametrize("paid", [1.0, -1.0])
@pytest.mark.parametrize("loss", get_args(LossKind))
def test_the_first_step_of_adam_goes_the_same_way_under_every_loss(paid, loss):
    learner, rows = bandit()
    before = log_odds(learner).item()
    rows = [replace(row, advantages=(paid * row.advantages[0],)) for row in rows]
    learner.update([Batch(rows, PLAIN._replace(loss=loss))], learning_rate=1e-3)
    assert paid * (log_odds(learner).item() - before) > 0.1


def test_the_update_is_no_longer_than_the_clipped_gradient_allows():
    """Plain gradient descent of rate 1 moves by the gradient itself, at most its clipped norm."""
    learner, rows = bandit()
    learner = replace(
        learner,
        optimizer=torch.optim.SGD(learner.model.parameters(), lr=1.0),
        gradient_clip=0.01,
    )
    before = torch.cat([p.detach().clone().flatten() for p in learner.model.parameters()])
    [stats] = learner.update([Batch(rows, PLAIN)], learning_rate=1.0)
    after = torch.cat([p.detach().flatten() for p in learner.model.parameters()])
    assert stats["gradient_norm"] > 0.01
    assert float((after - before).norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(("reward", "norm"), [(float("nan"), "nan"), (3e38, "inf")])
def test_a_gradient_that_is_not_finite_stops_the_run_and_spares_the_weights(reward, norm):
    """The second one's entries are numbers still; their squares are not."""
    learner, rows = bandit()
    rows[0] = replace(rows[0], advantages=(reward,))
    before = [p.detach().clone() for p in learner.model.parameters()]
    with pytest.raises(DivergedError, match=rf"norm is {norm}.*learning\.learning_rate"):
        learner.update([Batch(rows, PLAIN)], learning_rate=1e-3)
    assert all(map(torch.equal, learner.model.parameters(), before))
    assert not learner.optimizer.state, "nor is it remembered"


def test_so_does_one_of_the_warm_start():
    learner, _ = bandit()
    before = [p.detach().clone() for p in learner.model.parameters()]
    traces = [Trace((7,), (11,), (True,)), Trace((7,), (12,), (True,))]
    with pytest.raises(DivergedError, match=r"warm_start\.learning_rate"):
        learner.imitate(traces, [1.0, float("nan")], learning_rate=1e-3)
    assert all(map(torch.equal, learner.model.parameters(), before))


def loss_and_slope(logprob: float, advantage: float, *, written=True, weight=1.0):
    now = torch.tensor([[logprob]], requires_grad=True)
    loss = clipped_policy_loss(
        now,
        torch.zeros(1, 1),
        torch.tensor([[advantage]]),
        torch.tensor([[written]]),
        torch.tensor([weight]),
    )
    loss.backward()
    return loss.item(), now.grad.item()


def test_on_policy_the_slope_is_the_policy_gradient():
    assert loss_and_slope(0.0, 3.0, weight=0.5) == (-1.5, -1.5)


@pytest.mark.parametrize(
    ("ratio", "advantage", "pushed"),
    [
        *((1.21, 1.0, False), (1.19, 1.0, True), (1.21, -1.0, True)),
        *((0.79, -1.0, False), (0.81, -1.0, True), (0.79, 1.0, True)),
    ],
)
def test_past_the_clip_a_token_gets_no_more_push_but_may_come_back(ratio, advantage, pushed):
    """A clip of .2 lets ratios move between .8 and 1.2 (Schulman et al. 2017, figure 1)."""
    assert (loss_and_slope(log(ratio), advantage)[1] != 0) == pushed


def test_where_nothing_was_written_even_infinite_ratios_do_no_harm():
    assert loss_and_slope(200.0, 1.0, written=False) == (0.0, 0.0)


distributions = st.lists(st.floats(-5, 5), min_size=5, max_size=5).map(
    lambda logits: torch.log_softmax(torch.tensor(logits, dtype=torch.float64), dim=-1)
)


@given(distributions, distributions, st.integers(1, 4))
def test_shares_of_the_divergence_are_never_negative_and_add_up(policy, reference, cut):
    """Over the whole vocabulary they are KL(policy || reference) as torch has it."""
    whole = float(kl_to_reference(policy, reference))
    torch_kl = torch.nn.functional.kl_div(reference, policy, log_target=True, reduction="sum")
    assert whole == pytest.approx(float(torch_kl), abs=1e-9)
    parts = [kl_to_reference(policy[s], reference[s]) for s in (slice(cut), slice(cut, None))]
    assert min(parts) >= -1e-12
    assert float(sum(parts)) == pytest.approx(whole, abs=1e-9)


@given(distributions)
def test_entropy_is_what_torch_says_and_largest_for_even_odds(logprobs):
    expected = torch.distributions.Categorical(logits=logprobs).entropy()
    assert float(entropy(logprobs)) == pytest.approx(float(expected), abs=1e-9)
    assert float(entropy(logprobs)) <= float(torch.tensor(5.0).log()) + 1e-9
