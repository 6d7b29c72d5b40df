from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from opponents.kuhn_poker import bets, nash_table
from sepo_envs.exact import EXACT_BELOW
from sepo_trainer.runs.report import plots, write_report
from sepo_trainer.runs.report.landmarks import landmarks
from sepo_trainer.runs.report.plots import COLORS, Curve
from sepo_trainer.runs.report.run_record import read_record
from sepo_trainer.runs.run_folder import RunFolder
from sepo_trainer.settings.resolve import build, to_toml

PICTURES = {"exploitability", "moves", "objective", "opponents", "health", "time"}
SECONDS = {"read": 0.5, "play": 2.0, "learn": 1.5}


def policy(exploitability: float, *, uncovered: float = 2e-4) -> dict[str, Any]:
    """A policy's part of a record: alpha = 0.2, but for a Queen bet after a check."""
    rows = dict(nash_table(0.2).rows) | {"Qp": bets(Qp=0.125)["Qp"]}
    return {
        "exploitability": exploitability,
        "exploitability_low": exploitability - 0.002,
        "exploitability_high": exploitability + 0.003,
        "uncovered": uncovered,
        "u": 0.01,
        "e": exploitability,
        "objective": -0.0987,
        "payoff_against": {"nash": -0.01, "best-response": -exploitability},
        "table": {key: {str(move): p for move, p in row.items()} for key, row in rows.items()},
    }


def line(iteration: int, **changes: Any) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "game": "kuhn_poker",
        **policy(0.3 / (1 + iteration)),
        "sampled_tokens": 5000,
        "foul_rate": 0.0,
        "move_entropy": 0.4,
        "kl_talk": 0.001,
        **changes,
    }


def run_of(path: Path, iterations: int, *, planned: int | None = None, **changes: Any) -> RunFolder:
    """A run's folder after ``iterations``; with ``planned`` more than that, an unfinished one."""
    folder = RunFolder(path / "a-run")
    folder.transcripts.mkdir(parents=True)
    total = planned or iterations
    config = build({"seed": 7, "learning": {"iterations": total}}, source="a test")
    folder.config.write_text(to_toml(config))
    folder.append(folder.timings, {"iteration": -1, "seconds": {"warm_start": 2.0}})
    for number in range(iterations):
        folder.append(folder.metrics, line(number, **changes))
        folder.append(folder.timings, {"iteration": number, "seconds": SECONDS})
    (folder.transcripts / "000001.txt").write_text("the first words\n")
    (folder.transcripts / "000003.txt").write_text("middle words\n")
    (folder.transcripts / "000010.txt").write_text("the last words\n")
    if total == iterations:
        result = policy(0.0123456) | {"iterations": total, "seconds": 754.0} | changes
        folder.result.write_text(json.dumps(result))
    return folder


def page_of(folder: RunFolder) -> str:
    write_report(folder)
    return folder.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of five iterations with its report; not to be changed."""
    folder = run_of(tmp_path_factory.mktemp("finished"), 5)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(finished: RunFolder) -> str:
    return finished.report.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def text_of(page: str) -> str:
    """What a reader sees, pictures left out."""
    bare = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(bare.replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    for tag, attributes in Elements(page).found:
        assert tag not in {"script", "link", "img", "iframe", "object", "base", "form"}
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.search(r"url\((?!#)|@import|https?:", page)
    assert "default-src 'none'" in page


def test_what_a_model_wrote_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    evil = "</pre><script>alert('x')</script><img src=x onerror=alert(1)> {{ 7*7 }} &amp;"
    name = '<b onclick="x">$\\frac{$'
    folder = run_of(tmp_path, 5, payoff_against={name: 0.1})
    (folder.transcripts / "000010.txt").write_text(evil)
    folder.config.write_text(folder.config.read_text() + "# <script>in the configuration</script>")
    page = page_of(folder)
    tags = {tag for tag, _ in Elements(page).found}
    assert not tags & {"script", "img", "b"}
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
    assert "{{ 7*7 }} &amp;amp;" in page
    assert "$\\frac{$</text>" in page  # a name, not a formula


def test_the_verdict_says_what_the_records_say(page: str) -> None:
    said = text_of(page)
    assert (
        "Kuhn poker, seed 7, arm credited: exploitability 0.3000 \N{RIGHTWARDS ARROW} 0.0123 "
        "points per hand (0.0103 to 0.0153, exact) in 12 min 34 s."
    ) in said
    assert "Objective J -0.0987" in said
    assert "<title>Run a-run: exploitability 0.0123</title>" in page
    assert "5 of 5" in said
    assert "not finished" not in said


@pytest.mark.parametrize(
    ("uncovered", "exact"), [(0.999 * EXACT_BELOW, True), (EXACT_BELOW, False)]
)
def test_a_number_is_exact_while_little_enough_is_uncovered(
    tmp_path: Path, uncovered: float, exact: bool
) -> None:
    said = text_of(page_of(run_of(tmp_path, 2, uncovered=uncovered)))
    assert ("exact) in" in said and "not exact) in" not in said) == exact
    assert ("Trust the interval" in said) == (not exact)


def test_the_final_policy_stands_beside_the_nearest_equilibrium(page: str) -> None:
    (worst,) = re.findall(r'<tr class="worst">(.*?)</tr>', page)
    cells = re.findall(r"<td>(.*?)</td>", worst)
    assert cells == ["Queen after a check: bet", "0.125", "0.000", "0.000", "+0.125"]
    assert "Off the nearest equilibrium 0.125 at most" in text_of(page)
    assert "0.000 to 0.333" in page  # a Jack's opening bet, in any equilibrium


def test_only_the_first_and_the_last_transcript_are_shown(page: str) -> None:
    assert "the first words" in page
    assert "the last words" in page
    assert "middle words" not in page


def test_the_resolved_configuration_is_shown(page: str) -> None:
    assert "max_new_tokens = 32" in page


def test_a_run_of_one_iteration_has_a_report(tmp_path: Path) -> None:
    said = text_of(page_of(run_of(tmp_path, 1)))
    assert "1 of 1" in said


def test_a_run_that_has_not_ended_says_how_far_it_is(tmp_path: Path) -> None:
    folder = run_of(tmp_path, 4, planned=9)
    said = text_of(page_of(folder))
    assert "This run is not finished: 4 of 9 iterations are done." in said
    assert "0.3000 \N{RIGHTWARDS ARROW} 0.0750 points per hand" in said
    assert "in 18 s, after 4 of 9 iterations." in said  # 2 of warm start, 4 times 4


def budgeted(path: Path, weights: list[float]) -> str:
    """The page of a run that ended and whose budget's multiplier went through ``weights``."""
    folder = run_of(path, len(weights))
    tree = {"objective": {"budget": {"exploitability": 0.05}}}
    folder.config.write_text(to_toml(build(tree, source="a test")))
    moved = (line(at, lambda_exploitability=weight) for at, weight in enumerate(weights))
    folder.metrics.write_text("".join(json.dumps(one) + "\n" for one in moved))
    return text_of(page_of(folder))


