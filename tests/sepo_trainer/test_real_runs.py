"""Whole short runs of models of the classes that people have, through the command line."""

import json

import pytest
import torch

from sepo_trainer.__main__ import main
from sepo_trainer.policy.model import load
from tests.sepo_trainer.real_models import FAMILIES, save

SHORT = {
    "--rollout.group-size": "2",
    "--learning.iterations": "3",
    "--warm-start.steps": "80",
    "--warm-start.batch": "16",
    "--warm-start.episodes": "500",
    "--warm-start.thoughts": "False",
    "--warm-start.learning-rate": "0.01",
}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (
            "gemma4",
            ["--rollout.style", "conversation", "--model.gradient-checkpointing", "True"],
        ),
        ("qwen3.5", ["--model.thinking", "False"]),
    ],
)
def test_a_run_from_warm_start_to_report_of_a_model_that_reads_plain_rows(tmp_path, name, own):
    """It learns to speak, is read out, plays, and its weights move."""
    make, tokenizer = FAMILIES[name]
    folder = save(make(width=64), tokenizer(), tmp_path / "model")
    place = ["--model.path", str(folder), "--runs", str(tmp_path), "--name", "run"]
    arguments = [word for pair in SHORT.items() for word in pair]
    assert main(["train", *place, *arguments, *own]) == 0

    run = tmp_path / "run"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    assert all(line["foul_rate"] < 0.1 for line in lines)
    assert all(line["uncovered"] < 0.5 for line in lines), "untrained, it is nearly 1"
    assert all(line["clipped_share"] == 0 for line in lines), "before an update each ratio is 1"
    assert all(line["gradient_norm"] > 0 for line in lines)
    assert (run / "report.html").is_file()
    ids = torch.tensor([[9, 10, 11]])
    before, after = load(folder).model, load(run / "model").model
    assert type(after) is type(before)
    with torch.no_grad():
        assert (after(ids).logits - before(ids).logits).abs().max() > 0.1
