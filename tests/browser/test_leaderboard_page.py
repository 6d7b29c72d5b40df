"""The page of the leaderboard in a real browser: read, sorted, filtered, and nothing that a record
says is run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.leaderboard.page import files
from tests.benchmarks.leaderboard.hostile import ATTACK, poisoned
from tests.benchmarks.leaderboard.small_board import agents, cross_plays

Open = Callable[..., Page]
Shot = Callable[[Page, str], None]

DILEMMA = "#table-prisoners_dilemma"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _url(files(agents(), cross_plays()), tmp_path_factory.mktemp("page"))


def _url(made: dict[str, str], folder: Path) -> str:
    for name, text in made.items():
        (folder / name).write_text(text)
    return (folder / "page.html").as_uri()


def names(page: Page, table: str = DILEMMA) -> list[str]:
    """Of the rows that are shown, from the top."""
    found = page.locator(f"{table} tbody tr:visible th a").all_inner_texts()
    return [name.strip() for name in found]


def click(page: Page, head: str, table: str = DILEMMA) -> None:
    page.locator(f"{table} thead th button", has_text=head).first.click()


def test_a_click_sorts_by_number_and_another_turns_it_round(open_page: Open, url: str) -> None:
    page = open_page(url)
    assert names(page) == ["tit-for-tat", "nash", "always-defect", "random"]
    click(page, "Exploitability")
    assert names(page) == ["random", "tit-for-tat", "always-defect", "nash"]  # two of 0, by name
    click(page, "Exploitability")
    assert names(page) == ["always-defect", "nash", "tit-for-tat", "random"]
    head = page.locator(f"{DILEMMA} th[aria-sort]")
    assert (head.count(), head.get_attribute("aria-sort")) == (1, "ascending")
    click(page, "Agent")
    assert names(page) == ["always-defect", "nash", "random", "tit-for-tat"]


def test_who_has_no_number_stands_last_in_both_directions(open_page: Open, tmp_path: Path) -> None:
    records = agents()
    score = records[1].domains["prisoners_dilemma"].model_copy(update={"u": "it was not asked"})
    domains = {**records[1].domains, "prisoners_dilemma": score}
    records[1] = records[1].model_copy(update={"domains": domains})
    page = open_page(_url(files(records, cross_plays()), tmp_path))
    for _ in range(2):
        click(page, "u")
        assert names(page)[-1] == records[1].agent.name == "nash"


def test_a_keyboard_sorts_too(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.locator(f"{DILEMMA} thead th button", has_text="Exploitability").focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == "random"


def test_filters_leave_what_they_are_asked_for(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.select_option("select[name=domain]", "kuhn_poker")
    expect(page.locator("#kuhn_poker")).to_be_visible()
    expect(page.locator("#prisoners_dilemma")).to_be_hidden()
    expect(page.locator("#filters output")).to_have_text("3 of 5 agents")
    page.fill("input[name=agent]", "TIGHT")
    assert names(page, "#table-kuhn_poker") == ["tight-passive"]
    expect(page.locator("#filters output")).to_have_text("1 of 5 agents")
    page.click("button[type=reset]")
    expect(page.locator("#filters output")).to_have_text("5 agents")
    assert len(names(page)) == 4


def test_the_address_keeps_what_was_chosen(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.select_option("select[name=domain]", "prisoners_dilemma")
    click(page, "Exploitability")
    again = open_page(page.url)
    assert names(again) == ["random", "tit-for-tat", "always-defect", "nash"]
    expect(again.locator("#kuhn_poker")).to_be_hidden()


def test_a_name_leads_to_all_that_is_known_of_the_agent(open_page: Open, url: str) -> None:
    page = open_page(url)
    inside = page.locator("#agent-tit-for-tat")
    expect(inside).to_be_hidden()
    page.locator(f"{DILEMMA} a", has_text="tit-for-tat").click()
    expect(inside).to_be_visible()
    inside.locator("details.match summary").first.click()
    expect(inside.locator("details.match pre").first).to_contain_text("player_0 cooperate")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(
    open_page: Open, screenshot: Shot, url: str, width: int, scheme: str
) -> None:
    page = open_page(
        f"{url}#agent-nash", viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    expect(page.locator("#agent-nash")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(page, f"leaderboard-{width}-{scheme}")


def test_names_are_readable_where_the_matrix_is_wider_than_the_screen(
    open_page: Open, url: str
) -> None:
    page = open_page(f"{url}#prisoners_dilemma", viewport={"width": 400, "height": 900})
    region = page.locator("#prisoners_dilemma ~ details .scroll:has(.matrix)").first
    assert region.evaluate("it => it.scrollWidth > it.clientWidth")
    for head in region.locator("tbody th").all():
        box = head.bounding_box()
        assert box is not None
        assert box["width"] > 60
        assert box["height"] < 60, f"{head.inner_text()!r} takes more than three lines"


def test_without_javascript_everything_is_there_to_read(
    open_page: Open, screenshot: Shot, url: str
) -> None:
    page = open_page(url, java_script_enabled=False, viewport={"width": 1400, "height": 900})
    assert names(page) == ["tit-for-tat", "nash", "always-defect", "random"]
    expect(page.locator("#filters")).to_be_hidden()
    page.locator("details.agent summary", has_text="tit-for-tat").click()
    expect(page.locator("#agent-tit-for-tat .moves")).to_be_visible()
    page.locator(f"{DILEMMA} thead a", has_text="Exploitability").click()
    assert page.url.endswith("#about-exploitability")
    screenshot(page, "leaderboard-without-javascript")


def test_a_record_s_words_are_shown_and_never_run(open_page: Open, tmp_path: Path) -> None:
    records = [poisoned(record) for record in agents()]
    page = open_page(_url(files(records, []), tmp_path))
    page.on("dialog", lambda dialog: pytest.fail(f"a record's script ran: {dialog.message}"))
    assert page.locator("script").count() == 1
    page.locator("details.agent summary", has_text="tight-passive").click()
    expect(page.locator("#agent-tight-passive")).to_contain_text(ATTACK[:30])
