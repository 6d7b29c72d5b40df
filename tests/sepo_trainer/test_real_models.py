"""Models of the classes that people have, read and sampled; the model's own forward pass, one row
at a time and without a cache, is the second implementation."""

from random import Random

import numpy as np
import pytest
import torch

from sepo_trainer.learning.measure import measure
from sepo_trainer.policy.forward import forget_in_between, hidden_states, logits, reads_trees
from sepo_trainer.policy.model import load
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers import plain
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.seeding import uniforms
from tests.sepo_trainer import real_models
from tests.sepo_trainer.real_models import FAMILIES, WINDOW

MODELS = {name: make() for name, (make, _) in FAMILIES.items()}
TEMPERATURE, MOST = 0.8, 12
SAME = 1e-4
"""Nats: the parity asked of any two ways of reading. A forgotten window or state would be a hundred
times that."""

family = pytest.mark.parametrize("name", MODELS)


def tokens(count: int, seed: int) -> tuple[int, ...]:
    rng = Random(seed)
    return tuple(rng.randrange(8, 1500) for _ in range(count))


def rows() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Of one prompt and of others, short and long, some of them the same; most are longer than the
    window, and one begins within it."""
    long, short = tokens(3 * WINDOW, 0), tokens(3, 1)
    one, other = tokens(2 * WINDOW, 2), tokens(5, 3)
    return [(long, one), (long, one[:4] + other), (short, one), (short, other), (long, one)]


def own_logits(model, prompt, rest) -> torch.Tensor:
    """``(len(rest), vocabulary)``, at ``TEMPERATURE``."""
    read = torch.tensor([prompt + rest])
    return model(read, use_cache=False).logits[0, len(prompt) - 1 : -1] / TEMPERATURE


def read_at(model, pairs, **named) -> torch.Tensor:
    """Log-probs of each row's tokens."""
    seen = hidden_states(model, pairs, pad_id=0, **named)
    longest = max(len(rest) for _, rest in pairs)
    ids = torch.tensor([(*rest, *(0,) * (longest - len(rest))) for _, rest in pairs])
    return measure(seen, ids[..., None], temperature=TEMPERATURE).logprobs[..., 0]


def test_full_attention_is_read_as_trees_and_everything_else_as_plain_rows():
    found = {name: reads_trees(model) for name, model in MODELS.items()}
    assert found == {"gemma4": False, "qwen3.5": False, "qwen3": True, "llama": True}


def test_flash_attention_takes_no_masks_and_so_no_trees(monkeypatch):
    monkeypatch.setattr(MODELS["llama"].config, "_attn_implementation", "flash_attention_2")
    assert not reads_trees(MODELS["llama"])


@torch.no_grad()
def test_eager_attention_is_read_as_plain_rows_and_says_the_same(tmp_path):
    """It adds a mask to its scores, so a tree's, which says yes or no, would hardly mask."""
    folder = real_models.save(FAMILIES["qwen3"][0](), FAMILIES["qwen3"][1](), tmp_path)
    model = load(folder, attention="eager").model
    assert model.config._attn_implementation == "eager"
    assert not reads_trees(model)
    as_rows, as_trees = read_at(model, rows()), read_at(MODELS["qwen3"], rows())
    for mine, expected, (_, rest) in zip(as_rows, as_trees, rows(), strict=True):
        length = len(rest)
        torch.testing.assert_close(mine[:length], expected[:length], rtol=0, atol=SAME)


@family
@torch.no_grad()
def test_every_log_prob_is_the_models_own(name):
    model = MODELS[name]
    found = read_at(model, rows())
    for (prompt, rest), mine in zip(rows(), found, strict=True):
        own = torch.log_softmax(own_logits(model, prompt, rest), dim=-1)
        own = own.gather(1, torch.tensor(rest)[:, None])[:, 0]
        torch.testing.assert_close(mine[: len(rest)], own, rtol=0, atol=SAME)


@family
@torch.no_grad()
def test_few_tokens_at_once_and_only_those_wanted_are_read_the_same(name, monkeypatch):
    model, whole = MODELS[name], read_at(MODELS[name], rows())
    monkeypatch.setattr("sepo_trainer.policy.forward.MOST_TOKENS", 4 * WINDOW)
    wanted = [[place % 3 == 0 for place in range(len(rest))] for _, rest in rows()]
    found = read_at(model, rows(), wanted=wanted)
    for mine, expected, where in zip(found, whole, wanted, strict=True):
        mask = torch.tensor(where + [False] * (len(mine) - len(where)))
        torch.testing.assert_close(mine[mask], expected[mask], rtol=0, atol=SAME)


