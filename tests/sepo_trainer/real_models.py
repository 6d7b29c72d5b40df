"""Tiny models with random weights of the classes that people have, and chat templates like theirs.

The templates are written here, after what the models' documentation says of their chats: which
tokens open and close a turn, what is said about thinking, and what is dropped of earlier turns.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import (
    Gemma4Config,
    Gemma4ForCausalLM,
    Gemma4ForConditionalGeneration,
    Gemma4TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3_5Config,
    Qwen3_5ForCausalLM,
    Qwen3_5ForConditionalGeneration,
    Qwen3_5TextConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from sepo_trainer.policy.tokenizer import KEPT

WINDOW = 8
"""Tokens that a sliding layer of the tiny Gemma 4 sees: fewer than any prompt has."""

GEMMA_TEMPLATE = (
    "{{ '<bos>' }}"
    "{% if enable_thinking is defined and enable_thinking %}"
    "{{ '<|turn>system\n<|think|><turn|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<|turn>' + role + '\n' }}"
    "{% if role == 'model' %}{{ message['content'].split('<channel|>')[-1] | trim }}"
    "{% else %}{{ message['content'] | trim }}{% endif %}"
    "{{ '<turn|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\n' }}{% endif %}"
)
"""Opens turns with a role, closes them with a token that is not the end of the text, and drops what
was thought in earlier ones."""
GEMMA_TOKENS = ("<bos>", "<eos>", "<|turn>", "<turn|>", "<|think|>", "<|channel>", "<channel|>")

QWEN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% if loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ message['content'].split('</think>')[-1].lstrip('\n') }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% else %}{{ '<think>\n' }}{% endif %}"
    "{% endif %}"
)
"""Thinks unless it is told not to, which it writes as an empty thought; thoughts of earlier turns,
empty or not, are dropped."""
QWEN_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")

LLAMA_TEMPLATE = (
    "{{ '<|begin_of_text|>' }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{ message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
"""Knows nothing of thinking, and keeps what was said."""
LLAMA_TOKENS = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>"),
)


def tokenizer(
    template: str, special: tuple[str, ...], *, end: str, pad: str | None
) -> PreTrainedTokenizerFast:
    """The project's own, with the special tokens of another."""
    made = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(KEPT)),
        eos_token=end,
        pad_token=pad,
        chat_template=template,
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
    )
    made.add_special_tokens({"additional_special_tokens": list(special)})
    return made


def gemma_tokenizer() -> PreTrainedTokenizerFast:
    """Its end of text is not the token that ends a turn."""
    return tokenizer(GEMMA_TEMPLATE, GEMMA_TOKENS, end="<eos>", pad="<bos>")


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    return tokenizer(QWEN_TEMPLATE, QWEN_TOKENS, end="<|im_end|>", pad="<|endoftext|>")


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """It has no token for padding."""
    return tokenizer(LLAMA_TEMPLATE, LLAMA_TOKENS, end="<|eot_id|>", pad=None)


def _shape(of: PreTrainedTokenizerFast, *, layers: int, width: int) -> dict[str, object]:
    return {
        "vocab_size": len(of),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": width // 2,
        "max_position_embeddings": 4096,
        "initializer_range": width**-0.5,
        "eos_token_id": of.eos_token_id,
        "pad_token_id": of.pad_token_id,
    }


def gemma_text_config(*, width: int = 32) -> Gemma4TextConfig:
    """Everything that sets the small Gemma 4 models apart: windows, layers that share keys and
    values, an embedding for each layer, capped logits, tied embeddings."""
    of = gemma_tokenizer()
    shape = _shape(of, layers=4, width=width) | {
        "global_head_dim": width,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "sliding_window": WINDOW,
        "num_kv_shared_layers": 2,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": len(of),
        "final_logit_softcapping": 30.0,
        "use_double_wide_mlp": True,
        "tie_word_embeddings": True,
        "bos_token_id": of.convert_tokens_to_ids("<bos>"),
        "eos_token_id": of.convert_tokens_to_ids(["<eos>", "<turn|>"]),
    }
    return Gemma4TextConfig(**shape)


def qwen_text_config(*, width: int = 32) -> Qwen3_5TextConfig:
    """Gated delta nets in three layers of four."""
    shape = _shape(qwen_tokenizer(), layers=4, width=width) | {
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "tie_word_embeddings": True,
    }
    return Qwen3_5TextConfig(**shape)


def _drawn(kind: type[PreTrainedModel], config: object) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(config).eval()


def gemma(*, width: int = 32) -> PreTrainedModel:
    return _drawn(Gemma4ForCausalLM, gemma_text_config(width=width))


def qwen35(*, width: int = 32) -> PreTrainedModel:
    return _drawn(Qwen3_5ForCausalLM, qwen_text_config(width=width))


def qwen3() -> PreTrainedModel:
    shape = _shape(qwen_tokenizer(), layers=2, width=32) | {"tie_word_embeddings": True}
    return _drawn(Qwen3ForCausalLM, Qwen3Config(**shape))


def llama() -> PreTrainedModel:
    """Its embeddings are not tied."""
    shape = _shape(llama_tokenizer(), layers=2, width=32) | {"tie_word_embeddings": False}
    return _drawn(LlamaForCausalLM, LlamaConfig(**shape))


def gemma_with_eyes() -> PreTrainedModel:
    """The class that Gemma 4 is published in: a language model among towers (here without any)."""
    text = gemma_text_config().to_dict()
    config = Gemma4Config(text_config=text, vision_config=None, audio_config=None)
    return _drawn(Gemma4ForConditionalGeneration, config)


def qwen35_with_eyes() -> PreTrainedModel:
    """The class that Qwen 3.5 is published in."""
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2}
    config = Qwen3_5Config(
        text_config=qwen_text_config().to_dict(),
        vision_config=vision | {"out_hidden_size": 32},
        tie_word_embeddings=True,
    )
    return _drawn(Qwen3_5ForConditionalGeneration, config)


FAMILIES = {
    "gemma4": (gemma, gemma_tokenizer),
    "qwen3.5": (qwen35, qwen_tokenizer),
    "qwen3": (qwen3, qwen_tokenizer),
    "llama": (llama, llama_tokenizer),
}


def save(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path, **options: object
) -> Path:
    """As they are published: a folder."""
    model.save_pretrained(folder, **options)
    tokenizer.save_pretrained(folder)
    return folder
