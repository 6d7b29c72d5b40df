"""A person plays in a real browser: with and without scripts, by mouse and by keys, in the dark."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.play_server.house import House
from benchmarks.play_server.lobby import Lobby
from benchmarks.play_server.server import Server

Open = Callable[..., Page]
Shot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    made = Server(House(Lobby()))
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made.url
    made.shutdown()
    made.house.close()
    made.server_close()
    thread.join()


def press(page: Page, name: str) -> None:
    """The one button that says so; the picture of the table may say it too."""
    page.get_by_role("button", name=name, exact=True).click()


def sit_down(page: Page, opponent: str, seed: str = "7", seat: str = "0", **fields: str) -> None:
    """From the page of a game to the table."""
    page.check(f'input[value="{opponent}"]')
    page.select_option("select[name=seat]", seat)
    for name, value in {"seed": seed, **fields}.items():
        page.fill(f"input[name={name}]", value)
    press(page, "Sit down")


def test_a_match_from_the_front_page_to_the_review(
    url: str, open_page: Open, screenshot: Shot
) -> None:
    """Defecting on tit-for-tat costs 1, 2, 2, 2, 2, 2, 3 and 0 points (by hand)."""
    page = open_page(url)
    screenshot(page, "play-lobby")
    page.get_by_role("link", name="Prisoner's dilemma").first.click()
    screenshot(page, "play-game")
    sit_down(page, "train/tit-for-tat")
    for number in range(8):
        assert page.locator(".history li").count() == number
        if number == 3:
            screenshot(page, "play-table")
        page.locator(".moves button", has_text="defect").click()
    page.wait_for_selector("text=What your play cost others")
    screenshot(page, "play-over")
    costs = page.locator("tbody td.number").all_inner_texts()
    assert [float(cost) for cost in costs] == [1, 2, 2, 2, 2, 2, 3, 0]
    with page.expect_download() as replay:
        page.get_by_role("link", name="Download the replay").click()
    assert replay.value.suggested_filename == "prisoners_dilemma-7-0.jsonl"
    press(page, "Next deal")
    expect(page.locator(".who")).to_contain_text("deal 1")


def test_without_scripts_items_are_demanded_by_forms_alone(
    url: str, open_page: Open, screenshot: Shot
) -> None:
    page = open_page(f"{url}game/item_negotiation", java_script_enabled=False)
    sit_down(page, "train/fair", rounds="1")
    for item in ("books", "hats", "balls"):
        page.locator(f'input[name={item}][value="0"] + span').click()
    screenshot(page, "play-items")
    press(page, "Demand")
    page.wait_for_selector("text=Every card is open now")
    assert "[0,0,0]" in page.content()


def test_keys_play_in_the_dark_on_a_phone(url: str, open_page: Open, screenshot: Shot) -> None:
    """The buttons are pressed by their numbers; nothing is wider than the screen."""
    page = open_page(
        f"{url}game/kuhn_poker",
        color_scheme="dark",
        viewport={"width": 390, "height": 800},
    )
    sit_down(page, "exploit/always-bet", rounds="1")
    page.wait_for_selector(".moves kbd")  # the page's script writes them
    assert page.locator(".moves kbd").all_inner_texts() == ["1", "2"]
    screenshot(page, "play-dark")
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wide)
    page.keyboard.press("2")
    page.wait_for_selector("text=What your play cost others")
    page.wait_for_load_state()  # with its style: the page has only just come
    assert not page.evaluate(wide)
    screenshot(page, "play-dark-over")


def test_a_form_on_another_site_is_refused(url: str, browser: Browser) -> None:
    """A browser says for itself where a form comes from."""
    page = browser.new_page()
    page.set_content(
        f'<form method="post" action="{url}game/kuhn_poker">'
        '<button name="opponent" value="train/nash">go</button></form>'
    )
    page.click("button")
    assert "of another site" in page.inner_text("body")
    page.close()
