"""The benchmarks of training with the real trainer, as small as it gets."""

from __future__ import annotations

from statistics import fmean

import pytest

from benchmarks import credit_ablation, played, readme, time_to_equilibrium, training_runs
from benchmarks.certificate import ROOT
from benchmarks.records import load_all
from sepo_trainer.__main__ import main
from sepo_trainer.run import put_together
from sepo_trainer.settings.resolve import resolve

BEST = "best-response"

# As small as a model may be that gives legal replies after so few steps: one that babbles is scored
# by play alone, and has no exact exploitability to compare.
TINY = [
    *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "120", "--warm-start.episodes", "200", "--learning.iterations", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "8", "--rollout.most-fouls", "1"),
]


@pytest.mark.slow
def test_a_shared_warm_start_is_the_runs_own_warm_start(tmp_path, monkeypatch):
    """The study's run warms up by itself, the ablation's is started from a saved warm start: their
    metrics are equal byte for byte, which is what makes the arms comparable with other runs."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(training_runs, "source_digest", lambda: "1" * 64)  # edited meanwhile or not
    places = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    time_to_equilibrium.main([*TINY, *places, "--seeds", "1"])
    credit_ablation.main([*TINY, *places, "--seeds", "1", "--jobs", "2", "--arms", "credited"])
    (alone,) = tmp_path.glob("runs/time_to_equilibrium/*/seed-0/metrics.jsonl")
    (shared,) = tmp_path.glob("runs/credit_ablation/*/credited-0/metrics.jsonl")
    assert shared.read_bytes() == alone.read_bytes()

    ablation, study = load_all(tmp_path / "results")
    assert (
        ablation.measures["credited"]["exploitability"].values
        == study.measures["exploitability"]["final"].values
    )
    (seconds,) = study.measures["seconds"]["training"].values
    (whole,) = study.measures["seconds"]["whole process"].values
    assert 0 < seconds < whole, "the whole process also imports torch and writes the report"
    assert study.measures["memory"]["peak"].low > 200, "MiB; torch alone takes more"

    (tmp_path / "README.md").write_text(f"{readme.BEGIN}\n{readme.END}\n")
    table = ["--readme", str(tmp_path / "README.md"), "--results", str(tmp_path / "results")]
    readme.main(table)
    readme.main([*table, "--check"])


@pytest.mark.slow
def test_a_bound_by_play_is_what_the_best_of_the_pools_gains_by_enumeration(tmp_path, monkeypatch):
    """Of a policy that can be read out too: by its table, what the best opponent for each seat
    gains there, over what the policy earns from itself, on average over the seats."""
    config, model = resolve(None, TINY), tmp_path / "model"
    assert main(["warm-start", "--to", str(model), *TINY]) == 0
    saved = config.model.model_copy(update={"path": model})
    course = put_together(config.model_copy(update={"model": saved})).course
    table, tree = course.table(), course.stage.tree
    itself = tree.returns(table)
    fixed = [o for pool in course.stage.pools.values() for o in pool.opponents if o.name != BEST]
    gains = [
        max(tree.returns((o, table) if seat == 0 else (table, o))[seat] for o in fixed)
        - itself[seat]
        for seat in (0, 1)
    ]
    monkeypatch.setattr(played, "EPISODES", 4000)
    found = played.exploited(config, model)
    assert found["value"] == pytest.approx(fmean(gains), abs=0.05)
    assert found["low"] <= tree.exploitability(table)
    assert found["kind"] == "lower bound"
    trial = played.bounded(config, model)
    assert (trial["kind"], trial["low"]) == ("lower bound", 0.0)
    monkeypatch.setattr(played, "FEW_EPISODES", 4000)
    assert played.bounded(config, model) == found
