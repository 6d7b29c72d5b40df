"""A record to start from, and a working directory with a fake trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import played, training_runs
from benchmarks.certificate import certify
from benchmarks.command_line import config_digest, game_id
from benchmarks.records import Record, difference, measure
from sepo_trainer.settings.config import RunConfig
from tests.benchmarks.fake_trainer import line


def played_by_hand(config: RunConfig, model: Path) -> dict[str, Any]:
    """Stands in for a saved model's play: 1 point against `other`, exactly 2."""
    pools = [line("train", None), line("heldout", None)]
    each = [line("train", "fair"), line("heldout", "other")]
    parts = {name: {"value": value} for name, value in (("u", -0.5), ("e", 0.25), ("safety", -2.0))}
    return {
        "domain": config.game.name,
        "pools": pools,
        "opponents": each,
        "exact": {"other": 2.0},
    } | parts


def exploited_by_hand(config: RunConfig, model: Path) -> dict[str, Any]:
    """Stands in for what can be gained on a saved model: 4 points, and 1 more with each seed;
    exactly, in the dilemma."""
    found: dict[str, Any] = {"value": 4.0 + config.seed, "kind": "lower bound"}
    if config.game.name == "prisoners_dilemma":
        found |= {"low": found["value"], "kind": "exact", "uncovered": 0.0}
    return found


def bounded_by_hand(config: RunConfig, model: Path) -> dict[str, Any]:
    """The same, in a trial."""
    return {"value": 3.0, "kind": "lower bound"}


@pytest.fixture
def fake_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which ``python -m sepo_trainer`` is the fake one."""
    package = tmp_path / "sepo_trainer"
    package.mkdir()
    (package / "__init__.py").write_text("")
    fake = Path(__file__).with_name("fake_trainer.py")
    (package / "__main__.py").write_text(fake.read_text())
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(training_runs, "source_digest", lambda: "1" * 64)  # edited meanwhile or not
    monkeypatch.setattr(played, "evaluated", played_by_hand)
    monkeypatch.setattr(played, "exploited", exploited_by_hand)
    monkeypatch.setattr(played, "bounded", bounded_by_hand)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """An ablation of two arms over three seeds; fields can be replaced by keyword."""

    def make(**fields: Any) -> Record:
        config = RunConfig()
        credited = {"exploitability": measure([0.01, 0.02, 0.03], "points per hand")}
        shared = {"exploitability": measure([0.21, 0.42, 0.23], "points per hand")}
        rest = {key: measure([0.1, 0.2, 0.3], "points per hand") for key in ("objective", "u", "e")}
        paired = difference(credited["exploitability"], shared["exploitability"])
        given = {
            "benchmark": "credit_ablation",
            "name": "default",
            "summary": "A record for tests.",
            "game": game_id(config.game.name),
            "settings": {"learning.iterations": 7},
            "config_digest": config_digest(config),
            "seeds": (0, 1, 2),
            "measures": {
                "credited": credited | rest,
                "shared": shared | rest,
                "credited - shared": {"exploitability": paired},
            },
            "certificate": certify(
                command="python -m benchmarks.credit_ablation --seeds 3",
                threads=1,
                wall_seconds=12.34,
                peak_memory_mib=500,
            ),
        }
        return Record(**(given | fields))

    return make
