"""The warm start: which traces a step takes, at which rate, and what it imitates of them."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from sepo_trainer.learning.demonstrations import write_traces
from sepo_trainer.learning.warm_start import warm_start
from sepo_trainer.records import Trace
from tests.sepo_trainer.runs import UNTRAINED, run_with


@dataclass
class Notes:
    """A learner that only writes down what it is given."""

    steps: list[tuple[tuple[Trace, ...], tuple[float, ...]]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def imitate(self, traces, weights, *, learning_rate):
        self.steps.append((tuple(traces), tuple(weights)))
        self.rates.append(learning_rate)
        return 0.5


SAID = Counter({Trace((number,), (1,), (True,)): 1 + number % 4 for number in range(10)})
"""Ten distinct traces that occurred one to four times."""


def steps_of(*, steps: int, batch: int, seed: int = 0) -> Notes:
    notes = Notes()
    warm_start(
        notes,
        SAID,
        steps=steps,
        batch=batch,
        learning_rate=1.0,
        run_seed=seed,
        progress=lambda step, loss: None,
    )
    return notes


def test_the_minibatches_are_a_function_of_the_seed():
    assert steps_of(steps=20, batch=4).steps == steps_of(steps=20, batch=4).steps
    assert steps_of(steps=20, batch=4).steps != steps_of(steps=20, batch=4, seed=1).steps


def test_a_longer_warm_start_begins_with_the_batches_of_a_shorter_one():
    assert steps_of(steps=30, batch=4).steps[:20] == steps_of(steps=20, batch=4).steps


def test_where_all_fit_every_step_takes_all_of_them_by_their_counts():
    for traces, weights in steps_of(steps=5, batch=10).steps:
        assert dict(zip(traces, weights, strict=True)) == SAID


def test_a_minibatch_draws_traces_by_their_counts():
    """Each step draws four, equal ones once with their number; 3,000 steps have the shares."""
    drawn: Counter[Trace] = Counter()
    for traces, weights in steps_of(steps=3_000, batch=4).steps:
        assert len(set(traces)) == len(traces) <= 4
        assert sum(weights) == 4
        drawn.update(dict(zip(traces, map(int, weights), strict=True)))
    shares = np.array(list(SAID.values())) / SAID.total()
    assert chisquare([drawn[trace] for trace in SAID], shares * 12_000).pvalue > 1e-3


def test_the_rate_rises_over_twenty_steps_and_falls_over_the_last_three_tenths():
    """By hand, of 100 steps."""
    rates = steps_of(steps=100, batch=10).rates
    assert rates[0] == pytest.approx(1 / 20)
    assert rates[9] == pytest.approx(1 / 2)
    assert set(rates[19:71]) == {1.0}
    assert rates[85] == pytest.approx(1 / 2)
    assert rates[99] == pytest.approx(1 / 30)


@pytest.fixture(scope="module")
def conversations():
    """A run that has learned nothing, and whole conversations with a few counts each."""
    run = run_with(
        UNTRAINED,
        style="conversation",
        game={"name": "prisoners_dilemma", "options": {"rounds": 3}},
    )
    traces = write_traces(
        run.course.stage,
        run.renderer,
        run_seed=0,
        episodes=60,
        style="conversation",
        thoughts=False,
    )
    return run, list(traces), [float(1 + n % 3) for n in range(len(traces))]


def plainly(run, traces, weights) -> torch.Tensor:
    """Nats per token of the expert's, each conversation read alone from its first token on."""
    total, tokens = torch.zeros((), dtype=torch.float64), 0.0
    for trace, weight in zip(traces, weights, strict=True):
        ids = trace.prompt_ids + trace.rest_ids
        logits = run.language.model(torch.tensor([ids])).logits[0, :-1].double()
        said = -torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        own = torch.tensor([False] * (len(trace.prompt_ids) - 1) + list(trace.written))
        total = total + weight * said[own].sum()
        tokens += weight * sum(trace.written)
    return total / tokens


@pytest.mark.parametrize("microbatch", [5, 256])
def test_what_is_imitated_is_the_experts_tokens_alone(conversations, microbatch):
    """Loss and gradient by a second way, in whatever pieces the batch is read."""
    run, traces, weights = conversations
    assert len(traces) > 5
    model = run.language.model
    expected = plainly(run, traces, weights)
    wanted = torch.autograd.grad(expected, tuple(model.parameters()))
    learner = run.learner
    learner.microbatch, learner.gradient_clip = microbatch, 1e9
    before = [weight.detach().clone() for weight in model.parameters()]
    learner.optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loss = learner.imitate(traces, weights, learning_rate=0.0)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    for weight, slope in zip(model.parameters(), wanted, strict=True):
        torch.testing.assert_close(weight.grad, slope, rtol=1e-3, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
