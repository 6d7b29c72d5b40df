"""The classes that people have, tiny and with random weights, write in vLLM as in transformers."""

from __future__ import annotations

import pytest
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from sepo_trainer.policy import adapter
from sepo_trainer.samplers.published import Sampling
from sepo_trainer.samplers.vllm import ColocatedEngine
from tests.sepo_trainer import real_models
from tests.vllm.conftest import farthest, requests, shake, small

WIDTH = 64
"""Two heads of 32, the smallest size that vLLM's attention takes on a CPU."""


def llama() -> PreTrainedModel:
    """Its head is not tied to its embedding."""
    of = real_models.llama_tokenizer()
    shape = real_models._shape(of, layers=2, width=WIDTH) | {"tie_word_embeddings": False}
    return real_models._drawn(LlamaForCausalLM, LlamaConfig(**shape))


def gemma() -> PreTrainedModel:
    """Sliding windows, shared keys and values, an embedding per layer, capped logits."""
    return real_models.gemma(width=WIDTH)


@pytest.mark.parametrize("adapted", [False, True], ids=["whole", "adapted"])
@pytest.mark.parametrize("make", [llama, gemma])
def test_what_it_writes_is_as_likely_before_and_after_an_update(make, adapted):
    model = make()
    if adapted:
        adapter.attach(model, "policy", rank=4, alpha=8, weights_seed=0)
        adapter.speak(model, "policy")
        adapter.learn(model, "policy")
    language = small()._replace(model=model)
    asked, sampling = requests(language, 16), Sampling(1.0, 12, (1,))
    engine = ColocatedEngine(context=1024, memory_share=0.4)
    for number in (1, 2):
        engine.take(model, number)
        replies = engine.write(asked, sampling)
        assert farthest(model, asked, replies, temperature=1.0) < 1e-4
        shake(model)
        assert farthest(model, asked, replies, temperature=1.0) > 0.05
