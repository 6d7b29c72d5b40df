"""The README's match really runs, and says what it says it does."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_the_match_in_ten_lines_plays_a_whole_hand(capsys):
    code, *_ = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(code, str(README), "exec"), {})
    returns, exploitation = capsys.readouterr().out.split("} {")
    assert "player_0" in returns
    assert "defined" in exploitation


def measured(record: str) -> dict[str, Any]:
    return json.loads((ROOT / "benchmarks/results" / record).read_text())["measures"]


def test_every_result_it_tells_is_a_records():
    text = README.read_text()
    for arm, of in measured("credit_ablation/kuhn_poker.json").items():
        if "exploitability" not in of or " " in arm:
            continue
        final = of["exploitability"]
        low, high = final["interval"]["low"], final["interval"]["high"]
        row = f"{final['mean']:.4f} [{low:.4f}, {high:.4f}] |"
        name = "`credited`, advantages divided" if arm == "credited-std" else f"`{arm}`:"
        [line] = [line for line in text.splitlines() if line.startswith(f"| {name}")]
        assert line.endswith(row), arm
    values = measured("time_to_equilibrium/default.json")["exploitability"]
    assert f"end at {values['final']['median']:.4f} in the median seed" in text
    assert f"at {values['final']['high']:.4f} in the worst of five" in text
    assert f"exploitability {values['start']['mean']:.3f} points per hand" in text
