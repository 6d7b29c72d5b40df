"""The language model: the embedded tiny one, or any causal model from a folder.

A model from a folder is tried out before it is used: what `sepo_trainer.policy.forward` makes of a
few tokens must be what the model makes of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from sepo_trainer.policy.forward import forget_in_between, hidden_states, logits, reads_trees
from sepo_trainer.policy.tokenizer import embedded_tokenizer
from sepo_trainer.processes import count, own_cuda_device
from sepo_trainer.seeding import seed

WITHIN_A_LARGER_MODEL = {r"^model\.language_model\.": "model."}
"""What weights of a language model are called where it is part of a model that also sees or hears,
and what they are called in one of its own."""
PROBE = "I hold the King. [bet]"
MOST_APART = 1e-3
"""How far the logits that the trainer reads may be from the model's own, in the mean and as a share
of their standard deviation."""
MOST_APART_HALF = 5e-2
"""The same in half precision, where two ways of adding up differ by some hundredths."""


class LanguageModel(NamedTuple):
    """Weights and the tokenizer that belongs to them."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    end_ids: tuple[int, ...] = ()
    """Tokens that the model ends a text with, as its generation settings have them."""

    @property
    def parameters(self) -> int:
        return sum(weight.numel() for weight in self.model.parameters())


def tiny(
    *, hidden: int, layers: int, heads: int, run_seed: int, device: str = "cpu"
) -> LanguageModel:
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
    return LanguageModel(model.eval().to(_device(device)), tokenizer)


def load(
    folder: str | Path,
    *,
    dtype: str = "auto",
    device: str = "auto",
    attention: str = "auto",
    gradient_checkpointing: bool = False,
    trust_remote_code: bool = False,
) -> LanguageModel:
    """The model and tokenizer that ``folder`` holds in Hugging Face format. Of a model that also
    sees or hears, the language model alone.

    Args:
        dtype: of the weights: ``float32`` or ``bfloat16``; ``auto`` is the second on CUDA.
        device: where they are kept; ``auto`` is CUDA where there is any.
        attention: which implementation of transformers; ``auto`` leaves it to the model.
        gradient_checkpointing: layers are worked out twice, so that memory need not hold what is in
            between.
        trust_remote_code: run Python code that the folder brings along.

    Raises:
        ValueError: the folder holds no loadable model, one that the trainer reads otherwise than it
            reads itself, or a tokenizer without a chat template.
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        raise ValueError(
            f"{path} holds no config.json, so it is no Hugging Face model folder. "
            "Give a folder written by save_pretrained. A run without model.path has the tiny model."
        )
    where = torch.device(_device(device))
    trusting: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(path, **trusting)
        text = config.get_text_config(decoder=True)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path,
            config=text,
            key_mapping=None if text is config else WITHIN_A_LARGER_MODEL,
            dtype=_dtype(dtype, where),
            attn_implementation=None if attention == "auto" else attention,
            use_safetensors=True,  # nothing is ever unpickled
            output_loading_info=True,
            **trusting,
        )
        tokenizer = AutoTokenizer.from_pretrained(path, **trusting)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"the model in {path} cannot be loaded: {error}") from error
    model, found = loaded
    if found["missing_keys"]:
        missing = sorted(found["missing_keys"])
        raise ValueError(
            f"the model in {path} lacks {len(missing)} of its weights, {missing[0]} among them, "
            "which would be drawn at random. Are all of its files there?"
        )
    model.eval().to(where)
    if where.type == "cpu":
        _leave_the_file(model)
    if gradient_checkpointing:
        forget_in_between(model)
    ends = model.generation_config.eos_token_id
    language = LanguageModel(
        model, tokenizer, (ends,) if isinstance(ends, int) else tuple(ends or ())
    )
    _check(language, path)
    return language


def _leave_the_file(model: PreTrainedModel) -> None:
    """Give the weights memory of their own. As loaded they are the mapped file: it must not change
    then, and where its bytes lie, some processors round the last digit of a product otherwise."""
    for weight in (*model.parameters(), *model.buffers()):
        weight.data = weight.data.clone()


def _device(name: str) -> str:
    if name == "auto":
        return own_cuda_device() if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"model.device is {name!r}, but torch finds no CUDA device here. Leave it out, or "
            "install a build of torch for CUDA."
        )
    if name == "cuda":
        return own_cuda_device()
    if name.startswith("cuda") and count() > 1:
        raise ValueError(
            f"model.device is {name!r}, but this run has {count()} processes, which cannot all "
            "have that one. Set it to 'cuda': each process takes the device of its own number."
        )
    return name


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _check(language: LanguageModel, path: Path) -> None:
    """Raises ValueError: the tokenizer cannot be talked with, or what `sepo_trainer.policy.forward`
    makes of the model is not what the model says."""
    model, tokenizer = language.model, language.tokenizer
    if tokenizer.chat_template is None:
        raise ValueError(
            f"the tokenizer in {path} has no chat template, so it cannot be asked anything. "
            "Use an instruction-tuned model, or set tokenizer.chat_template and save it."
        )
    ids = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    if tokenizer.decode(ids) != PROBE:
        raise ValueError(
            f"the tokenizer in {path} does not give back the text that it reads, so no reply could "
            "be understood. Are its files (tokenizer.json, tokenizer_config.json) all there?"
        )
    if not reads_trees(model):
        with torch.no_grad():
            out = model.base_model(input_ids=torch.tensor([ids], device=model.device))
        if not isinstance(getattr(out, "past_key_values", None), DynamicCache):
            raise ValueError(
                f"the model in {path} keeps what it has read in a cache of its own kind, and the "
                "sampler writes with those of transformers (DynamicCache). Choose another model."
            )
    half = len(ids) // 2
    rows = [ids, [*ids[:half], *reversed(ids[half:])]]  # they part on the way
    most = MOST_APART if model.dtype == torch.float32 else MOST_APART_HALF
    with torch.no_grad():
        apart = _apart(model, rows)
    if apart > most:
        raise ValueError(
            f"the trainer reads the model in {path} otherwise than the model reads itself (logits "
            f"are {apart:.1%} of their spread apart): its attention, or what it does to its logits "
            "after the last layer, is unknown here. Try another model.attention than "
            f"{model.config._attn_implementation!r}, such as 'sdpa' or 'eager'; or choose another "
            "model, such as Qwen3 or Llama."
        )
    with torch.enable_grad():  # layers that are worked out twice read in another mode then
        apart = _apart(model, rows)
    if apart > most:
        raise ValueError(
            f"with model.gradient_checkpointing the model in {path} reads otherwise while it "
            f"learns than while it plays (logits are {apart:.1%} of their spread apart), as it "
            "does where its layers have a dropout. Set each dropout in its config.json to 0, or "
            "leave model.gradient_checkpointing out."
        )


def _apart(model: PreTrainedModel, rows: list[list[int]]) -> float:
    """How far what the trainer reads in ``rows`` is from what the model itself does: the mean
    absolute difference of logits, as a share of their standard deviation."""
    seen = hidden_states(model, [(tuple(row[:1]), tuple(row[1:])) for row in rows], pad_id=0)
    mine = logits(model, seen.states.detach())[seen.where]
    with torch.no_grad():
        own = model(torch.tensor(rows, device=model.device)).logits[:, :-1].float()
        return float((mine - own).abs().mean() / own.std())
