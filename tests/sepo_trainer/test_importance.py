"""What a sampler wrote with other probabilities than the learner's is weighed for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sepo_trainer.learning.importance import (
    DriftError,
    agreement,
    check_drift,
    corrected,
    truncated_ratio,
)
from sepo_trainer.records import Row
from sepo_trainer.samplers.choice import most_drift
from sepo_trainer.settings.sampler import SamplerConfig

ROW = Row(
    prompt_ids=(1,),
    rest_ids=(2, 3, 4),
    written=(True, False, True),
    is_move=(False, False, True),
    choices=((), (), (4, 5)),
    old_logprobs=tuple(np.log([0.5, 1.0, 0.1]).tolist()),
    advantages=(1.0, 0.0, -2.0),
    weight=0.5,
    turns=2,
)


def test_where_the_two_agree_nothing_changes():
    [found], agreed = corrected([ROW], [ROW.old_logprobs], cap=2.0)
    assert found == replace(ROW, old_logprobs=(ROW.old_logprobs[0], 0.0, ROW.old_logprobs[2]))
    assert agreed == (0.0, 0.0, 1.0, 1.0, 0.0)


def test_a_row_worked_by_hand():
    """Twice as likely to the learner, so its advantage doubles; 4 times, which is capped at 3. What
    was told it counts for nothing, however far apart the two are there."""
    again = np.log([0.25, 1e-9, 0.4]).tolist()
    [found], agreed = corrected([ROW], [again], cap=3.0)
    assert found.advantages == pytest.approx((0.5, 0.0, -6.0))
    assert found.old_logprobs == pytest.approx((again[0], 0.0, again[2]))
    assert agreed.drift == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert agreed.move_drift == pytest.approx(np.log(4))
    assert agreed.ratio_mean == pytest.approx((0.5 + 4) / 2)
    assert agreed.ratio_max == pytest.approx(4)
    assert agreed.capped_share == 0.5
    assert (found.prompt_ids, found.rest_ids, found.weight) == ((1,), (2, 3, 4), 0.5)


def test_without_a_cap_in_reach_the_weighed_mean_is_the_learners():
    """Of any function of the token drawn; with one it is no more than that, for one above 0."""
    rng = np.random.default_rng(0)
    sampler, learner = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    worth = rng.uniform(1, 2, 5)
    ratio = truncated_ratio(np.log(learner), np.log(sampler), cap=1e9)
    assert (sampler * ratio * worth).sum() == pytest.approx((learner * worth).sum())
    capped = truncated_ratio(np.log(learner), np.log(sampler), cap=1.0)
    assert (sampler * capped * worth).sum() < (learner * worth).sum()
    assert capped.max() <= 1.0


def test_a_token_that_the_sampler_could_not_have_written_does_not_overflow():
    found = truncated_ratio(np.array([-1.0]), np.array([-1e5]), cap=2.0)
    assert found == pytest.approx([2.0])


def test_of_nothing_written_nothing_is_apart():
    assert corrected([], [], cap=2.0) == ([], (0.0, 0.0, 1.0, 1.0, 0.0))


def test_too_far_apart_ends_a_run_and_says_what_to_look_for():
    near = agreement(np.array([-1.0, -2.0]), np.array([-1.001, -2.0]), cap=2.0)
    check_drift(near, most=0.001, where="here", engine="vllm")
    far = agreement(np.array([-1.0, -2.0]), np.array([-1.1, -1.9]), cap=2.0)
    with pytest.raises(DriftError, match=r"in iteration 3, .* by 0\.1 nats per token") as told:
        check_drift(far, most=0.05, where="in iteration 3", engine="vllm")
    assert "sampler.most_drift" in str(told.value)


def test_a_move_that_is_far_off_is_not_lost_among_format_that_both_are_sure_of():
    """One token of twelve says the move. The sampler finds it 0.2 nats likelier; the mean over all
    is 0.017."""
    again = [0.0] * 11 + [-1.0]
    row = replace(
        ROW,
        rest_ids=(2,) * 12,
        written=(True,) * 12,
        is_move=(False,) * 11 + (True,),
        choices=((),) * 11 + ((4, 5),),
        old_logprobs=(0.0,) * 11 + (-0.8,),
        advantages=(1.0,) * 12,
    )
    _, agreed = corrected([row], [again], cap=2.0)
    assert (agreed.drift, agreed.move_drift) == pytest.approx((0.2 / 12, 0.2))
    most = most_drift(SamplerConfig(), torch.bfloat16)
    assert agreed.drift < most
    with pytest.raises(DriftError, match=r"by 0\.2 nats per token of a move .*\(0\.02, 5 times"):
        check_drift(agreed, most=most, where="here", engine="vllm")
    check_drift(agreed._replace(move_drift=0.09), most=most, where="here", engine="vllm")


def test_where_the_learner_itself_wrote_it_is_not_told_to_let_the_learner_write():
    far = agreement(np.array([-1.0]), np.array([-1.1]), cap=2.0)
    with pytest.raises(DriftError, match=r"model\.dtype to float32 where it is not, or") as told:
        check_drift(far, most=0.05, where="here", engine="transformers")
    assert "--sampler.engine" not in str(told.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_what_is_no_number_ends_a_run_too(value):
    found = agreement(np.array([value]), np.array([-1.0]), cap=2.0)
    with pytest.raises(DriftError):
        check_drift(found, most=1.0, where="here", engine="vllm")
