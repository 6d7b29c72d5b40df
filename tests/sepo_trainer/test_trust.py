"""Code that a model's folder brings is run where whoever types the command says so, and never
because a run folder does."""

import json

import pytest
from transformers import dynamic_module_utils

from sepo_trainer.__main__ import main
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import override, to_toml
from tests.sepo_trainer import real_models
from tests.sepo_trainer.real_models import save

COMMANDS = {"evaluate": ["evaluate"], "play": ["play"], "resume": ["train", "--resume"]}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder as somebody else may send it: its settings trust the code beside its model."""
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    model = save(real_models.llama(), real_models.llama_tokenizer(), tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}
    (model / "config.json").write_text(json.dumps(config | {"model_type": "mine"}))
    (model / "mine.py").write_text("raise SystemExit('this code was run')")
    folder = tmp_path / "run"
    (folder / "checkpoints/000001").mkdir(parents=True)
    asked = ["--model.path", str(model), "--model.trust-remote-code", "true"]
    (folder / "config.toml").write_text(to_toml(override(RunConfig(), asked)))
    return folder


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_run_folder_cannot_have_code_run(run, command, capsys):
    assert main([*command, str(run)]) == 2
    said = capsys.readouterr().err
    assert f"the run in {run} executes Python code that {run.parent / 'model'} brings along" in said
    assert "add: --model.trust-remote-code true" in said


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_whoever_types_the_command_can(run, command):
    with pytest.raises(SystemExit, match="this code was run"):
        main([*command, str(run), "--model.trust-remote-code", "true"])
