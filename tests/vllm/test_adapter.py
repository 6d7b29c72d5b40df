"""A real vLLM engine on the CPU speaks with the adapters, each version under its own name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sepo_trainer.learning.importance import DriftError
from sepo_trainer.policy import adapter
from sepo_trainer.policy.model import LanguageModel
from sepo_trainer.samplers.published import PublishedPolicy
from sepo_trainer.samplers.vllm import ColocatedEngine
from tests.vllm.conftest import farthest, published, requests, shake, small

MOST = 12


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    """A model with a frozen adapter that has learned, and one on top that is about to."""
    made = small(run_seed=3)
    for number, name in enumerate(("warm", "policy")):
        adapter.attach(made.model, name, rank=4 + 2 * number, alpha=16, weights_seed=number)
    adapter.speak(made.model, "warm", "policy")
    adapter.learn(made.model, "warm")
    shake(made.model)
    adapter.learn(made.model, "policy")
    return made


@pytest.fixture(scope="module")
def engine() -> ColocatedEngine:
    return ColocatedEngine(context=1024, memory_share=0.4)


@pytest.fixture(scope="module")
def policy(engine, language) -> PublishedPolicy:
    made = published(engine, language)
    made.publish(0)
    return made


@pytest.fixture
def publish(policy):
    """Publish under the next version."""
    return lambda: policy.publish((policy.version or 0) + 1)


def test_both_adapters_speak_together(policy, language):
    asked = requests(language)
    replies = policy.write(asked, MOST)
    assert farthest(language.model, asked, replies, temperature=1.0) < 1e-4
    with adapter.speaking(language.model):
        assert farthest(language.model, asked, replies, temperature=1.0) > 0.1


def test_each_version_has_a_name_and_a_number_of_its_own_and_the_old_one_goes(
    policy, engine, language, publish
):
    asked = requests(language)
    before = engine._adapter
    shake(language.model, seed=5)
    publish()
    assert engine._adapter.lora_name != before.lora_name
    assert engine._adapter.lora_int_id == before.lora_int_id + 1
    assert engine._llm.llm_engine.list_loras() == {engine._adapter.lora_int_id}
    assert not engine._adapter.load_inplace
    assert not Path(before.lora_path).exists()
    assert farthest(language.model, asked, policy.write(asked, MOST), temperature=1.0) < 1e-4


def test_an_adapter_that_is_ignored_is_noticed(policy, engine, language, publish, monkeypatch):
    shake(language.model, seed=6)
    monkeypatch.setattr(engine, "_exchange_adapter", lambda number: None)
    with pytest.raises(DriftError):
        publish()
    monkeypatch.undo()
    publish()


def test_an_adapter_that_forces_a_token_forces_it_until_it_is_taken_back(policy, language, publish):
    """It is taught to begin every reply with one token, which it hardly ever was before."""
    asked = requests(language, 8)
    before = policy.write(asked, 4)
    weights = adapter.tensors(language.model, "policy")
    kept = {name: weight.detach().clone() for name, weight in weights.items()}
    favourite = torch.tensor([17])
    optimizer = torch.optim.Adam(weights.values(), lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        for ids in {request.prompt_ids for request in asked}:
            logits = language.model(torch.tensor([ids])).logits[:, -1]
            torch.nn.functional.cross_entropy(logits, favourite).backward()
        optimizer.step()
    publish()
    assert [reply.output_ids[0] for reply in before].count(17) == 0
    assert [reply.output_ids[0] for reply in policy.write(asked, 4)] == [17] * 8
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(kept[name])
    publish()
    assert policy.write(asked, 4) == before
