"""The page of the leaderboard says what the records say, and nothing can be put into it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.leaderboard.page import files
from benchmarks.leaderboard.page.columns import COLUMNS
from benchmarks.leaderboard.page.shown import MINUS
from benchmarks.leaderboard.records import (
    AgentRecord,
    Competency,
    CrossPlay,
    Exploitability,
    Spent,
)
from benchmarks.leaderboard.tables import whole
from benchmarks.records import RecordError
from tests.benchmarks.leaderboard.hostile import ATTACK, poisoned
from tests.benchmarks.leaderboard.small_board import PAYOFFS, agents, cross_plays

METRICS = Path(__file__).parents[3] / "docs/metrics.md"

Board = tuple[list[AgentRecord], list[CrossPlay]]


@pytest.fixture(scope="module")
def board() -> Board:
    return agents(), cross_plays()


@pytest.fixture(scope="module")
def page(board: Board) -> str:
    return written(*board)


def written(records: list[AgentRecord], met: list[CrossPlay]) -> str:
    [(name, text)] = files(records, met).items()
    assert name == "page.html"
    return text


class Elements(HTMLParser):
    """Every element with its attributes, and what is open around it."""

    VOID = ("meta", "link", "input", "path", "img", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def table(page: str, key: str) -> dict[str, dict[str, str]]:
    """What a sortable table of the page says in words: by agent, by column."""
    inner = re.search(rf'<table class="sortable" id="table-{key}">(.*?)</table>', page, re.S)
    assert inner is not None
    heads = re.findall(r'<th scope="col" data-key="([\w-]+)"', inner[1])
    rows = re.findall(r'<tr data-agent="([^"]+)".*?>(.*?)</tr>', inner[1], re.S)
    return {
        name: dict(
            zip(heads[1:], map(words, re.findall(r"<td.*?>(.*?)</td>", row, re.S)), strict=True)
        )
        for name, row in rows
    }


def words(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def changed(record: AgentRecord, domain: str, **fields: object) -> AgentRecord:
    score = record.domains[domain].model_copy(update=fields)
    return record.model_copy(update={"domains": {**record.domains, domain: score}})


def of(board: Board, name: str) -> AgentRecord:
    return next(record for record in board[0] if record.agent.name == name)


def test_the_same_records_in_any_order_are_the_same_bytes(board: Board, page: str) -> None:
    records, met = board
    assert written(records[::-1], met[::-1]) == page


def test_a_board_without_records_says_how_to_make_some() -> None:
    assert "python -m benchmarks.leaderboard run" in written([], [])


def test_tit_for_tat_loses_five_sixteenths_a_round_to_exploiters(page: str) -> None:
    row = table(page, "prisoners_dilemma")["tit-for-tat"]
    assert row["e"] == "0.31 [0.31, 0.31]"  # (0.625 + 0) / 2, by hand in docs/metrics.md
    assert row["exploitability"] == "2.00 exact"  # the best reply to it earns 26, itself 24


def test_uniform_play_of_kuhn_poker_is_exploitable_by_11_24ths(page: str) -> None:
    row = table(page, "kuhn_poker")["random"]
    assert row["exploitability"] == "0.458 exact"
    assert table(page, "kuhn_poker")["nash"]["exploitability"] == "0.000 exact"


def test_the_safest_is_first_and_whoever_has_no_number_last(board: Board) -> None:
    records, met = board
    unscored = [
        changed(record, "prisoners_dilemma", safety="it broke off")
        if record.agent.name == "always-defect"
        else record
        for record in records
    ]
    rows = table(written(unscored, met), "prisoners_dilemma")
    assert list(rows) == ["tit-for-tat", "nash", "random", "always-defect"]
    assert rows["always-defect"]["safety"] == "none a"


def test_every_number_has_its_interval_or_says_that_it_is_exact(page: str) -> None:
    for key in ("overall", "kuhn_poker", "prisoners_dilemma", "prisoners_dilemma-more"):
        for name, row in table(page, key).items():
            for head, said in row.items():
                assert re.fullmatch(
                    rf"[{MINUS}]?[\d.]+ (\[.+, .+\]|exact|no interval)|none [a-z]", said
                ), (key, name, head, said)


def test_every_number_that_there_is_not_has_its_reason(board: Board) -> None:
    unasked = changed(of(board, "nash"), "kuhn_poker", u="it was not asked", e="it broke off")
    page = written([unasked, of(board, "random")], [])
    assert "<sup>a</sup> it was not asked." in page
    assert "<sup>b</sup> it broke off." in page
    marks = set(re.findall(r'class="none".*?<sup>([a-z]+)</sup>', page))
    assert marks == {"a", "b"} == set(re.findall(r"<span><sup>(\w)</sup> it", page))


def test_what_is_not_defined_in_a_zero_sum_game_has_no_column_there_and_never_a_0(
    page: str,
) -> None:
    assert {"c", "x"}.isdisjoint(table(page, "kuhn_poker")["nash"])
    assert "c, x (not defined in a zero-sum game)" in words(page)


def test_a_lower_bound_does_not_look_like_an_exact_number(board: Board) -> None:
    bound = Exploitability(value=1.5, low=1.0, high=2.0, kind="lower bound", how="exploiter")
    loose = Exploitability(value=1.5, low=1.0, high=2.0, kind="not exact", how="not covered")
    records = [
        changed(of(board, "tit-for-tat"), "prisoners_dilemma", exploitability=bound),
        changed(of(board, "always-defect"), "prisoners_dilemma", exploitability=loose),
        of(board, "nash"),
    ]
    page = written(records, [])
    rows = table(page, "prisoners_dilemma")
    assert rows["tit-for-tat"]["exploitability"] == "1.50 [1.00, 2.00] lower bound"
    assert rows["always-defect"]["exploitability"] == "1.50 [1.00, 2.00] not exact"
    printed = whole(records, [])
    assert "| 1.500+ [1.000, 2.000] |" in printed
    assert "| ~1.500 [1.000, 2.000] |" in printed
    drawn = page[page.index('id="table-prisoners_dilemma"') :]
    for name, mark in (("tit-for-tat", "arrow"), ("always-defect", "hollow")):
        row = drawn[drawn.index(f'data-agent="{name}"') :]
        assert f'<path class="{mark}"' in row[: row.index("</tr>")]


def test_what_an_agent_in_words_knows_and_spends_has_columns_of_its_own(board: Board) -> None:
    knows = Competency(
        questions=50, legal_moves=(0.5, 0.25, 0.75), payoffs=(1.0, 0.93, 1.0), unreadable=3
    )
    spent = Spent(prompt_tokens=9_000, output_tokens=1_234, dollars=0.25)
    asked = changed(of(board, "nash"), "kuhn_poker", competency=knows, spent=spent)
    rows = table(written([asked, of(board, "random")], []), "kuhn_poker-more")
    assert rows["nash"]["tokens"] == "10,234"
    assert rows["nash"]["dollars"] == "0.25"
    assert rows["nash"]["legal_moves"].startswith("0.500 [")
    assert rows["random"]["tokens"].startswith("none ")


def test_rows_that_differ_in_kind_say_so(board: Board) -> None:
    records, met = board
    other = of(board, "always-defect").model_copy(update={"seed": 7})
    trained = changed(of(board, "random"), "prisoners_dilemma", over="seeds")
    rest = [r for r in records if r.agent.name not in ("always-defect", "random")]
    page = written([*rest, other, trained], met)
    inner = page[page.index('id="table-prisoners_dilemma"') :]

    def badges(name: str) -> list[str]:
        row = inner[inner.index(f'data-agent="{name}"') :]
        return re.findall(r'<span class="badge".*?>(.*?)</span>', row[: row.index("</tr>")])

    assert badges("tit-for-tat") == ["in train"]
    assert badges("always-defect") == ["in exploit", "other deals"]
    assert "over seeds" in badges("random")
    assert badges("nash") == []


def test_ranks_are_those_of_the_cross_play_over_all_domains(page: str) -> None:
    rows = table(page, "overall")
    assert list(rows) == ["nash", "random"], "agents of one domain stand in its table alone"
    assert rows["nash"]["rank"] == "1 [1, 1]"
    assert rows["random"]["rating"] == "0 [-50, 50]".replace("-", MINUS)


def test_who_has_no_rank_is_told_why(board: Board) -> None:
    records, met = board
    absent = of(board, "nash").agent.model_copy(update={"spec": "latecomer", "name": "latecomer"})
    latecomer = of(board, "nash").model_copy(update={"agent": absent})
    page = written([*records, latecomer], met)
    inner = page[page.index('id="table-overall"') : page.index('id="kuhn_poker"')]
    assert table(page, "overall")["latecomer"]["rank"] == "none a"
    assert "<sup>a</sup> nobody of this name took part in cross-play" in inner


def test_the_matrix_holds_what_each_earned_against_each(page: str) -> None:
    inner = re.search(r'id="prisoners_dilemma".*?<table class="matrix">(.*?)</table>', page, re.S)
    assert inner is not None
    columns = re.findall(r'<th scope="col"><span>(.*?)</span>', inner[1])
    assert columns == ["always-defect", "nash", "tit-for-tat", "random"]
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', inner[1], re.S)
    assert [name for name, _ in rows] == columns
    shades = {}
    for name, row in rows:
        tiles = re.findall(r'--v:(\d+)".*?class="n">(.*?)</span>', row)
        for column, (shade, text) in zip(columns, tiles, strict=True):
            assert text == f"{PAYOFFS[name][column]:.2f}"
            shades[PAYOFFS[name][column]] = int(shade)
    assert [shades[payoff] for payoff in sorted(shades)] == sorted(shades.values())
    assert min(shades.values()) < 10 < 90 < max(shades.values())


def test_matches_are_told_from_their_moves_and_not_from_what_a_record_says(board: Board) -> None:
    record = of(board, "tit-for-tat")
    [worst, *_] = record.domains["prisoners_dilemma"].worst
    forged = changed(
        record,
        "prisoners_dilemma",
        worst=(worst.model_copy(update={"focal": 9.0, "background": 0.0}),),
    )
    said = words(written([forged], []))
    assert "as player_0: +0.88 to +1.50 a round" in said
    assert (
        "round 1: player_0 cooperate, player_1 defect -> player_0 +0, player_1 +5 "
        "round 2: player_0 defect, player_1 defect -> player_0 +1, player_1 +1" in said
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"moves": [[0, "defect"], [1, "steal"]]}, "cannot be played again"),
        ({"moves": [[0, "defect"], [1, "defect"]], "returns": None}, "is not over"),
        ({"returns": [12.0, 7.0]}, "cannot be played again"),
        ({"game": "kuhn_poker"}, "is of another game: 'kuhn_poker'"),
        ({"options": {"rounds": 8, "bribe": 1}}, "cannot be played again"),
    ],
)
def test_a_forged_match_is_refused(board: Board, change: dict[str, object], complaint: str) -> None:
    record = of(board, "tit-for-tat")
    [worst, *_] = record.domains["prisoners_dilemma"].worst
    moves = {**worst.record, **change}
    forged = worst.model_copy(
        update={"record": {key: value for key, value in moves.items() if value is not None}}
    )
    with pytest.raises(RecordError, match=r"a match of tit-for-tat against always-defect"):
        written([changed(record, "prisoners_dilemma", worst=(forged,))], [])
    with pytest.raises(RecordError, match=complaint):
        written([changed(record, "prisoners_dilemma", worst=(forged,))], [])


def test_its_moves_stand_beside_those_of_the_equilibria(page: str) -> None:
    said = words(page[page.index('id="agent-tight-passive-kuhn_poker"') :])
    assert "Queen, faces a bet 8 agent 0 1.00 equilibrium 0.33 0.67" in said
    assert "Jack, opens 4 agent 0.25 0.75 equilibrium 0.00 to 0.33 0.67 to 1.00" in said
    said = words(page[page.index('id="agent-tit-for-tat-prisoners_dilemma"') :])
    assert "start 4 agent 1.00 0 equilibrium 0 1.00 after CC 14 agent" in said


def test_no_text_of_a_record_becomes_markup(board: Board) -> None:
    page = written([poisoned(record) for record in board[0]], [])
    elements = Elements(page)
    assert not elements.open
    assert page.count("<script") == 1
    assert not elements.all("img")
    assert all("onerror" not in attributes for _, attributes in elements.found)
    assert page.count("alert(1)") == page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 100
    assert len(ATTACK) * 100 > 3_000
    assert "more characters in the record" in page


def test_a_browser_may_run_the_page_s_own_script_and_nothing_else(page: str) -> None:
    script = re.search(r"<script>(.*?)</script>", page, re.S)
    assert script is not None
    digest = b64encode(sha256(script[1].encode()).digest()).decode()
    [policy] = [m["content"] for m in Elements(page).all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in unescape(policy)


def test_the_page_needs_nothing_else(page: str) -> None:
    for _, attributes in Elements(page).found:
        assert "src" not in attributes
        link = attributes.get("href", "#")
        assert link.startswith(("#", "../../../docs/metrics.md")) or link == "data:,", link
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_link_inside_the_page_leads_somewhere(page: str) -> None:
    elements = Elements(page)
    ids = Counter(attributes["id"] for _, attributes in elements.found if "id" in attributes)
    assert max(ids.values()) == 1
    links = {a["href"][1:] for a in elements.all("a") if a["href"].startswith("#")}
    assert len(links) > 20
    assert links <= set(ids)


def test_every_head_is_one_for_readers_who_hear_the_page(page: str) -> None:
    elements = Elements(page)
    assert all("scope" in attributes for attributes in elements.all("th"))
    assert page.count("<caption>") == page.count("<table")
    sorted_heads = [a for a in elements.all("th") if "aria-sort" in a]
    assert len(sorted_heads) == 3, "of all domains together, and of each"


def test_every_column_is_defined_where_the_glossary_says(page: str) -> None:
    metrics = METRICS.read_text()
    anchors = set(re.findall(r"\]\(#([\w-]+)\)", metrics))
    assert len(COLUMNS) > 15
    for column in COLUMNS.values():
        assert f'<dt id="about-{column.key}">' in page
        assert column.formula.replace("-", MINUS) in metrics
        assert not column.anchor or column.anchor in anchors


def test_a_run_s_course_is_drawn_with_a_line_for_each_training(board: Board) -> None:
    noted = {"0": ((0.0, 0.4), (8.0, 0.02)), "1": ((0.0, 0.4), (8.0, 0.01))}
    page = written([changed(of(board, "nash"), "kuhn_poker", courses=noted), *board[0][2:3]], [])
    assert page.count('<path class="course"') == 2
    assert "a line for each of 2 trainings" in page
    assert ">uniform play</text>" in page
