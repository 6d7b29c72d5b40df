"""The loop learns: on a table in seconds, and through text as a user would start it."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sepo_trainer.__main__ import main
from sepo_trainer.runs.session import reopen
from sepo_trainer.train import train
from tests.sepo_trainer import tabular


def exploitability_by_iteration(**objective) -> list[float]:
    """The whole loop on Kuhn poker, a table in the language model's place, from uniform play."""
    run = tabular.tabular_run(
        tabular.kuhn(),
        objective=objective,
        rollout={"group_size": 4},
        learning={"iterations": 80, "learning_rate": 0.2, "final_rate": 0.05},
    )
    found: list[float] = []
    train(run, lambda steps: found.append(steps[0].scores.exploitability.value))
    return [*found, run.course.stage.tree.exploitability(run.course.table())]


def test_charged_where_they_arise_penalties_lead_near_the_equilibrium():
    """From .4583, uniform play's exploitability (exact), against its own best response."""
    found = exploitability_by_iteration()
    assert found[0] == pytest.approx(0.4583, abs=1e-4)
    assert max(found[-10:]) < 0.05


def test_payoff_alone_ends_far_from_any_equilibrium():
    """Beating three fixed opponents is no equilibrium; and a shared penalty is no penalty."""
    alone = exploitability_by_iteration(penalty_credit="reward_only")
    assert min(alone[-10:]) > 0.2
    assert exploitability_by_iteration(penalty_credit="shared") == pytest.approx(alone, abs=1e-3)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """A run with the default settings, but for its length: the learning rate falls accordingly."""
    folder = tmp_path_factory.mktemp("runs") / "learned"
    place = ["--runs", str(folder.parent), "--name", folder.name]
    assert main(["train", *place, "--learning.iterations", "25"]) == 0
    return folder


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_through_text_it_goes_from_the_demonstrators_to_near_the_equilibrium(learned):
    """Three seeds measured .166 to .167 after the warm start, and .021 to .040 at the end."""
    before = lines(learned)[0]
    after = json.loads((learned / "result.json").read_text())
    assert before["exploitability_low"] > 0.15
    assert after["exploitability_high"] < 0.06
    assert after["uncovered"] < 1e-3
    assert after["objective"] > before["objective"] + 0.2


@pytest.mark.slow
def test_it_goes_on_speaking_so_that_it_can_be_read(learned):
    assert sum(line["foul_rate"] for line in lines(learned)) / 25 < 0.001


@pytest.mark.slow
def test_it_leaves_everything_that_a_run_folder_is_said_to_hold(learned):
    for name in (
        *("config.toml", "metrics.jsonl", "timings.jsonl", "result.json", "report.html"),
        *("model/config.json", "model/model.safetensors", "transcripts/000025.txt"),
        *("checkpoints/000025/state.json", "plots"),
    ):
        assert (learned / name).exists(), name
    transcript = (learned / "transcripts/000025.txt").read_text()
    assert "=== exploit pool, against always-bet, seat 0, returns (" in transcript
    assert "You are playing Kuhn poker" in transcript


@pytest.mark.slow
def test_the_saved_model_is_the_policy_for_anyone_who_loads_it(learned):
    """With transformers alone: the same ids, the same logits."""
    _, run = reopen(learned)
    model = AutoModelForCausalLM.from_pretrained(learned / "model", local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(learned / "model", local_files_only=True)
    chat = [{"role": "user", "content": "You are dealt the King. You act first."}]
    ids = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    ours = run.language.tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    assert torch.equal(ids, ours)
    with torch.no_grad():
        assert torch.equal(model(ids).logits, run.language.model(ids).logits)


@pytest.mark.slow
def test_the_last_lines_scores_are_those_of_a_policy_that_is_measured_again(learned):
    """`result.json` was computed in the run; the table is read anew from the saved weights."""
    _, run = reopen(learned)
    result = json.loads((learned / "result.json").read_text())
    assert run.course.stage.tree.exploitability(run.course.table()) == result["exploitability"]
    for situation, row in result["table"].items():
        for move, p in row.items():
            assert run.course.table()[situation][move] == pytest.approx(p, abs=1e-6)
