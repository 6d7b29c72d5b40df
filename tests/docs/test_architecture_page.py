"""docs/architecture.md shows the house as it stands: every module, and none that is not there."""

import re
from pathlib import Path

from sepo_envs import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text()
FLOORS = ("sepo_envs", "opponents", "sepo_trainer", "benchmarks")


def on_the_page():
    rows = re.findall(r"^\| `([\w.<>]+)` \|", PAGE, re.MULTILINE)
    assert len(rows) == len(set(rows))
    return {row.replace("<game>", game) for row in rows for game in CATALOGUE}


def in_the_house():
    for floor in FLOORS:
        for file in (ROOT / floor).rglob("*.py"):
            *folders, name = file.relative_to(ROOT).with_suffix("").parts
            if name not in ("__init__", "__main__"):
                yield ".".join([*folders, name])


def test_every_module_has_its_line():
    missing = set(in_the_house()) - on_the_page()
    assert not missing, "Give each a line in docs/architecture.md: what is it for?"


def test_every_line_has_its_module():
    packages = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for floor in FLOORS
        for file in (ROOT / floor).rglob("__init__.py")
    }
    gone = on_the_page() - set(in_the_house()) - packages
    assert not gone, "Strike these from docs/architecture.md."
