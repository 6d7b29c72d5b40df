"""The sampler reads every prefix once; a naive one, row by row, must write the same."""

from random import Random

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from sepo_trainer.model import tiny
from sepo_trainer.records import Reply, Request
from sepo_trainer.rendering import Renderer
from sepo_trainer.samplers import transformers as transformers_sampler
from sepo_trainer.samplers.transformers import MOST_ROWS, TransformersSampler
from sepo_trainer.seeding import uniforms

LANGUAGE = tiny(hidden=32, layers=2, heads=2, run_seed=0)
END = LANGUAGE.tokenizer.eos_token_id
MOST = 10


def sampler(*, temperature=1.0, end_id=END) -> TransformersSampler:
    return TransformersSampler(
        LANGUAGE.model,
        end_id=end_id,
        pad_id=LANGUAGE.tokenizer.pad_token_id,
        temperature=temperature,
        max_new_tokens=MOST,
    )


def prompt(text: str) -> tuple[int, ...]:
    return tuple(LANGUAGE.tokenizer(text)["input_ids"])


def requests(count: int = 16) -> list[Request]:
    """Prompts of several lengths, that begin alike and do not, some asked more than once."""
    rng = Random(0)
    texts = ["You are dealt the King.", "You are dealt the Queen. You act first.", "Bet", "b b b"]
    return [Request(prompt(rng.choice(texts)), rng.getrandbits(63)) for _ in range(count)]


@torch.no_grad()
def naive(request: Request, *, temperature: float, end_id: int = END) -> Reply:
    """Each token from a forward pass over everything before it, by the same uniforms."""
    ids: list[int] = []
    logprobs: list[float] = []
    for draw in uniforms(np.array([request.seed], dtype=np.uint64), MOST)[0]:
        read = torch.tensor([[*request.prompt_ids, *ids]])
        logp = torch.log_softmax(LANGUAGE.model(read).logits[0, -1] / temperature, dim=-1)
        cumulative = logp.double().exp().cumsum(0)
        ids.append(int((cumulative <= draw * cumulative[-1]).sum()))
        logprobs.append(float(logp[ids[-1]]))
        if ids[-1] == end_id:
            break
    return Reply(tuple(ids), tuple(logprobs), ids[-1] == end_id)


def assert_same(found: list[Reply], expected: list[Reply]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.output_ids == other.output_ids
        assert one.finished == other.finished
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_it_writes_what_a_naive_sampler_writes(temperature):
    asked = requests()
    expected = [naive(request, temperature=temperature) for request in asked]
    assert_same(sampler(temperature=temperature).generate(asked), expected)


def test_replies_end_where_the_end_token_falls_and_others_go_on():
    """In the end token's place, the one that an untrained model writes at the most places."""
    cold = 0.3
    babble = sampler(end_id=-1, temperature=cold).generate(requests(200))
    places: dict[int, set[int]] = {}
    for reply in babble:
        for place, token in enumerate(reply.output_ids):
            places.setdefault(token, set()).add(place)
    often = max(places, key=lambda token: len(places[token]))
    asked = requests(40)
    replies = sampler(end_id=often, temperature=cold).generate(asked)
    assert_same(replies, [naive(request, temperature=cold, end_id=often) for request in asked])
    assert {reply.finished for reply in replies} == {True, False}
    assert len({len(reply.output_ids) for reply in replies}) > 3


def test_a_reply_depends_on_its_request_alone():
    """Alone, in another order, beside others, asked twice: always the same."""
    asked = requests()
    together = sampler().generate(asked)
    assert_same([sampler().generate([request])[0] for request in asked], together)
    order = Random(1).sample(range(len(asked)), len(asked))
    assert_same(sampler().generate([asked[i] for i in order]), [together[i] for i in order])
    assert_same(sampler().generate(asked + asked[:5]), together + together[:5])
    assert sampler().generate([]) == []


def test_more_replies_to_one_prompt_than_one_tree_holds_are_the_same_replies():
    asked = [Request(prompt("b b b"), seed) for seed in range(3 * MOST_ROWS // 2)]
    alone = [reply for start in (0, 20) for reply in sampler().generate(asked[start : start + 20])]
    assert_same(sampler().generate(asked)[:40], alone)


def test_what_grows_in_several_groves_is_what_grows_in_one(monkeypatch):
    """The bound on memory changes no reply, nor the order of replies."""
    together = sampler().generate(requests(12))
    monkeypatch.setattr(transformers_sampler, "MOST_TREES", 2)
    assert_same(sampler().generate(requests(12)), together)


def test_another_seed_writes_something_else():
    text = prompt("You are dealt the King.")
    replies = sampler().generate([Request(text, seed) for seed in range(50)])
    assert len({reply.output_ids for reply in replies}) == 50


@torch.no_grad()
def test_without_temperature_it_takes_the_likeliest_token():
    for request, reply in zip(
        requests(6), sampler(temperature=0).generate(requests(6)), strict=True
    ):
        for number, token in enumerate(reply.output_ids):
            read = torch.tensor([request.prompt_ids + reply.output_ids[:number]])
            assert token == int(LANGUAGE.model(read).logits[0, -1].argmax())


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_tokens_are_as_frequent_as_the_model_says(temperature):
    """Pearson's chi-squared over the first token; tokens expected under 5 times share a bin."""
    text, count = prompt("You are dealt the King."), 20_000
    logits = LANGUAGE.model(torch.tensor([text])).logits[0, -1].double()
    expected = count * torch.softmax(logits / temperature, dim=-1).numpy()
    one_token = sampler(temperature=temperature)
    one_token.max_new_tokens = 1
    replies = one_token.generate([Request(text, seed) for seed in range(count)])
    observed = np.bincount([reply.output_ids[0] for reply in replies], minlength=len(expected))
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    keep = expected > 0
    assert keep.sum() > 20
    assert chisquare(observed[keep], expected[keep]).pvalue > 0.001


def test_publishing_takes_the_learners_weights():
    """It samples from the very model that learns, so a change of weights shows at once."""
    language = tiny(hidden=32, layers=1, heads=2, run_seed=1)
    drawn = TransformersSampler(language.model, end_id=-1, pad_id=0, max_new_tokens=3)
    request = Request(prompt("You are dealt the King."), 0)
    favourite = 17
    assert drawn.generate([request])[0].output_ids != (favourite,) * 3
    with torch.no_grad():
        embedding = language.model.get_input_embeddings().weight
        embedding[favourite] = 0
        language.model.model.norm.weight.zero_()  # every other logit is 0 as well
        language.model.lm_head = torch.nn.Linear(embedding.shape[1], embedding.shape[0])
        language.model.lm_head.weight.zero_()
        language.model.lm_head.bias.zero_()
        language.model.lm_head.bias[favourite] = 50.0
    drawn.publish(4)
    assert drawn.version == 4
    assert drawn.generate([request])[0].output_ids == (favourite,) * 3


def test_the_tokenizers_own_end_token_ends_a_reply():
    assert Renderer(LANGUAGE.tokenizer).end_id == END
