"""The language model: the embedded tiny one, or any causal model from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from sepo_trainer.seeding import seed
from sepo_trainer.tokenizer import embedded_tokenizer


class LanguageModel(NamedTuple):
    """Weights and the tokenizer that belongs to them."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def parameters(self) -> int:
        return sum(weight.numel() for weight in self.model.parameters())


def tiny(*, hidden: int, layers: int, heads: int, run_seed: int) -> LanguageModel:
    """A Qwen3 decoder with random weights and the project's own tokenizer; the embedded default.

    Args:
        hidden: width; a multiple of twice ``heads``. 128 with 2 layers has 0.5 M parameters.
        run_seed: draws the weights, through its own stream.
    """
    tokenizer = embedded_tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=hidden // heads,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        # Not the usual 0.02, which suits wide models: so narrow a one would start with logits near
        # 0 and take three times the steps to learn its first sharp distribution.
        initializer_range=hidden**-0.5,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed(run_seed, "weights"))
        model = Qwen3ForCausalLM(config)
    return LanguageModel(model.eval(), tokenizer)


def load(folder: str | Path) -> LanguageModel:
    """The model and tokenizer that ``folder`` holds in Hugging Face format.

    Raises:
        ValueError: the folder holds no loadable model, one that cannot read trees of tokens, or a
            tokenizer without a chat template or an end token.
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ValueError(
            f"{path} holds no config.json, so it is no Hugging Face model folder. "
            "Give a folder written by save_pretrained, or leave model.path empty for the "
            "tiny model."
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"the model in {path} cannot be loaded: {error}") from error
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    if kinds - {"full_attention"}:
        raise ValueError(
            f"the model in {path} has layers of {' and '.join(sorted(kinds))}, but batches are "
            "read as trees of tokens, which needs full attention in every layer "
            "(docs/decisions/0004-every-distinct-token-once.md). "
            "Choose another model, such as Qwen3 or Llama."
        )
    if tokenizer.chat_template is None:
        raise ValueError(
            f"the tokenizer in {path} has no chat template, so it cannot be asked anything. "
            "Use an instruction-tuned model, or set tokenizer.chat_template and save it."
        )
    if tokenizer.eos_token_id is None:
        raise ValueError(
            f"the tokenizer in {path} has no end token, so no reply would ever end. "
            "Set tokenizer.eos_token and save it."
        )
    probe = "I hold the King. [bet]"
    ids = tokenizer(probe, add_special_tokens=False)["input_ids"]
    if tokenizer.decode(ids) != probe:
        raise ValueError(
            f"the tokenizer in {path} does not give back the text that it reads, so no reply could "
            "be understood. Are its files (tokenizer.json, tokenizer_config.json) all there?"
        )
    model.eval()
    with torch.no_grad():
        read = torch.tensor([ids])
        hidden = model.base_model(input_ids=read).last_hidden_state
        plain = torch.allclose(model.get_output_embeddings()(hidden), model(read).logits, atol=1e-4)
    if not plain:
        raise ValueError(
            f"the model in {path} changes its logits after its last layer (some cap or scale "
            "them), and the trainer reads them straight from it. "
            "Choose another model, such as Qwen3 or Llama."
        )
    return LanguageModel(model, tokenizer)
