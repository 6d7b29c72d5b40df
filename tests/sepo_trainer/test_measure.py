"""What is asked of next-token distributions, in chunks of any size; torch says what is right."""

import pytest
import torch
from torch.distributions import Categorical, kl_divergence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sepo_trainer.learning import measure as measuring
from sepo_trainer.learning.measure import Measured, measure
from sepo_trainer.policy.forward import HiddenStates, logits
from sepo_trainer.policy.model import tiny

NODES, WIDTH, ASKED, TEMPERATURE = 13, 32, 3, 0.7
POLICY, REFERENCE = (tiny(hidden=WIDTH, layers=1, heads=2, run_seed=seed).model for seed in (0, 1))
VOCABULARY = POLICY.config.vocab_size
ROW = 4 * VOCABULARY
"""Bytes of one distribution."""


def draw(model, seed: int) -> HiddenStates:
    """Some states at 13 nodes, which 5 rows of 7 places share."""
    rng = torch.Generator().manual_seed(seed)
    states = torch.randn(NODES, WIDTH, generator=rng).requires_grad_()
    where = torch.randint(NODES, (5, 7), generator=torch.Generator().manual_seed(2))
    return HiddenStates(states, where, model)


def asked() -> torch.Tensor:
    return torch.randint(VOCABULARY, (5, 7, ASKED), generator=torch.Generator().manual_seed(3))


def everything(seen: HiddenStates) -> Measured:
    return measure(
        seen, asked(), temperature=TEMPERATURE, spread=True, reference=draw(REFERENCE, 1)
    )


def total(found: Measured) -> torch.Tensor:
    """Weighed differently place by place, so that none can stand in for another."""
    weight = torch.arange(1.0, 36.0).reshape(5, 7)
    return (weight * (found.logprobs.sum(-1) + 2 * found.entropy + 3 * found.kl)).sum()


def test_it_is_what_torch_says_of_each_distribution():
    seen, held = draw(POLICY, 0), draw(REFERENCE, 1)
    found = everything(seen)
    policy, reference = (
        Categorical(logits=(logits(of.model, of.states) / TEMPERATURE)[of.where])
        for of in (seen, held)
    )
    close = {"rtol": 0, "atol": 1e-5}
    torch.testing.assert_close(found.entropy, policy.entropy(), **close)
    torch.testing.assert_close(found.kl, kl_divergence(policy, reference), **close)
    for number in range(ASKED):
        tokens = asked()[..., number]
        mine, theirs = found.logprobs[..., number], found.reference_logprobs[..., number]
        torch.testing.assert_close(mine, policy.log_prob(tokens), **close)
        torch.testing.assert_close(theirs, reference.log_prob(tokens), **close)
    assert not found.reference_logprobs.requires_grad


def test_what_is_not_wanted_is_not_worked_out():
    found = measure(draw(POLICY, 0), asked())
    assert found.entropy is found.kl is found.reference_logprobs is None


@pytest.mark.parametrize("nodes_at_once", [1, 4, 12, 13])
def test_chunks_of_any_size_give_the_same_numbers_and_the_same_gradient(nodes_at_once, monkeypatch):
    whole, pieces = draw(POLICY, 0), draw(POLICY, 0)
    expected = everything(whole)
    head = POLICY.get_output_embeddings().weight
    wanted = torch.autograd.grad(total(expected), [whole.states, head])
    monkeypatch.setattr(measuring, "CHUNK_BYTES", nodes_at_once * ROW)
    found = everything(pieces)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
    gradients = torch.autograd.grad(total(found), [pieces.states, head])
    for one, other in zip(gradients, wanted, strict=True):
        assert (one - other).norm() < 1e-6 * other.norm()


class Largest(TorchDispatchMode):
    """The size in numbers of the largest tensor that any operation gave, but for the weights'."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        given = operation(*arguments, **(named or {}))
        for tensor in tree_leaves(given):
            if isinstance(tensor, torch.Tensor) and sorted(tensor.shape) != [WIDTH, VOCABULARY]:
                self.numbers = max(self.numbers, tensor.numel())
        return given


def test_no_more_distributions_are_held_than_one_chunk_has(monkeypatch):
    """Neither on the way there nor on the way back; in one chunk it is all of them."""
    largest = {}
    for chunk in (1, 13):
        monkeypatch.setattr(measuring, "CHUNK_BYTES", chunk * ROW)
        seen = draw(POLICY, 0)
        with Largest() as of:
            total(everything(seen)).backward(inputs=[seen.states])
        largest[chunk] = of.numbers
    assert largest[13] >= 13 * VOCABULARY
    assert largest[1] < 13 * VOCABULARY
