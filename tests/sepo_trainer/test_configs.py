"""`configs/`: an experiment for each model and domain; each says what in it is the paper's."""

import json
import re
from pathlib import Path

import pytest

from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.__main__ import main
from sepo_trainer.policy.adapter import targets
from sepo_trainer.policy.model import load
from sepo_trainer.runs import session
from sepo_trainer.settings.resolve import read_toml, resolve
from tests.sepo_trainer.real_models import FAMILIES, save

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.glob("*.toml"))
FAMILY_OF = {"gemma4-e4b": "gemma4", "qwen3.5-4b": "qwen3.5"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_has_the_papers_settings_where_it_says_so(path):
    """Held against the preset of the published pipeline, and the adapters of arXiv 2605.30854."""
    config = resolve(path, [])
    paper = resolve(None, ["--game.name", config.game.name], preset="paper")
    for section, names in {
        "rollout": ("style", "temperature", "max_new_tokens", "own_deals"),
        "learning": (
            *("iterations", "learning_rate", "final_rate", "clip", "epochs", "gradient_clip"),
            *("entropy", "optimizer"),
        ),
        "reference": ("kind", "kl_talk"),
    }.items():
        for name in names:
            mine, theirs = (getattr(getattr(of, section), name) for of in (config, paper))
            assert mine == theirs, f"{section}.{name}"
    adapter = config.adapter
    assert (adapter.warm_rank, adapter.warm_alpha) == (32, 64)
    assert (adapter.rank, adapter.alpha) == (16, 32)
    assert config.warm_start.learning_rate == 2e-5
    assert config.warm_start.steps * config.warm_start.batch == pytest.approx(3 * 44_000 / 5)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_has_none_of_the_papers_faults(path):
    """Neither a penalty that a group shares, nor a deviation that divides lambda away, nor pools
    that overlap."""
    config = read_toml(path)
    assert config.objective.penalty_credit == "credited"
    assert config.learning.advantage == "centered"
    assert config.game.preset == "default"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_head_says_how_to_get_the_model_and_what_was_not_measured(path):
    text = path.read_text()
    config = read_toml(path)
    assert f"--local-dir {config.model.path}\n" in text
    assert f"python -m sepo_trainer --config configs/{path.name}\n" in text
    for what in ("Hardware", "Time", "Expected result"):
        [line] = re.findall(rf"^# {what}: .*$", text, re.MULTILINE)
        assert "not measured" in line


def test_there_is_one_for_each_model_and_each_domain():
    found = {(path.stem.split("_")[0], read_toml(path).game.name) for path in FILES}
    assert found == {(model, game) for model in FAMILY_OF for game in CATALOGUE}
    assert len(FILES) == len(found)


@pytest.mark.parametrize(
    "path", [CONFIGS / f"{m}_kuhn.toml" for m in FAMILY_OF], ids=lambda p: p.stem
)
def test_an_experiment_runs_on_a_tiny_model_of_its_class(path, tmp_path, monkeypatch):
    """Nothing but the folder, and how much is done, is changed."""
    monkeypatch.setattr(session, "write_report", lambda folder: None)
    make, tokenizer = FAMILIES[FAMILY_OF[path.stem.split("_")[0]]]
    model = save(make(), tokenizer(), tmp_path / "model")
    assert targets(load(model).model)
    less = [
        *("--warm-start.steps", "2", "--warm-start.episodes", "20", "--learning.iterations", "2"),
        *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--tracking.to", "[]"),
        *("--rollout.most-fouls", "1", "--learning.microbatch", "256", "--model.dtype", "float32"),
    ]
    place = ["--runs", str(tmp_path), "--name", "run", "--model.path", str(model)]
    assert main(["--config", str(path), *place, *less]) == 0
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["lambda_exploitability"] == 1.5
    card = (tmp_path / "run/model/README.md").read_text()
    assert "`model` by 2 iterations" in card
    assert "library_name: peft" in card
