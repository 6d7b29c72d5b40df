"""Files that were damaged on disk: each is told in a paragraph, and nothing is changed."""

import shutil

import pytest

from sepo_trainer import checkpoint
from sepo_trainer.checkpoint import CheckpointError
from sepo_trainer.policy.model import load
from sepo_trainer.runs.run_folder import read_lines
from sepo_trainer.settings.config import ConfigError
from tests.sepo_trainer.runs import UNTRAINED, run_with


def test_a_damaged_line_is_named_with_its_number(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"iteration":0}\n\xff{"iter\n{"iteration":2}\n')
    with pytest.raises(ConfigError, match=r"line 2 of .*jsonl is damaged.*Delete that line"):
        read_lines(path)


def test_a_last_line_that_was_cut_short_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"iteration":0}\n{"iter')
    assert read_lines(path) == [{"iteration": 0}]


def test_a_checkpoint_that_names_no_weights_is_refused(tmp_path):
    path = checkpoint.save(tmp_path, run_with(UNTRAINED).checkpoint())
    (path / "model.safetensors").unlink()
    checkpoint.seal(path)
    with pytest.raises(CheckpointError, match="names no file for its model"):
        checkpoint.load(path)


def test_a_model_folder_without_its_tokenizers_files_is_refused(warm_model, tmp_path):
    folder = shutil.copytree(warm_model("fresh"), tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ValueError, match="tokenizer"):
        load(folder)
