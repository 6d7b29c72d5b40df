"""Which pages a run gets: one, or of a joint run one per game and one that leads to them."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

from sepo_trainer.runs.report.page import write_page
from sepo_trainer.runs.run_folder import RunFolder, write_whole
from sepo_trainer.settings.resolve import read_toml

LEAD: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: auto; padding: 2rem; }}
</style>
<h1>{title}</h1>
<ul>
{rows}
</ul>
</html>
"""


def write_report(folder: RunFolder) -> None:
    """Write ``report.html`` from what the folder holds; of a joint run, a page per game under
    ``reports/`` too.

    Raises:
        ConfigError: its config.toml is missing or unreadable.
    """
    config = read_toml(folder.config)
    if len(config.games) == 1:
        write_page(folder, folder.report, *config.games, config)
        return
    rows = [
        Markup('<li><a href="reports/{game}.html">{verdict}</a></li>').format(
            game=game,
            verdict=write_page(folder, folder.path / "reports" / f"{game}.html", game, config),
        )
        for game in config.games
    ]
    title = escape(f"Run {folder.path.name}")
    write_whole(folder.report, LEAD.format(title=title, rows="\n".join(rows)))
