"""A record to start from, and a fake trainer: a small program that leaves what the real one does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.certificate import certify
from benchmarks.command_line import config_digest, game_id
from benchmarks.records import Record, difference, measure
from sepo_trainer.config import RunConfig

FAKE_TRAINER = '''
"""Writes a run whose exploitability halves with each iteration, a second per iteration."""
import json, os, sys, time, tomllib
from pathlib import Path

command, flag, where, *rest = sys.argv[1:]
print("fake trainer:", *sys.argv[1:], flush=True)
if command == "warm-start":
    to = Path(rest[rest.index("--to") + 1])
    to.mkdir(parents=True)
    (to / "config.json").write_text("{}")
    sys.exit()
config = tomllib.loads(Path(where).joinpath("config.toml" if flag == "--resume" else "").read_text())
folder = Path(config["runs"]) / config["name"]
folder.mkdir(parents=True, exist_ok=True)
(folder / "config.toml").write_text(Path(where).read_text() if flag == "--config" else (folder / "config.toml").read_text())
fail = Path("fail")
total = config["learning"]["iterations"]
done = len((folder / "metrics.jsonl").read_text().splitlines()) if flag == "--resume" else 0
start = 0.1 * (1 + config["seed"])
with (folder / "metrics.jsonl").open("a") as metrics, (folder / "timings.jsonl").open("a") as timings:
    if not done:
        timings.write(json.dumps({"iteration": -1, "warm_start": 10.0}) + "\\n")
    for number in range(done, total):
        value = {"exploitability": start / 2**number, "uncovered": 0.0, "foul_rate": 0.0}
        metrics.write(json.dumps({"iteration": number, **value}) + "\\n")
        timings.write(json.dumps({"iteration": number, "read": 0.25, "play": 0.25, "learn": 0.5}) + "\\n")
        if fail.exists() and number == 1:
            metrics.flush(), timings.flush()
            (folder / "checkpoints" / "000002").mkdir(parents=True)
            print("the disk is full", flush=True)
            sys.exit(3)
final = {"exploitability": start / 2**total, "uncovered": 0.0, "objective": -start, "u": start, "e": 0.0}
(folder / "result.json").write_text(json.dumps(final))
'''


@pytest.fixture
def fake_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which ``python -m sepo_trainer`` is the fake one.

    With a file `fail` in it, a training breaks down after two iterations, with a checkpoint.
    """
    package = tmp_path / "sepo_trainer"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(FAKE_TRAINER)
    monkeypatch.delenv("PYTHONPATH", raising=False)
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
            "game": game_id(config),
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


@pytest.fixture
def read_json() -> Callable[[Path], Any]:
    return lambda path: json.loads(path.read_text())
