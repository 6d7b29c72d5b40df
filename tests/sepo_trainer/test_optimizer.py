"""Steps: what Muon moves, how far, and that it goes on where it stopped."""

from copy import deepcopy

import pytest
import torch

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.learning.optimizer import MuonAndAdamW, adamw, optimizer
from sepo_trainer.policy.model import tiny

BETAS = (0.9, 0.999)
RATE = 0.01


def stepped(weights, gradient, *, times=1):
    """How far Muon moves a matrix of zeros by a gradient that stays."""
    weight = torch.zeros(weights, requires_grad=True)
    muon = MuonAndAdamW([weight], [], betas=BETAS)
    for _ in range(times):
        muon.param_groups[0]["lr"] = RATE
        weight.grad = gradient.clone()
        muon.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(24, 24), (16, 48), (48, 16)])
def test_a_rare_direction_moves_a_matrix_as_far_as_a_frequent_one(shape):
    """The gradient's singular vectors stay, and its values, of which one is a fiftieth of another,
    come out alike: about 0.2 * sqrt(longer side) times the rate (2502.16982, equation 4)."""
    torch.manual_seed(0)
    rows, columns = shape
    count = min(shape)
    left, _ = torch.linalg.qr(torch.randn(rows, count))
    right, _ = torch.linalg.qr(torch.randn(columns, count))
    values = torch.logspace(0, -1.7, count)
    moved = stepped(shape, left * values @ right.T)
    found = -(left.T @ moved @ right) / (0.2 * max(shape) ** 0.5 * RATE)
    assert values[-1] < values[0] / 50
    assert found.diagonal().min() > 0.5
    assert found.diagonal().max() < 1.3
    assert (found - found.diagonal().diag()).abs().max() < 0.1


def model():
    return tiny(hidden=32, layers=2, heads=2, run_seed=0).model


def moved(kind):
    """The weights' names that move otherwise than with AdamW alone."""
    ways = []
    for each in ("adamw", kind):
        policy = model()
        steps = optimizer(each, policy, list(policy.parameters()), betas=BETAS)
        for group in steps.param_groups:
            group["lr"] = RATE
        torch.manual_seed(1)
        for weight in policy.parameters():
            weight.grad = torch.randn_like(weight)
        steps.step()
        ways.append(dict(policy.named_parameters()))
    return {name for name in ways[0] if not torch.equal(ways[0][name], ways[1][name])}


def test_muon_moves_the_layers_matrices_and_adamw_the_rest():
    names = [name for name, weight in model().named_parameters() if weight.ndim == 2]
    assert moved("muon") == {name for name in names if "layers" in name} != set()
    assert moved("adamw") == set()


def test_what_was_saved_goes_on_as_if_it_had_not_stopped():
    policy = model()
    steps = optimizer("muon", policy, list(policy.parameters()), betas=BETAS)

    def step(policy, steps, number):
        torch.manual_seed(number)
        for group in steps.param_groups:
            group["lr"] = RATE
        for weight in policy.parameters():
            weight.grad = torch.randn_like(weight)
        steps.step()

    for number in range(2):
        step(policy, steps, number)
    later = deepcopy(policy)
    again = optimizer("muon", later, list(later.parameters()), betas=BETAS)
    tensors = checkpoints.optimizer_tensors(steps)
    checkpoints.restore_optimizer(again, deepcopy(tensors))
    restored = checkpoints.optimizer_tensors(again)
    assert restored.keys() == tensors.keys() != set()
    assert {key.partition(".")[2] for key in tensors} == {
        *("momentum_buffer", "exp_avg", "exp_avg_sq", "step")
    }
    for each in ((policy, steps), (later, again)):
        step(*each, 2)
        step(*each, 3)
    for one, other in zip(policy.parameters(), later.parameters(), strict=True):
        assert torch.equal(one, other)


def test_an_optimiser_may_be_all_muon_or_all_adamw():
    """An adapter has matrices alone, and what is no matrix moves as with AdamW."""
    weight = torch.ones(3, requires_grad=True)
    other = torch.ones(3, requires_grad=True)
    for each, steps in (
        (weight, MuonAndAdamW([], [weight], betas=BETAS)),
        (other, adamw([other], betas=BETAS)),
    ):
        each.grad = torch.tensor([1.0, -2.0, 0.0])
        steps.step()
    assert torch.equal(weight, other)
    assert (stepped((4, 4), torch.eye(4), times=2) != 0).any()
