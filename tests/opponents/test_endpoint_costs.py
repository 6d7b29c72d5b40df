"""What an endpoint costs: every reply is paid for once, and no budget or rate is passed."""

from __future__ import annotations

import gc
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from opponents import prisoners_dilemma
from opponents.endpoint import CacheError, EndpointError, Prices, ReplyCache, Settings
from opponents.endpoint.allowance import Pace
from opponents.matches import play_matches
from tests.opponents.chat_server import (
    ONE_BY_ONE,
    PRICES,
    Clock,
    Trouble,
    asked,
    echo,
    endpoint,
)


def test_a_reply_is_paid_for_once(serve, tmp_path: Path) -> None:
    server = serve(echo)
    file = tmp_path / "deep" / "replies.sqlite"
    requests = [asked(text, seed) for text in ("a", "b") for seed in (1, 2)]
    settings = Settings(prices=PRICES)
    first = endpoint(server, settings, cache=ReplyCache(file))
    replies = first.reply([*requests, requests[0]])
    assert len(server.bodies) == 4
    again = endpoint(server, settings, cache=ReplyCache(file))
    assert again.reply(requests) == replies[:4]
    assert (len(server.bodies), again.asked, again.spent) == (4, 0, 0.0)
    others = [
        Settings(prices=PRICES, temperature=0.5),
        Settings(prices=PRICES, max_tokens=5),
        Settings(prices=PRICES, extra={"top_p": 0.5}),
    ]
    for number, changed in enumerate(others, 5):  # another question, so another answer
        endpoint(server, changed, cache=ReplyCache(file)).reply(requests[:1])
        assert len(server.bodies) == number
    dearer = endpoint(server, Settings(prices=Prices(2e6, 2e6)), cache=ReplyCache(file))
    assert dearer.reply(requests[:1])[0].cost == replies[0].cost + 1.0  # the tokens are the same


def test_the_cache_is_whole_or_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database " * 100)
    with pytest.raises(CacheError, match="cannot be used as a cache of replies"):
        ReplyCache(tmp_path / "notes.txt")
    with sqlite3.connect(tmp_path / "photos.sqlite") as photos:
        photos.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(CacheError, match="another program's database, with photos"):
        ReplyCache(tmp_path / "photos.sqlite")
    with pytest.raises(CacheError, match="cannot be used as a cache of replies"):
        ReplyCache(tmp_path / "notes.txt" / "replies.sqlite")
    newer = ReplyCache(tmp_path / "newer.sqlite")
    newer._rows.execute("PRAGMA user_version = 99")
    with pytest.raises(CacheError, match="version 99"):
        ReplyCache(tmp_path / "newer.sqlite")
    one, other = ReplyCache(tmp_path / "shared.sqlite"), ReplyCache(tmp_path / "shared.sqlite")
    assert one.keep({"a": 1}, {"text": "first"}) == {"text": "first"}
    assert other.keep({"a": 1}, {"text": "second"}) == {"text": "first"}


def test_an_evaluation_that_fails_in_the_middle_goes_on_without_paying_twice(
    serve, tmp_path: Path
) -> None:
    left = [9]

    def say(body: dict[str, Any]) -> str | Trouble:
        left[0] -= 1
        return "[defect]" if left[0] >= 0 else Trouble(400, {"message": "out of order"})

    server, file = serve(say), tmp_path / "replies.sqlite"

    def evaluate() -> list[float]:
        model = endpoint(server, ONE_BY_ONE, cache=ReplyCache(file))
        matches = play_matches(
            "prisoners_dilemma", [model, prisoners_dilemma.GRIM], deals=range(3), seed=0
        )
        return [match.episode.returns[0] for match in matches]

    with pytest.raises(EndpointError, match="out of order") as failed:
        evaluate()
    assert str(file) in str(failed.value)
    assert "pays for none of them twice" in str(failed.value)
    left[0] = 1000
    assert evaluate() == [5 + 7 * 1.0] * 3
    assert len(server.bodies) == 3 * 8 + 1  # the one that failed was asked twice
    assert evaluate() == [12.0] * 3
    assert len(server.bodies) == 3 * 8 + 1


