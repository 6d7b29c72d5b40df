"""Every Python block of the documentation runs, and prints what the page says it prints.

The blocks of a page run in order, in one namespace, as a reader would paste them. A block that is
followed by a `text` block prints exactly that; any other prints what depends on the machine, or
nothing.
"""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if "```python" in page.read_text()
)
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_on_a_page_runs_and_prints_what_it_says(page, capsys):
    namespace = {"__name__": "page"}
    for code, printed in BLOCK.findall(page.read_text()):
        exec(compile(code, str(page), "exec"), namespace)
        output = capsys.readouterr().out
        if printed:
            assert output == printed, code


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name
)
def test_the_commands_on_a_page_exist(page):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for script in SHELL.findall(page.read_text()):
        for target in re.findall(r"^make (\w+)", script, re.MULTILINE):
            assert target in targets, f"{page.name} says `make {target}`"
        for module in re.findall(r"^python -m ([\w.]+)", script, re.MULTILINE):
            found = importlib.util.find_spec(module)
            assert found, f"{page.name} says `python -m {module}`"
            if found.submodule_search_locations:
                assert importlib.util.find_spec(f"{module}.__main__"), f"{module} is no command"
