import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    FalconConfig,
    Gemma4ForCausalLM,
    GPT2Config,
    GraniteConfig,
    LlamaForCausalLM,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    Qwen3_5ForCausalLM,
    dynamic_module_utils,
)

from sepo_trainer.policy.forward import reads_trees
from sepo_trainer.policy.model import load, tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Request
from sepo_trainer.samplers.transformers import TransformersSampler
from tests.sepo_trainer import real_models
from tests.sepo_trainer.real_models import FAMILIES, save

IDS = torch.tensor([range(20, 50)])


def test_the_default_model_has_the_size_that_its_settings_promise():
    """0.5 M parameters at width 128 with 2 layers; embeddings are shared with the output."""
    language = tiny(hidden=128, layers=2, heads=4, run_seed=0)
    assert f"{language.parameters / 1e6:.1f} M" == "0.5 M"


def test_the_seed_draws_the_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (tiny(hidden=32, layers=1, heads=2, run_seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [next(iter(language.model.parameters())) for language in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@torch.no_grad()
def test_a_loaded_model_is_the_saved_one(tmp_path):
    language = tiny(hidden=32, layers=2, heads=2, run_seed=0)
    language.model.save_pretrained(tmp_path)
    language.tokenizer.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    ids = torch.tensor([language.tokenizer("You are dealt the King.")["input_ids"]])
    assert torch.equal(loaded.model(ids).logits, language.model(ids).logits)
    assert not loaded.model.training


@pytest.mark.parametrize("name", FAMILIES)
def test_a_loaded_model_has_left_its_file(tmp_path, name):
    """Mapped weights would change with it, and begin wherever its header ends: on some processors
    another last digit than that of the same weights in torch's own memory."""
    make, tokenizer = FAMILIES[name]
    folder = save(make(), tokenizer(), tmp_path)
    loaded = load(folder).model.state_dict()
    before = {part: weight.clone() for part, weight in loaded.items()}
    assert all(weight.data_ptr() % 64 == 0 for weight in loaded.values())
    weights = folder / "model.safetensors"
    with weights.open("r+b") as file:
        file.write(bytes(weights.stat().st_size))
    assert all(torch.equal(before[part], weight) for part, weight in loaded.items())


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_real_classes_load_as_they_were_saved(tmp_path, name):
    make, tokenizer = FAMILIES[name]
    loaded = load(save(make(), tokenizer(), tmp_path))
    assert type(loaded.model) is type(make())
    assert torch.equal(loaded.model(IDS).logits, make()(IDS).logits)
    assert loaded.model.dtype == torch.float32
    head, embedding = loaded.model.get_output_embeddings(), loaded.model.get_input_embeddings()
    assert (head.weight is embedding.weight) == (name != "llama")


@pytest.mark.parametrize(
    ("larger", "tokenizer", "language"),
    [
        (real_models.gemma_with_eyes, real_models.gemma_tokenizer, Gemma4ForCausalLM),
        (real_models.qwen35_with_eyes, real_models.qwen_tokenizer, Qwen3_5ForCausalLM),
    ],
)
@torch.no_grad()
def test_of_a_model_that_also_sees_the_language_model_is_loaded(
    tmp_path, larger, tokenizer, language
):
    whole = larger()
    loaded = load(save(whole, tokenizer(), tmp_path)).model
    assert type(loaded) is language
    assert torch.equal(loaded(IDS).logits, whole(IDS).logits)


def test_every_token_that_the_model_ends_with_ends_a_reply(tmp_path):
    """Gemma's generation settings have two; its template ends a turn with the one that is not the
    tokenizer's own."""
    language = load(save(real_models.gemma(), real_models.gemma_tokenizer(), tmp_path))
    renderer = Renderer(language.tokenizer, end_ids=language.end_ids)
    names = language.tokenizer.convert_ids_to_tokens(list(renderer.end_ids))
    assert names == ["<turn|>", "<eos>"]


def test_what_has_no_token_for_padding_is_padded_with_its_end(tmp_path):
    language = load(save(real_models.llama(), real_models.llama_tokenizer(), tmp_path))
    assert language.tokenizer.pad_token_id is None
    renderer = Renderer(language.tokenizer)
    assert renderer.pad_id == language.tokenizer.convert_tokens_to_ids("<|eot_id|>")


def test_weights_are_of_the_precision_and_attention_that_were_asked_for(tmp_path):
    folder = save(real_models.gemma(), real_models.gemma_tokenizer(), tmp_path)
    found = load(folder, dtype="bfloat16", attention="eager").model
    assert {weight.dtype for weight in found.parameters()} == {torch.bfloat16}
    assert found.config._attn_implementation == "eager"


def test_layers_are_worked_out_twice_where_that_was_asked_for(tmp_path):
    folder = save(real_models.llama(), real_models.llama_tokenizer(), tmp_path)
    for asked in (False, True):
        model = load(folder, gradient_checkpointing=asked).model
        assert {layer.gradient_checkpointing for layer in model.model.layers} == {asked}


@pytest.mark.parametrize("dropout", [0.1, 0.0])
def test_layers_that_drop_out_while_they_learn_are_refused_where_they_are_worked_out_twice(
    tmp_path, dropout
):
    """OPT asks the layer itself, and not a module of it, whether it is in training."""
    shape = {"ffn_dim": 64, "word_embed_proj_dim": 32, "dropout": dropout}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = AutoModelForCausalLM.from_config(OPTConfig(**SHAPE, **shape))
        folder = save(made, real_models.llama_tokenizer(), tmp_path)
        assert load(folder).model.config.dropout == dropout
        if dropout:
            with pytest.raises(ValueError, match=r"reads otherwise while it learns .*config\.json"):
                load(folder, gradient_checkpointing=True)
        else:
            load(folder, gradient_checkpointing=True)


def test_what_is_read_otherwise_is_told_with_the_attention_that_it_is_read_with(
    tmp_path, monkeypatch
):
    """As trees, eager attention's masks are wrong, which is what this forces."""
    monkeypatch.setattr("sepo_trainer.policy.forward.TAKES_MASKS", "eager")
    folder = save(real_models.qwen3(), real_models.qwen_tokenizer(), tmp_path)
    with pytest.raises(ValueError, match=r"another model\.attention than 'eager', such as 'sdpa'"):
        load(folder, attention="eager")


def spoil_by_leaving_out(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def spoil_by_pickling(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def spoil_by_bringing_code(folder):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}
    config["model_type"] = "mine"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('this code was run')")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_by_leaving_out, r"lacks 1 of its weights, model\.layers\.0\.mlp\.up_proj"),
        (spoil_by_pickling, r"(?s)cannot be loaded: .*safetensors"),
        (spoil_by_bringing_code, r"(?s)cannot be loaded: .*trust_remote_code"),
    ],
)
def test_what_is_not_all_there_or_would_run_code_is_refused(tmp_path, spoil, words):
    folder = save(real_models.llama(), real_models.llama_tokenizer(), tmp_path)
    spoil(folder)
    with pytest.raises(ValueError, match=words):
        load(folder)


def test_code_that_a_folder_brings_is_run_where_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = save(real_models.llama(), real_models.llama_tokenizer(), tmp_path / "model")
    spoil_by_bringing_code(folder)
    with pytest.raises(SystemExit, match="this code was run"):
        load(folder, trust_remote_code=True)


def test_a_model_that_does_something_unknown_to_its_logits_is_refused(tmp_path, monkeypatch):
    folder = save(real_models.llama(), real_models.llama_tokenizer(), tmp_path)
    plain = LlamaForCausalLM.forward

    def louder(self, *arguments, **named):
        out = plain(self, *arguments, **named)
        out.logits = out.logits * 1.01
        return out

    monkeypatch.setattr(LlamaForCausalLM, "forward", louder)
    with pytest.raises(ValueError, match=r"otherwise than the model reads itself .logits are"):
        load(folder)


def test_a_device_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no CUDA device here"):
        tiny(hidden=32, layers=1, heads=2, run_seed=0, device="cuda")


SHAPE = {"vocab_size": 1600, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
OTHERS = {
    "positions that are learned": (
        GPT2Config(vocab_size=1600, n_embd=32, n_layer=2, n_head=2),
        False,
    ),
    "positions in the attention": (FalconConfig(**SHAPE, alibi=True), False),
    "windows": (MistralConfig(**SHAPE, num_key_value_heads=1, sliding_window=8), False),
    "logits that are multiplied": (CohereConfig(**SHAPE, logit_scale=0.25), True),
    "logits that are divided": (GraniteConfig(**SHAPE, logits_scaling=4.0), True),
}


@pytest.mark.parametrize(("config", "trees"), OTHERS.values(), ids=OTHERS)
@torch.no_grad()
def test_other_classes_load_and_say_what_they_say_themselves(tmp_path, config, trees):
    """Loading compares logits with the model's own; this, what is sampled with a cache."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = AutoModelForCausalLM.from_config(config)
    model = load(save(made, real_models.llama_tokenizer(), tmp_path)).model
    assert reads_trees(model) == trees
    prompts = [tuple(range(20, 20 + length)) for length in (3, 12, 20)]
    drawn = TransformersSampler(model, end_ids=(), pad_id=0, max_new_tokens=6)
    for prompt, reply in zip(
        prompts, drawn.generate([Request(prompt, 1) for prompt in prompts]), strict=True
    ):
        read = torch.tensor([prompt + reply.output_ids])
        own = torch.log_softmax(model(read).logits[0, len(prompt) - 1 : -1], dim=-1)
        own = own.gather(1, torch.tensor(reply.output_ids)[:, None])[:, 0]
        assert reply.logprobs == pytest.approx(own.tolist(), abs=1e-4)


def test_a_model_with_a_cache_of_its_own_kind_is_refused(tmp_path):
    config = MambaConfig(vocab_size=1600, hidden_size=32, num_hidden_layers=2, state_size=8)
    made = AutoModelForCausalLM.from_config(config)
    folder = save(made, real_models.llama_tokenizer(), tmp_path)
    with pytest.raises(ValueError, match="a cache of its own kind"):
        load(folder)
