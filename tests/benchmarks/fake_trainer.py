"""Stands in for ``python -m sepo_trainer``: leaves the files of a run in no time at all.

A run of seed s starts at an exploitability of 0.1 (1 + s). `credited` halves it at each iteration,
the other arms leave it as it is. A game that is not Kuhn poker is measured by play instead: a run
starts at J = -0.1 (1 + s), `credited` ends at 0.5 and the other arms at 0. By its own account the
warm start takes 10 s, an iteration 1 s.
With a file `fail` in the working directory a training breaks down after two iterations.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any


def main(command: str, flag: str, where: str, *rest: str) -> None:
    print("fake trainer:", command, flag, where, *rest, flush=True)
    if command == "warm-start":
        folder = Path(rest[rest.index("--to") + 1])
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        config = tomllib.loads(Path(where).read_text())
        start = 0.1 * (1 + config["seed"])
        (folder / "result.json").write_text(json.dumps(worth(config, start, -start)))
        return
    resumed = flag == "--resume"
    text = (Path(where) / "config.toml" if resumed else Path(where)).read_text()
    config = tomllib.loads(text)
    folder = Path(config["runs"]) / config["name"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    metrics, timings = folder / "metrics.jsonl", folder / "timings.jsonl"
    start = 0.1 * (1 + config["seed"])
    ratio = 0.5 if config["objective"]["penalty_credit"] == "credited" else 1.0
    total = config["learning"]["iterations"]
    done = len(metrics.read_text().splitlines()) if resumed else 0
    if not resumed:
        append(timings, {"iteration": -1, "warm_start": 10.0})
    for number in range(done, total):
        now = worth(config, start * ratio**number, -start) | {"foul_rate": 0.0}
        append(metrics, {"iteration": number, **now})
        append(timings, {"iteration": number, "read": 0.25, "play": 0.25, "learn": 0.5})
        if Path("fail").exists() and number == 1:
            (folder / "checkpoints" / "000002").mkdir(parents=True)
            print("the disk is full", flush=True)
            sys.exit(3)
    end = -start if read_out(config) else 0.5 if ratio < 1 else 0.0
    (folder / "result.json").write_text(json.dumps(worth(config, start * ratio**total, end)))


def read_out(config: dict[str, Any]) -> bool:
    return bool(config["game"]["name"] == "kuhn_poker")


def worth(config: dict[str, Any], exploitability: float, objective: float) -> dict[str, Any]:
    """What a policy is worth, as `result.json` and `metrics.jsonl` have it."""
    if read_out(config):
        exact = {"exploitability": exploitability, "uncovered": 0.0}
        return exact | {"objective": objective, "u": 0, "e": 0}
    heldout = {"pool": "heldout", "payoff": {"value": 3.0, "low": 3.0, "high": 3.0}}
    parts = {"objective": objective, "u": 0, "e": 0, "c": 0, "x": 0}
    return parts | {"scorecard": {"pools": [heldout]}}


def append(path: Path, line: dict[str, float]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