def test_a_budget_says_what_is_left_of_its_harm_and_whether_it_settled(tmp_path: Path) -> None:
    falling = budgeted(tmp_path / "falling", [1.5 - 0.05 * at for at in range(20)])
    assert (
        "Of e 0.05 is allowed; the final policy has 0.0123, and the multiplier stands at 0.55."
        in falling
    )
    assert "over the last tenth of the run its multiplier went from 0.65 to 0.55." in falling
    resting = budgeted(tmp_path / "resting", [1.5, 1.0, *[0.6] * 18])
    assert "the multiplier stands at 0.6." in resting
    assert "not settled" not in resting


def test_weights_that_never_moved_are_not_drawn(tmp_path: Path) -> None:
    assert "Multipliers" not in budgeted(tmp_path, [1.5] * 12)


def test_a_single_iteration_without_a_result_has_a_report(tmp_path: Path) -> None:
    assert "1 of 2" in text_of(page_of(run_of(tmp_path, 1, planned=2)))


def test_a_run_without_any_iteration_has_a_report(tmp_path: Path) -> None:
    folder = run_of(tmp_path, 0, planned=2)
    assert "no iteration has ended yet" in text_of(page_of(folder))
    assert not list(folder.plots.iterdir())


@pytest.mark.parametrize("ending", ['{"iteration":4,"exp', '{"iteration":4,\n', "\0\0", "3\n"])
def test_a_damaged_last_line_is_left_out(tmp_path: Path, ending: str) -> None:
    folder = run_of(tmp_path, 4, planned=9)
    with folder.metrics.open("a") as file:
        file.write(ending)
    record = read_record(folder, "kuhn_poker")
    assert len(record.lines) == 4
    assert record.damaged == 1


def test_the_report_mentions_damaged_lines(tmp_path: Path) -> None:
    folder = run_of(tmp_path, 4, planned=9)
    with folder.metrics.open("a") as file:
        file.write('{"iteration":4,"exploit')
    said = text_of(page_of(folder))
    assert "4 of 9 iterations" in said
    assert "Left out: 1 line" in said


def test_a_damaged_result_counts_as_none(tmp_path: Path) -> None:
    folder = run_of(tmp_path, 4)
    folder.result.write_text('{"exploitabil')
    assert read_record(folder, "kuhn_poker").result is None


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    folder = run_of(tmp_path, 2)
    folder.timings.unlink()
    lines = [json.loads(text) for text in folder.metrics.read_text().splitlines()]
    folder.metrics.unlink()
    for one in lines:
        folder.append(folder.metrics, {k: v for k, v in one.items() if k != "kl_talk"})
    page = page_of(folder)
    assert "KL of the talk" not in page
    assert {path.stem for path in folder.plots.iterdir()} == PICTURES - {"time"}


def test_an_exploitability_of_zero_has_a_place_on_the_logarithmic_axis(tmp_path: Path) -> None:
    page = page_of(run_of(tmp_path, 3, exploitability=0.0, exploitability_low=0.0, uncovered=0.0))
    assert "0.0000" in page
    assert "nan" not in page.lower()


