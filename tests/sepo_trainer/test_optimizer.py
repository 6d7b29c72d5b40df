"""Steps: what Muon moves, how far, and that it goes on where it stopped."""

from copy import deepcopy

import pytest
import torch

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.learning.optimizer import MuonAndAdamW, adamw, optimizer
from sepo_trainer.policy.adapter import attach
from sepo_trainer.policy.model import tiny
from tests.sepo_trainer.real_models import gemma, llama

BETAS = (0.9, 0.999)
RATE = 0.01


def step(steps, gradients):
    """One of ``steps``, at the rate, by these gradients in the order of its weights."""
    weights = [weight for group in steps.param_groups for weight in group["params"]]
    for group in steps.param_groups:
        group["lr"] = RATE
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    steps.step()


def drawn(steps, number):
    """Gradients for all weights of ``steps``, other ones for each number."""
    rng = torch.Generator().manual_seed(number)
    weights = [weight for group in steps.param_groups for weight in group["params"]]
    return [torch.randn(weight.shape, generator=rng) for weight in weights]


@pytest.mark.parametrize("shape", [(24, 24), (16, 48), (48, 16)])
def test_a_rare_direction_moves_a_matrix_as_far_as_a_frequent_one(shape):
    """The gradient's singular vectors stay, and its values, of which one is a fiftieth of another,
    come out alike: about 0.2 * sqrt(longer side) times the rate (2502.16982, equation 4)."""
    rng, count = torch.Generator().manual_seed(0), min(shape)
    left, right = (torch.linalg.qr(torch.randn(side, count, generator=rng))[0] for side in shape)
    values = torch.logspace(0, -1.7, count)
    weight = torch.zeros(shape, requires_grad=True)
    step(MuonAndAdamW([weight], [], betas=BETAS), [left * values @ right.T])
    found = -(left.T @ weight.detach() @ right) / (0.2 * max(shape) ** 0.5 * RATE)
    assert values[-1] < values[0] / 50
    assert found.diagonal().min() > 0.5
    assert found.diagonal().max() < 1.3
    assert (found - found.diagonal().diag()).abs().max() < 0.1


def adapted():
    model = tiny(hidden=32, layers=1, heads=2, run_seed=0).model
    attach(model, "mine", rank=2, alpha=4, weights_seed=0)
    return model


MODELS = {
    "tied head": lambda: tiny(hidden=32, layers=2, heads=2, run_seed=0).model,
    "head of its own": llama,
    "tables beside the layers": gemma,
    "adapters": adapted,
}


@pytest.mark.parametrize("kind", MODELS)
def test_muon_moves_the_matrices_of_numbered_layers_and_adamw_the_rest(kind):
    model = MODELS[kind]()
    names = {id(weight): name for name, weight in model.named_parameters()}
    steps = optimizer("muon", model, list(model.parameters()), betas=BETAS)
    by_muon, by_adamw = ({names[id(w)] for w in group["params"]} for group in steps.param_groups)
    assert ["momentum" in group for group in steps.param_groups] == [True, False]
    assert by_muon | by_adamw == set(names.values())
    matrices = {name for name, weight in model.named_parameters() if weight.ndim == 2}
    assert by_muon == {name for name in matrices if ".layers." in name} != matrices


def test_an_adapter_alone_is_all_muons():
    model = adapted()
    learning = {name: w for name, w in model.named_parameters() if "lora_" in name}
    steps = optimizer("muon", model, learning.values(), betas=BETAS)
    (group,) = steps.param_groups
    assert group["params"] == list(learning.values()) != []
    before = {name: weight.detach().clone() for name, weight in learning.items()}
    step(steps, drawn(steps, 0))
    assert not any(torch.equal(before[name], weight) for name, weight in learning.items())


def test_nothing_for_muon_is_refused():
    model = MODELS["tied head"]()
    table = model.get_input_embeddings().weight
    with pytest.raises(ValueError, match="no layer of Qwen3ForCausalLM has a matrix"):
        optimizer("muon", model, [table], betas=BETAS)


def test_what_is_not_muons_moves_as_with_adamw_alone():
    mine, other = (torch.ones(3, requires_grad=True) for _ in range(2))
    matrix = torch.zeros((4, 4), requires_grad=True)
    step(MuonAndAdamW([matrix], [mine], betas=BETAS), [torch.eye(4), torch.tensor([1.0, -2.0, 0])])
    step(adamw([other], betas=BETAS), [torch.tensor([1.0, -2.0, 0])])
    assert torch.equal(mine, other)


def test_steps_are_as_long_where_gradients_are_small():
    """So the rate alone brings it to rest."""
    weights = [torch.zeros((8, 8), requires_grad=True) for _ in range(2)]
    for weight, size in zip(weights, (1.0, 1e-3), strict=True):
        step(MuonAndAdamW([weight], [], betas=BETAS), [size * torch.eye(8)])
    assert torch.allclose(*weights, rtol=0.02)


def test_what_was_saved_goes_on_as_if_it_had_not_stopped():
    model = MODELS["tied head"]()
    steps = optimizer("muon", model, list(model.parameters()), betas=BETAS)
    for number in range(2):
        step(steps, drawn(steps, number))
    later = deepcopy(model)
    again = optimizer("muon", later, list(later.parameters()), betas=BETAS)
    tensors = checkpoints.optimizer_tensors(steps)
    checkpoints.restore_optimizer(again, deepcopy(tensors))
    assert checkpoints.optimizer_tensors(again).keys() == tensors.keys()
    kept = {key.partition(".")[2] for key in tensors}
    assert kept == {"momentum_buffer", "exp_avg", "exp_avg_sq", "step"}
    for number in (2, 3):
        for each in (steps, again):
            step(each, drawn(each, number))
    for one, other in zip(model.parameters(), later.parameters(), strict=True):
        assert torch.equal(one, other)
