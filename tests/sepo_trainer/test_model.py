import torch

from sepo_trainer.model import load, tiny


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
