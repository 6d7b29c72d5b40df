"""The README's match really runs, and says what it says it does."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_match_in_ten_lines_plays_a_whole_hand(capsys):
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(code, str(README), "exec"), {})
    returns, exploitation = capsys.readouterr().out.split("} {")
    assert "player_0" in returns
    assert "defined" in exploitation
