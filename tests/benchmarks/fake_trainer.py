"""Stands in for ``python -m sepo_trainer``: leaves the files of a run in no time at all.

A run of seed s starts at an exploitability of 0.1 (1 + s). `credited` halves it at each iteration,
the other arms leave it as it is. A game that is not Kuhn poker is measured by play instead: a run
starts at J = -0.1 (1 + s), `credited` ends at 0.5 and the other arms at 0; while it trains, J is
the iteration's number in tenths. By its own account the warm start takes 10 s, an iteration 1 s.
The weights are those of the arm, and of no arm where a penalty is shared.
With a file `fail` in the working directory a training breaks down after two iterations; with a file
`leak` shared penalties change the weights.
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
        value = -start if config["warm_start"]["steps"] else -3.0
        (folder / "result.json").write_text(json.dumps(worth(config, start, value)))
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
        append(timings, {"iteration": -1, "seconds": {"warm_start": 10.0}})
    for number in range(done, total):
        value = -start if read_out(config) else number / 10
        for game in games(config):
            now = of_game(game, start * ratio**number, value) | {"foul_rate": 0.0}
            append(metrics, {"iteration": number, "game": game, **now})
        seconds = {"read": 0.25, "play": 0.25, "learn": 0.5}
        append(timings, {"iteration": number, "seconds": seconds})
        if Path("fail").exists() and number == 1:
            (folder / "checkpoints" / "000002").mkdir(parents=True)
            print("the disk is full", flush=True)
            sys.exit(3)
    end = -start if read_out(config) else 0.5 if ratio < 1 else 0.0
    (folder / "result.json").write_text(json.dumps(worth(config, start * ratio**total, end)))
    (folder / "model").mkdir(exist_ok=True)
    arm = config["objective"]["penalty_credit"]
    weights = "reward_only" if arm == "shared" and not Path("leak").exists() else arm
    (folder / "model" / "model.safetensors").write_text(f"{weights} {config['seed']}")


def read_out(config: dict[str, Any]) -> bool:
    return bool(config["game"]["name"] == "kuhn_poker")


def games(config: dict[str, Any]) -> list[str]:
    weighed = [name for name, of in config.get("courses", {}).items() if of["weight"]]
    return weighed or [config["game"]["name"]]


def worth(config: dict[str, Any], exploitability: float, objective: float) -> dict[str, Any]:
    """What a policy is worth, as `result.json` has it."""
    found = {game: of_game(game, exploitability, objective) for game in games(config)}
    name = config["game"]["name"]
    untrained = name == "kuhn_poker" and not (
        config["warm_start"]["steps"] or "path" in config["model"]
    )
    if untrained:
        found[name]["uncovered"] = 1.0
    return {"domain": name} | found.get(name, {"courses": found})


def of_game(game: str, exploitability: float, objective: float) -> dict[str, Any]:
    """What a policy is worth in one game, as `metrics.jsonl` has it too."""
    if game == "kuhn_poker":
        exact = {"exploitability": exploitability, "uncovered": 0.0}
        return exact | {"objective": objective, "u": 0, "e": 0}
    parts = {"objective": objective, "u": 0, "e": 0, "c": 0, "x": 0}
    pools = [line("train", None), line("collusive", None), line("heldout", None, payoff=3.0)]
    each = [line("train", "fair"), line("collusive", "always-1"), line("heldout", "other")]
    return parts | {"scorecard": {"domain": game, "pools": pools, "opponents": each}}


def line(pool: str, opponent: str | None, payoff: float = 1.0) -> dict[str, Any]:
    """Of a scorecard."""
    numbers = {"payoff": payoff, "nra": 0.25, "foul_rate": 0.125 if pool == "heldout" else 0.0}
    harms = {"econ.collusion": 0.5, "econ.externality": 0.75, "econ.overbidding": 0.0}
    return {
        "pool": pool,
        "opponent": opponent,
        **{name: {"value": value} for name, value in numbers.items()},
        "harms": {name: {"value": value} for name, value in harms.items()},
    }


def append(path: Path, line: dict[str, float]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