def test_a_game_of_which_nothing_is_known_has_a_report(tmp_path: Path) -> None:
    folder = run_of(tmp_path, 3, table={"s<1>": {"a": 0.2, "b": 0.3, "c": 0.5}, "s2": {"a": 1.0}})
    text = folder.config.read_text().replace("kuhn_poker", "rock_paper")
    folder.config.write_text(text)
    page = page_of(folder)
    said = text_of(page)
    assert "Rock paper, seed 7" in said
    assert "points per episode" in said
    assert "s&lt;1&gt;: c" in page
    assert not re.search("nearest equilibrium|alpha = 0|uniform play|Jack|Kuhn", page)


def test_every_picture_is_a_file_that_shows_something(finished: RunFolder) -> None:
    folder = finished
    assert {path.name for path in folder.plots.iterdir()} == {f"{name}.svg" for name in PICTURES}
    for path in folder.plots.iterdir():
        drawn = ElementTree.parse(path)
        paths = drawn.findall(".//{http://www.w3.org/2000/svg}path")
        texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
        assert len(paths) > 8, path
        assert "iteration" in texts, path
    moves = (folder.plots / "moves.svg").read_text()
    assert all(word in moves for word in ("Jack", "Queen", "King", "P(call)"))


def test_ids_are_unique_and_references_find_them(page: str) -> None:
    ids = Counter(re.findall(r'\bid="([^"]*)"', page))
    assert ids.most_common(1)[0][1] == 1
    assert set(re.findall(r'(?:url\(|href=")#([\w-]+)', page)) <= set(ids)


def test_pictures_in_the_page_take_its_colours(page: str) -> None:
    inside = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6}\b", inside.replace('"#', ""))
    used = set(re.findall(r"var\(--([\w-]+)\)", inside))
    assert {"ink", "muted", "grid", "band", "series-1"} <= used <= set(COLORS)


def test_the_same_records_give_the_same_bytes(tmp_path: Path, finished: RunFolder) -> None:
    again = run_of(tmp_path, 5)
    write_report(again)
    for path in (again.report, *again.plots.iterdir()):
        assert path.read_bytes() == (finished.path / path.relative_to(again.path)).read_bytes()


def test_a_write_that_fails_leaves_the_report_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_of(tmp_path, 1)
    folder.report.write_text("the report so far")

    def half(self: Path, text: str, encoding: str) -> None:
        self.write_bytes(text.encode()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space"):
        write_report(folder)
    assert folder.report.read_text() == "the report so far"
    assert not list(folder.plots.glob("*.svg"))


def test_no_draft_is_left_behind(finished: RunFolder) -> None:
    assert not list(finished.path.rglob("*draft*"))


def test_drawing_leaves_the_global_settings_of_matplotlib_alone(tmp_path: Path) -> None:
    before = {key: matplotlib.rcParams[key] for key in (*plots.STYLE, "svg.hashsalt")}
    write_report(run_of(tmp_path, 1))
    assert {key: matplotlib.rcParams[key] for key in before} == before


def test_the_curve_is_drawn_where_the_numbers_are() -> None:
    values = [0.3, 0.1, 0.01]
    curve = Curve([0, 1, 2], values)
    figure = plots.exploitability(curve, curve, curve, unit="points", uniform=0.4583, width=5)
    (axes,) = figure.axes
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert values in drawn
    assert [0.4583, 0.4583] in drawn
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1 / 3])
def test_a_member_of_the_family_is_its_own_nearest(alpha: float) -> None:
    family = landmarks("kuhn_poker").family
    assert family is not None
    nearest = family.nearest(family.rows(alpha))
    assert nearest.parameter == pytest.approx(alpha, abs=1e-9)
    assert nearest.distance == pytest.approx(0, abs=1e-9)


def test_the_nearest_member_balances_what_the_others_miss() -> None:
    # A King bet half the time asks for alpha = 1/6, a Queen's call of 2/3 for 1/3; the King's
    # probability moves three times as fast: 3 a - 1/2 = 1/3 - a at a = 5/24.
    family = landmarks("kuhn_poker").family
    assert family is not None
    rows = family.rows(5 / 24) | {"K": {"pass": 0.5, "bet": 0.5}}
    rows |= {"Qpb": {"pass": 1 / 3, "bet": 2 / 3}}
    nearest = family.nearest(rows)
    assert nearest.parameter == pytest.approx(5 / 24, abs=1e-9)
    assert nearest.distance == pytest.approx(1 / 8, abs=1e-9)


def test_the_bands_of_kuhn_poker_are_those_of_the_paper() -> None:
    family = landmarks("kuhn_poker").family
    assert family is not None
    assert family.band("J", "bet") == pytest.approx((0, 1 / 3))
    assert family.band("K", "bet") == pytest.approx((0, 1))
    assert family.band("Qpb", "bet") == pytest.approx((1 / 3, 2 / 3))
    assert family.band("Qb", "bet") == pytest.approx((1 / 3, 1 / 3))
