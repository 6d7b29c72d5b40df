"""A real vLLM engine on the CPU writes as transformers says, with the newest weights or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from sepo_trainer.learning.importance import DriftError
from sepo_trainer.records import Request
from sepo_trainer.samplers.published import PublishedPolicy, PublishedSampler
from tests.vllm.conftest import farthest, published, requests, shake, small

MOST = 12


@pytest.fixture
def policy(engine) -> PublishedPolicy:
    """A fresh model, published into the one engine."""
    made = published(engine, small())
    made.publish(0)
    return made


@pytest.fixture
def language(policy):
    return small()._replace(model=policy.model)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_its_log_probs_are_those_of_transformers(engine, temperature):
    language = small()
    policy = published(engine, language, temperature=temperature)
    policy.publish(0)
    asked = requests(language, 64)
    replies = policy.write(asked, MOST)
    assert farthest(language.model, asked, replies, temperature=temperature) < 1e-4
    assert farthest(language.model, asked, replies, temperature=1.7 - temperature) > 0.1


def test_equal_requests_get_equal_replies_whatever_is_beside_them(policy, language):
    asked = requests(language)
    first = [reply.output_ids for reply in policy.write(asked, MOST)]
    again = [reply.output_ids for reply in policy.write(asked[::-1], MOST)][::-1]
    alone = [policy.write([request], MOST)[0].output_ids for request in asked[:3]]
    assert first == again
    assert first[:3] == alone
    assert policy.write([], MOST) == []


def test_another_seed_gets_another_reply(policy, language):
    ids = requests(language)[0].prompt_ids
    replies = policy.write([Request(ids, seed) for seed in range(40)], MOST)
    assert len({reply.output_ids for reply in replies}) == 40


def test_tokens_are_as_frequent_as_the_model_says(policy, language):
    """Pearson's chi-squared over the first token; tokens expected under 5 times share a bin."""
    ids, count = requests(language)[0].prompt_ids, 4000
    with torch.no_grad():
        logits = language.model(torch.tensor([ids])).logits[0, -1].double()
    expected = count * torch.softmax(logits, dim=-1).numpy()
    replies = policy.write([Request(ids, seed) for seed in range(count)], 1)
    observed = np.bincount([reply.output_ids[0] for reply in replies], minlength=len(expected))
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    assert len(expected) > 20
    assert chisquare(observed, expected).pvalue > 0.001


def test_a_reply_ends_with_the_end_token_or_at_the_most_tokens(engine):
    """In the end tokens' places, the two that this model writes most."""
    language = small()
    policy = published(engine, language)
    policy.publish(0)
    babble = [token for reply in policy.write(requests(language), MOST) for token in reply[0]]
    often = sorted(set(babble), key=babble.count)
    policy.end_ids = (often[-1], often[-2])
    replies = policy.write(requests(language, 200), MOST)
    assert {reply.finished for reply in replies} == {True, False}
    for reply in replies:
        assert not {*policy.end_ids} & {*reply.output_ids[:-1]}
        assert reply.finished == (reply.output_ids[-1] in policy.end_ids)
        assert reply.finished or len(reply.output_ids) == MOST
        assert len(reply.logprobs) == len(reply.output_ids)


def test_after_an_update_it_writes_with_the_new_weights(policy, language):
    asked = requests(language)
    old = policy.write(asked, MOST)
    shake(policy.model)
    assert farthest(language.model, asked, old, temperature=1.0) > 0.1
    policy.publish(1)
    new = policy.write(asked, MOST)
    assert farthest(language.model, asked, new, temperature=1.0) < 1e-4
    assert [reply.output_ids for reply in new] != [reply.output_ids for reply in old]


def test_a_sampler_says_which_weights_it_writes_with(policy):
    first, second = (PublishedSampler(policy, max_new_tokens=most) for most in (3, 5))
    assert first.version == second.version == 0
    first.publish(7)
    second.publish(7)
    assert first.version == second.version == 7
    asked = requests(small(), 2)
    assert {len(reply.output_ids) for reply in first.generate(asked)} == {3}
    assert {len(reply.output_ids) for reply in second.generate(asked)} == {5}


def test_what_was_read_under_earlier_weights_is_noticed_where_it_is_not_forgotten(
    engine, policy, language, monkeypatch
):
    """The very mistake: new weights without a reset of the prefix cache."""
    shake(policy.model)
    monkeypatch.setattr(engine._llm, "reset_prefix_cache", lambda: True)
    with pytest.raises(DriftError, match="after publish 2, on fixed prompts"):
        policy.publish(1)
    assert policy.version is None
    monkeypatch.undo()
    policy.publish(1)
    asked = requests(language)
    assert farthest(language.model, asked, policy.write(asked, MOST), temperature=1.0) < 1e-4


def test_a_cache_that_will_not_be_reset_ends_the_run(engine, policy, monkeypatch):
    monkeypatch.setattr(engine._llm, "reset_prefix_cache", lambda: False)
    with pytest.raises(RuntimeError, match="kept what it had read"):
        policy.publish(1)


def test_weights_that_did_not_arrive_are_noticed(engine, policy, monkeypatch):
    shake(policy.model)
    monkeypatch.setattr(engine, "_reload", lambda model: None)
    with pytest.raises(DriftError, match="does not write with the weights that learn"):
        policy.publish(1)


def test_one_layer_that_did_not_arrive_is_noticed(engine, policy, monkeypatch):
    shake(policy.model)
    whole = engine._llm.collective_rpc

    def lossy(method, kwargs):
        weights = [
            pair for pair in kwargs["weights_iterator"] if "layers.1.mlp.down" not in pair[0]
        ]
        return whole(method, kwargs={"weights_iterator": weights})

    monkeypatch.setattr(engine._llm, "collective_rpc", lossy)
    with pytest.raises(DriftError):
        policy.publish(1)


def test_it_goes_on_after_a_rest_and_is_tried_out_first(policy, language, monkeypatch):
    """On a CPU an engine does not sleep, so this shows what is called, not that memory is freed."""
    tried = []
    monkeypatch.setattr(policy, "try_out", tried.append)
    policy.rest()
    policy.rest()
    asked = requests(language)
    assert farthest(language.model, asked, policy.write(asked, MOST), temperature=1.0) < 1e-4
    policy.write(asked, MOST)
    assert tried == ["after the engine has slept"]