def gradient(model, loss) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@family
def test_the_gradient_is_the_models_own_with_layers_worked_out_twice_or_once(name):
    """Sums of log-probs, each row weighed differently."""
    model = FAMILIES[name][0]()

    def ours() -> torch.Tensor:
        found, lengths = read_at(model, rows()), [len(rest) for _, rest in rows()]
        return sum((n + 1) * found[n, :length].sum() for n, length in enumerate(lengths))

    own = sum(
        -(n + 1)
        * torch.nn.functional.cross_entropy(
            own_logits(model, prompt, rest), torch.tensor(rest), reduction="sum"
        )
        for n, (prompt, rest) in enumerate(rows())
    )
    wanted = gradient(model, own)
    once = gradient(model, ours())
    assert (once - wanted).norm() < 1e-5 * wanted.norm()

    calls = []
    layer = next(part for part in model.modules() if hasattr(part, "mlp"))
    layer.mlp.register_forward_hook(lambda *_: calls.append(1))
    ours()
    alone = len(calls)
    forget_in_between(model)
    calls.clear()
    twice = gradient(model, ours())
    assert len(calls) >= 2 * alone - 1, "trees read their shared beginning apart, but for this"
    assert (twice - wanted).norm() < 1e-5 * wanted.norm()
    assert not any(part.training for part in model.modules())


def requests(count: int = 14) -> list[Request]:
    """Prompts within the window and far beyond it, some asked more than once."""
    rng = Random(0)
    prompts = [tokens(length, length) for length in (2, WINDOW, 3 * WINDOW, 5 * WINDOW)]
    return [Request(rng.choice(prompts), rng.getrandbits(63)) for _ in range(count)]


@torch.no_grad()
def naive(model, request: Request, ends: tuple[int, ...]) -> Reply:
    """Each token from a forward pass over everything before it, by the same uniforms."""
    ids: list[int] = []
    logprobs: list[float] = []
    for draw in uniforms(np.array([request.seed], dtype=np.uint64), MOST)[0]:
        read = torch.tensor([[*request.prompt_ids, *ids]])
        logp = torch.log_softmax(model(read, use_cache=False).logits[0, -1] / TEMPERATURE, dim=-1)
        cumulative = logp.double().exp().cumsum(0)
        ids.append(int((cumulative <= draw * cumulative[-1]).sum()))
        logprobs.append(float(logp[ids[-1]]))
        if ids[-1] in ends:
            break
    return Reply(tuple(ids), tuple(logprobs), ids[-1] in ends)


def sampler(model, ends=(), temperature=TEMPERATURE) -> TransformersSampler:
    return TransformersSampler(
        model, end_ids=ends, pad_id=0, temperature=temperature, max_new_tokens=MOST
    )


def assert_same(found: list[Reply], expected: list[Reply]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.output_ids == other.output_ids
        assert one.finished == other.finished
        assert one.logprobs == pytest.approx(other.logprobs, abs=SAME)


@family
def test_the_sampler_writes_what_a_naive_one_writes_until_any_of_the_end_tokens(name):
    """In their place, the tokens that fall soonest in replies that never end."""
    model, asked = MODELS[name], requests()
    babble = sampler(model).generate(asked)
    assert_same(babble, [naive(model, request, ()) for request in asked])
    ends = (babble[0].output_ids[2], babble[1].output_ids[5])
    replies = sampler(model, ends).generate(asked)
    assert_same(replies, [naive(model, request, ends) for request in asked])
    assert {reply.finished for reply in replies} == {True, False}
    assert {reply.output_ids[-1] for reply in replies if reply.finished} == set(ends)


@family
def test_a_reply_depends_on_its_request_alone(name, monkeypatch):
    model, asked = MODELS[name], requests(8)
    together = sampler(model).generate(asked)
    assert_same(sampler(model).generate(asked[::-1])[::-1], together)
    assert_same(sampler(model).generate([*asked, *asked[:3]]), [*together, *together[:3]])
    monkeypatch.setattr(plain, "MOST_TOKENS", 6 * WINDOW)
    monkeypatch.setattr(plain, "DRAWN_AT_ONCE", 1)
    assert_same(sampler(model).generate(asked), together)
    assert sampler(model).generate([]) == []


@family
@torch.no_grad()
def test_without_temperature_it_takes_the_likeliest_token(name):
    model, asked = MODELS[name], requests(3)
    for request, reply in zip(asked, sampler(model, temperature=0).generate(asked), strict=True):
        read = torch.tensor([request.prompt_ids + reply.output_ids])
        best = model(read, use_cache=False).logits[0, len(request.prompt_ids) - 1 : -1].argmax(-1)
        assert reply.output_ids == tuple(best.tolist())


@torch.no_grad()
def test_logits_are_capped_as_the_configuration_says():
    """Gemma's, by hand and by its own code; with a cap that is felt, or this would not see it."""
    model, ids = real_models.gemma(), torch.tensor([tokens(9, 0)])
    model.config.final_logit_softcapping = 1.5
    hidden = model.base_model(input_ids=ids).last_hidden_state
    bare = model.get_output_embeddings()(hidden)
    assert bare.abs().max() > 2
    torch.testing.assert_close(logits(model, hidden), 1.5 * torch.tanh(bare / 1.5))
    torch.testing.assert_close(logits(model, hidden), model(ids).logits)


def test_the_window_is_felt_by_the_model_that_these_tests_read():
    """Else a reading that forgot about windows would pass: what stands far outside all of them
    reaches the last token through the full layers alone."""
    ids = torch.tensor([tokens(4 * WINDOW, 0)])
    model = real_models.gemma()
    before = model(ids, use_cache=False).logits[0, -1]
    for layer in model.base_model.layers:
        layer.self_attn.sliding_window = None
    model.config.sliding_window = 10**6
    after = model(ids, use_cache=False).logits[0, -1]
    assert (after - before).abs().max() > 0.01
