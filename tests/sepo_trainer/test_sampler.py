"""The sampler reads every prefix once; a naive one, row by row, must write the same."""

from random import Random

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from sepo_trainer.policy.model import tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers import memory
from sepo_trainer.samplers import transformers as transformers_sampler
from sepo_trainer.samplers.transformers import MOST_ROWS, TransformersSampler
from sepo_trainer.seeding import uniforms

LANGUAGE = tiny(hidden=32, layers=2, heads=2, run_seed=0)
END = LANGUAGE.tokenizer.eos_token_id
MOST = 10


def sampler(*, temperature=1.0, end_ids=(END,)) -> TransformersSampler:
    return TransformersSampler(
        LANGUAGE.model,
        end_ids=end_ids,
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
    babble = sampler(end_ids=(), temperature=cold).generate(requests(200))
    places: dict[int, set[int]] = {}
    for reply in babble:
        for place, token in enumerate(reply.output_ids):
            places.setdefault(token, set()).add(place)
    often = max(places, key=lambda token: len(places[token]))
    asked = requests(40)
    replies = sampler(end_ids=(often,), temperature=cold).generate(asked)
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
    drawn = TransformersSampler(language.model, end_ids=(), pad_id=0, max_new_tokens=3)
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


def conversations(replies: list[Reply], asked: list[Request]) -> list[Request]:
    """What is asked next: each prompt goes on from its reply, by more or less, or not at all."""
    news = [(), prompt("They bet."), prompt("They check. You win 1 point.")]
    return [
        Request(one.prompt_ids + reply.output_ids + news[number % 3] + (5,), one.seed + 1)
        if number % 5
        else Request(prompt("You are dealt the Jack."), one.seed + 1)
        for number, (one, reply) in enumerate(zip(asked, replies, strict=True))
    ]


@pytest.mark.parametrize("most_bytes", [2**30, 300_000])
def test_a_conversation_goes_on_as_if_all_of_it_were_read_again(most_bytes, monkeypatch):
    """Four turns with replies that end early or late, conversations that drop out, others that
    begin; several groves in one batch, of which all are remembered, or only some."""
    monkeypatch.setattr(transformers_sampler, "MOST_TREES", 6)
    monkeypatch.setattr(memory, "MOST_BYTES", most_bytes)
    often = 17  # ends a reply early now and then, since this model likes it
    bias = torch.zeros(LANGUAGE.model.config.vocab_size)
    bias[often] = 4.0
    drawn = sampler(end_ids=(often,))
    hook = LANGUAGE.model.lm_head.register_forward_hook(lambda *of: of[-1] + bias)
    try:
        asked, lengths, remembered = requests(24), set(), []
        for _ in range(4):
            found = drawn._memory.find([one.prompt_ids for one in asked])
            remembered.append(sum(length > 0 for _, length in found))
            replies = drawn.generate(asked)
            assert_same(replies, [naive(one, temperature=1.0, end_id=often) for one in asked])
            lengths |= {len(reply.output_ids) for reply in replies}
            asked = conversations(replies, asked)
        assert len(lengths) > 3
        first, *later = remembered
        going_on = len(asked) - len(asked[::5])
        assert first == 0
        assert min(later) > 0
        assert (later == [going_on] * 3) == (most_bytes == 2**30)
    finally:
        hook.remove()


def tokens_read(drawn: TransformersSampler, asked: list[Request]) -> int:
    """By the model, padding included, while it replies to ``asked``."""
    count = 0

    def add(_, arguments, named):
        nonlocal count
        count += named.get("input_ids", arguments[0] if arguments else None).numel()

    hook = drawn.model.base_model.register_forward_pre_hook(add, with_kwargs=True)
    try:
        drawn.generate(asked)
    finally:
        hook.remove()
    return count


def second_turn(drawn: TransformersSampler) -> list[Request]:
    asked = [Request(prompt("You are dealt the Queen. " * 8), seed) for seed in range(3)]
    replies = drawn.generate(asked)
    return [
        Request(one.prompt_ids + reply.output_ids + (5,), one.seed)
        for one, reply in zip(asked, replies, strict=True)
    ]


def test_of_a_conversation_only_the_news_is_read(monkeypatch):
    """What was drawn last and the news: two tokens each, besides the replies. Without room to
    remember, the first prompt once more and all of each reply."""
    drawn = sampler(end_ids=())
    asked = second_turn(drawn)
    replies = 3 * (MOST - 1)
    assert tokens_read(drawn, asked) == 3 * 2 + replies
    monkeypatch.setattr(memory, "MOST_BYTES", 0)
    forgetful = sampler(end_ids=())
    first = len(asked[0].prompt_ids) - MOST - 1
    assert tokens_read(forgetful, second_turn(forgetful)) == first + 3 * (MOST + 1) + replies


def test_nothing_is_remembered_of_earlier_weights():
    language = tiny(hidden=32, layers=2, heads=2, run_seed=1)
    drawn = TransformersSampler(language.model, end_ids=(), pad_id=0, max_new_tokens=3)
    asked = second_turn(drawn)
    with torch.no_grad():
        for weight in language.model.parameters():
            weight.mul_(1.5)
    drawn.publish(1)
    fresh = TransformersSampler(language.model, end_ids=(), pad_id=0, max_new_tokens=3)
    assert drawn.generate(asked) == fresh.generate(asked)


def test_the_tokenizers_own_end_token_ends_a_reply():
    assert Renderer(LANGUAGE.tokenizer).end_ids == (END,)