@pytest.fixture
def interruptible():
    """Ctrl-C as at a terminal, even where the tests are a background job, which ignores it; and not
    while what earlier tests left is thrown away, where Python would drop it."""
    gc.collect()
    gc.disable()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    gc.enable()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_what_is_on_its_way_and_sends_no_more(serve, tmp_path: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None
    together, pressed = threading.Barrier(2, timeout=10), threading.Event()

    def say(body: dict[str, Any]) -> str:
        if not pressed.is_set():
            together.wait()  # two are on their way
            if body["messages"][0]["content"] == "0":
                signal.pthread_kill(main, signal.SIGINT)
                pressed.set()
            pressed.wait(10)
        return echo(body)

    server, file = serve(say), tmp_path / "replies.sqlite"
    requests = [asked(str(number)) for number in range(20)]
    with pytest.raises(KeyboardInterrupt):
        endpoint(server, Settings(at_once=2), cache=ReplyCache(file)).reply(requests)
    sent = len(server.bodies)
    assert len(ReplyCache(file)) == sent < 20
    replies = endpoint(server, Settings(at_once=2), cache=ReplyCache(file)).reply(requests)
    assert [reply.text for reply in replies] == [f"echo of {number}" for number in range(20)]
    assert sorted(body["messages"][0]["content"] for body in server.bodies) == sorted(
        map(str, range(20))
    )


def test_ctrl_c_while_requests_are_handed_out_sends_no_more(
    serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, over, submit = threading.Event(), threading.Event(), ThreadPoolExecutor.submit

    def say(body: dict[str, Any]) -> str:
        arrived.set()
        over.wait(10)
        return echo(body)

    def press(pool: ThreadPoolExecutor, ask: Any, request: Any) -> Any:
        if request == requests[5]:
            assert arrived.wait(10)
            threading.Timer(0.2, over.set).start()
            raise KeyboardInterrupt
        return submit(pool, ask, request)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", press)
    server, file = serve(say), tmp_path / "replies.sqlite"
    requests = [asked(str(number)) for number in range(6)]
    with pytest.raises(KeyboardInterrupt):
        endpoint(server, cache=ReplyCache(file)).reply(requests)
    assert len(ReplyCache(file)) == len(server.bodies) == 1


def test_the_budget_is_not_passed_even_at_the_worst(serve, tmp_path: Path) -> None:
    server = serve(lambda body: "a b")
    # A prompt of one token, of at most 1 + 64; a reply of 2, of at most 10: $5, at most $85.
    settings = Settings(max_tokens=10, prices=PRICES, budget=100.0)
    cache = ReplyCache(tmp_path / "replies.sqlite")
    model = endpoint(server, settings, cache=cache)
    with pytest.raises(EndpointError, match=r"\$20\.0000 of the budget of \$100 is spent") as stop:
        model.reply([asked("?", seed) for seed in range(30)])
    assert "pays for none of them twice" in str(stop.value)
    assert model.spent == 20.0 <= 100.0 - 65.0
    assert len(cache) == len(server.bodies) == 4
    with pytest.raises(ValueError, match="no prices are given"):
        Settings(budget=1.0)


@pytest.mark.parametrize("per_minute", [{"requests_per_minute": 30}, {"tokens_per_minute": 510}])
def test_requests_go_no_faster_than_allowed(serve, per_minute: dict[str, float]) -> None:
    server, clock = serve(lambda body: "a " * 16), Clock()
    settings = Settings(at_once=1, max_tokens=60, **per_minute)
    endpoint(server, settings, clock=clock).reply([asked("?", seed) for seed in range(61)])
    assert clock.now == pytest.approx(120.0, rel=0.01)  # a token is read and 16 written: 17 each


def test_a_pause_that_the_server_wants_holds_for_everybody() -> None:
    clock = Clock()
    pace = Pace(clock=lambda: clock.now, sleep=clock.sleep)
    pace.pause(30.0)
    pace.pause(5.0)
    pace.wait(tokens=1)
    assert clock.now == 30.0


def test_those_who_wait_when_a_server_asks_for_a_pause_queue_behind_it():
    """At 60 a minute four that waited for seconds 1 to 4 go at 30 or later, a second apart."""
    waiting, paused, gone = threading.Semaphore(0), threading.Event(), list[float]()

    def clock() -> float:
        return 50 * (time.monotonic() - started)

    def sleep(seconds: float) -> None:
        waiting.release()
        paused.wait()
        time.sleep(seconds / 50)

    def go() -> None:
        pace.wait(tokens=1)
        gone.append(clock())

    started = time.monotonic()
    pace = Pace(requests=60, clock=clock, sleep=sleep)
    pace.wait(tokens=1)
    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
        waiting.acquire()
    asked_at = clock()
    pace.pause(30.0)
    paused.set()
    for thread in threads:
        thread.join()
    assert all(at >= asked_at + 30 + number for number, at in enumerate(sorted(gone)))


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"max_tokens": 0}, {"at_once": 0}, {"tries": 0}, {"timeout": 0.0}):
        with pytest.raises(ValueError, match="use "):
            Settings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="extra has 'stream'"):
        Settings(extra={"stream": True})
    with pytest.raises(ValueError, match="tokens cost 0 or more"):
        Prices(-1.0, 0.0)
