"""What a run has left behind so far, as numbers over training.

Reads a half-finished run too, and one whose last line a crash cut short.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sepo_trainer.runs.report.plots import Curve
from sepo_trainer.runs.run_folder import RunFolder, seconds_spent
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import read_toml

AT: Final = "iteration"


@dataclass(frozen=True, slots=True)
class Record:
    """What a run has left behind so far of one game."""

    config: RunConfig
    """As it holds for this game."""
    lines: list[dict[str, Any]]
    timings: list[dict[str, Any]]
    result: dict[str, Any] | None
    damaged: int
    """Lines that could not be read."""

    @property
    def policies(self) -> list[tuple[int, dict[str, Any]]]:
        """Every policy that was measured, with the number of updates behind it."""
        measured = [(int(line["iteration"]), line) for line in self.lines]
        return measured + ([(int(self.result["iterations"]), self.result)] if self.result else [])

    @property
    def is_read(self) -> bool:
        """Whether the policy's table, and so its exploitability, is known."""
        return bool(self.policies) and "table" in self.policies[-1][1]

    @property
    def seconds(self) -> float:
        """Spent so far, interruptions not counted."""
        if self.result:
            return float(self.result["seconds"])
        return seconds_spent(self.timings)

    @property
    def newest(self) -> str:
        """What to call the policy measured last."""
        return "final" if self.result else "latest"

    def curve(self, key: str, of: str | None = None) -> Curve:
        """A number of every measured policy; ``of`` picks from a table of them."""
        found = [
            (at, line[key] if of is None else line[key].get(of))
            for at, line in self.policies
            if key in line
        ]
        return curve_of((at, value) for at, value in found if value is not None)

    def probability(self, situation: str, move: str) -> Curve:
        return curve_of(
            (at, line["table"].get(situation, {}).get(move, 0.0)) for at, line in self.policies
        )

    def speed(self) -> tuple[dict[str, Curve], Curve]:
        """Seconds by part, and tokens per second of play, of the iterations that were timed."""
        timed = {line[AT]: line["seconds"] for line in self.timings if line[AT] >= 0}
        names = dict.fromkeys(part for seconds in timed.values() for part in seconds)
        parts = {
            name: curve_of((at, line.get(name, 0.0)) for at, line in timed.items())
            for name in names
        }
        tokens = curve_of(
            (line[AT], line["sampled_tokens"] / timed[line[AT]]["play"])
            for line in self.lines
            if timed.get(line[AT], {}).get("play")
        )
        return (parts, tokens) if tokens.values else ({}, tokens)


def read_record(folder: RunFolder, game: str) -> Record:
    """Everything readable in ``folder`` of one of the run's games."""
    lines, damaged = _read_lines(folder.metrics)
    lines = [line for line in lines if line.get("game") == game]
    config = read_toml(folder.config)
    timings, also = _read_lines(folder.timings)
    try:
        result = json.loads(folder.result.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        result = None
    if result and "courses" in result:
        result = result | result["courses"][game]
    return Record(config.alone(game), lines, timings, result, damaged + also)


def _read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records of a JSON-lines file, and how many lines are damaged."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    found = []
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and AT in record:
            found.append(record)
    return found, len(lines) - len(found)


def curve_of(points: Iterable[tuple[int, float]]) -> Curve:
    """From (iteration, value) pairs."""
    listed = list(points)
    return Curve([float(at) for at, _ in listed], [float(value) for _, value in listed])
