"""How exploitable a run was while it trained: read from its folder, and drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.leaderboard.courses import courses
from benchmarks.leaderboard.page.curves import exploitability_curves


def run_folder(place: Path, **config: int) -> Path:
    """A run of Kuhn poker whose policy was read at three iterations."""
    place.mkdir()
    (place / "config.toml").write_text("".join(f"{key} = {it}\n" for key, it in config.items()))
    lines = [
        {"game": "kuhn_poker", "iteration": at, "exploitability": value, "table": {}}
        for at, value in ((0, 0.4), (1, 0.04), (2, 0.004))
    ]
    (place / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return place


def test_a_run_s_course_is_what_it_wrote_down(tmp_path: Path) -> None:
    place = run_folder(tmp_path / "kuhn_poker-3", seed=3)
    noted = {"3": ((0.0, 0.4), (1.0, 0.04), (2.0, 0.004))}
    assert courses(f"run:{place}", "kuhn_poker") == noted
    assert courses(f"run:{tmp_path}/{{domain}}-3@best", "kuhn_poker") == noted


def test_who_is_no_run_or_has_not_trained_yet_has_no_course(tmp_path: Path) -> None:
    assert courses("tit-for-tat", "kuhn_poker") == {}
    place = run_folder(tmp_path / "kuhn_poker-3", seed=3)
    assert courses(f"run:{place}@0", "kuhn_poker") == {}


def test_equal_ratios_are_equal_distances_on_the_axis() -> None:
    drawn = exploitability_curves({"3": ((0.0, 0.4), (1.0, 0.04), (2.0, 0.004))}, {"uniform": 0.45})
    [path] = re.findall(r'class="course" d="M(.*?)"', drawn)
    heights = [float(point.split()[1]) for point in path.split("L")]
    first, second = heights[1] - heights[0], heights[2] - heights[1]
    assert first > 0, "less is further down"
    assert abs(first - second) < 0.2
    assert ">uniform</text>" in drawn


def test_a_number_of_0_is_drawn_at_the_edge() -> None:
    assert "course" in exploitability_curves({"0": ((0.0, 0.0),)}, {})


def test_a_level_s_name_is_no_markup() -> None:
    drawn = exploitability_curves({"0": ((0.0, 0.1),)}, {"<script>": 0.2})
    assert "<script>" not in drawn
