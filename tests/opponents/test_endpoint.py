"""An endpoint over real sockets: what it sends, what may pass, what will not, who sees the key."""

from __future__ import annotations

import logging
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from opponents import prisoners_dilemma
from opponents.endpoint import Endpoint, EndpointError, ReplyCache, Settings
from opponents.endpoint.answers import MOST_QUOTED
from opponents.language_model import ChatRequest, Reply
from opponents.matches import play_matches
from sepo_envs.protocol import Message
from tests.opponents.chat_server import (
    KEY,
    PRICES,
    ChatServer,
    Clock,
    Trouble,
    asked,
    completion,
    echo,
    endpoint,
    in_turn,
)


def test_a_request_is_what_a_server_expects_and_its_reply_is_counted(serve) -> None:
    server = serve(echo)
    settings = Settings(temperature=0.7, max_tokens=9, extra={"top_p": 0.9}, prices=PRICES)
    model = endpoint(server, settings)
    chat = (Message("user", "a b c"), Message("assistant", "[x]"), Message("user", "again d"))
    assert model.reply([ChatRequest(chat, (7 << 32) + 1)]) == [
        Reply("echo of again d", prompt_tokens=6, output_tokens=4, cost=6 * 1.0 + 4 * 2.0)
    ]
    assert server.bodies == [
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": "a b c"},
                {"role": "assistant", "content": "[x]"},
                {"role": "user", "content": "again d"},
            ],
            "temperature": 0.7,
            "max_tokens": 9,
            "top_p": 0.9,
            "seed": 7,
            "stream": False,
        }
    ]
    assert (model.asked, model.spent, model.served) == (1, 14.0, {"m"})


def test_what_a_server_refuses_to_hear_is_left_out(serve) -> None:
    server = serve(echo)
    settings = Settings(
        temperature=None, send_seed=False, length_name="max_completion_tokens", at_once=1
    )
    endpoint(server, settings).reply([asked()])
    assert set(server.bodies[0]) == {"model", "messages", "stream", "max_completion_tokens"}


def test_several_requests_are_on_their_way_at_once_and_no_more_and_answers_keep_their_order(
    serve,
) -> None:
    meet = threading.Barrier(4, timeout=10)

    def say(body: dict[str, Any]) -> str:
        meet.wait()  # passes only if four are there
        return echo(body)

    server = serve(say)
    replies = endpoint(server, Settings(at_once=4)).reply([asked(str(n)) for n in range(12)])
    assert [reply.text for reply in replies] == [f"echo of {n}" for n in range(12)]
    assert server.most_at_once == 4


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(500, {"object": "error", "message": "EngineDeadError", "code": 500}),
        Trouble(503, b"<html>Service Unavailable</html>"),
        Trouble(429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}),
        Trouble(200, b'{"choices": [{"mess'),
        Trouble(200, {"error": {"code": 502, "message": "Provider returned error"}}),
        Trouble(drops=True),
    ],
)
def test_what_may_pass_is_tried_again_later_each_time(serve, trouble: Trouble) -> None:
    server, clock = serve(in_turn(trouble, trouble, trouble, "[bet]")), Clock()
    model = endpoint(server, clock=clock)
    assert model.reply([asked()])[0].text == "[bet]"
    assert model.asked == len(server.bodies) == 4
    for waited, longest in zip(clock.slept, (1.0, 2.0, 4.0), strict=True):
        assert longest / 2 <= waited <= longest


def test_a_server_that_hangs_is_given_up_after_the_time_out(serve) -> None:
    server = serve(in_turn(Trouble(hangs=True), "[bet]"))
    model = endpoint(server, Settings(at_once=1, timeout=0.2, prices=PRICES))
    [reply] = model.reply([asked("one two")])
    assert reply.text == "[bet]"
    assert model.spent > reply.cost  # the reply that never came may have been paid for


PAST = ("0", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000")


def test_a_server_says_how_long_it_wants_to_be_left_alone(serve) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server, clock = (
        serve(
            in_turn(
                Trouble(429, {}, {"Retry-After": "7"}),
                Trouble(503, {}, {"Retry-After": in_a_minute}),
                "[bet]",
            )
        ),
        Clock(),
    )
    endpoint(server, clock=clock).reply([asked()])
    assert clock.slept[0] == 7.0
    assert 55 <= clock.slept[1] <= 60
    at_once = serve(in_turn(*[Trouble(429, {}, {"Retry-After": after}) for after in PAST], "[bet]"))
    backoff = Clock()
    endpoint(at_once, clock=backoff).reply([asked()])
    assert [0.5 * 2**n <= slept <= 2**n for n, slept in enumerate(backoff.slept)] == [True] * 3
    asks_too_much = serve(lambda body: Trouble(429, {}, {"Retry-After": "90000"}))
    with pytest.raises(EndpointError, match="wants to be left alone for 90,000 seconds"):
        endpoint(asks_too_much).reply([asked()])
    assert len(asks_too_much.bodies) == 1


def test_a_server_that_stays_away_ends_the_evaluation_and_never_becomes_a_reply(
    serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(lambda body: Trouble(500, {"error": {"message": "boom"}}))
    grim = prisoners_dilemma.GRIM
    with pytest.raises(EndpointError, match=r"answered 500 \(boom\), 3 times in all\."):
        play_matches(
            "prisoners_dilemma",
            [endpoint(server, Settings(tries=3)), grim],
            deals=[0],
            seed=0,
        )
    with ChatServer(echo) as gone:
        pass
    caplog.clear()
    with pytest.raises(EndpointError, match="2 times in all: does a server run at that address"):
        endpoint(gone, Settings(tries=2)).reply([asked(), asked("another")])
    assert caplog.text.count("try 2 in") == 1


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (Trouble(400, {"error": {"message": "maximum context length is 64"}}), "context length"),
        (Trouble(404, {"detail": "Not Found"}), r"answered 404 .* mostly in /v1"),
        (Trouble(422, {"detail": [{"loc": ["seed"]}]}), r"answered 422 .*seed"),
        (Trouble(429, {"error": {"message": "no money", "code": "insufficient_quota"}}), "money"),
        (Trouble(301, {}, {"Location": "https://elsewhere"}), "answered 301"),
        (Trouble(200, {"object": "list", "data": []}), r"without choices\[0\]\.message"),
        (Trouble(200, {"choices": []}), r"without choices\[0\]\.message"),
        (Trouble(200, [1]), r"without choices\[0\]\.message"),
        (Trouble(200, {"error": {"code": 400, "message": "no such model"}}), "no such model"),
    ],
)
def test_what_will_not_pass_is_told_at_once(serve, trouble: Trouble, told: str) -> None:
    server = serve(lambda body: trouble)
    with pytest.raises(EndpointError, match=told):
        endpoint(server).reply([asked()])
    assert len(server.bodies) == 1


def test_no_text_is_an_error_unless_it_is_said_to_be_the_reply(serve) -> None:
    thinks = {"messages": [{"content": "hm"}], "model": "m"}
    empty = serve(lambda body: Trouble(body=completion(None, thinks, finish="length")))
    with pytest.raises(EndpointError, match=r"no text \(finish_reason length\).*max_tokens"):
        endpoint(empty).reply([asked()])
    [reply] = endpoint(empty, Settings(empty_is_reply=True)).reply([asked()])
    assert reply == Reply("", 1, 0)
    withheld = serve(lambda body: Trouble(body=completion("", thinks, finish="content_filter")))
    with pytest.raises(EndpointError, match="content_filter"):
        endpoint(withheld, Settings(empty_is_reply=True)).reply([asked()])
    declines = completion(None, thinks)
    declines["choices"][0]["message"]["refusal"] = "I do not gamble."
    refuses = serve(lambda body: Trouble(body=declines))
    assert endpoint(refuses).reply([asked()])[0].text == "I do not gamble."
    uncounted = completion("[bet]", thinks) | {"usage": None}
    silent = serve(lambda body: Trouble(body=uncounted))
    with pytest.raises(EndpointError, match="does not count tokens"):
        endpoint(silent).reply([asked()])


def test_a_reply_that_is_cut_off_is_the_models_own(serve) -> None:
    cut = completion("I think that", {"messages": [{"content": "hm"}], "model": "m"}, "length")
    server = serve(lambda body: Trouble(body=cut))
    assert endpoint(server).reply([asked()])[0].text == "I think that"


def test_the_key_goes_into_the_header_and_nowhere_else(
    serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", KEY)
    with_key = Settings(at_once=1, key_variable="MY_KEY", tries=2)
    cache = ReplyCache(tmp_path / "replies.sqlite")
    model = endpoint(serve(echo, key=KEY), with_key, cache=cache)
    model.reply([asked()])
    cut = f"{'x' * (MOST_QUOTED - 4)}{KEY}"  # what stands across the cut is hidden
    with pytest.raises(EndpointError) as half:
        endpoint(serve(lambda body: Trouble(500, {"message": cut})), with_key).reply([asked()])
    assert "xxx[" in str(half.value)
    leaks = serve(lambda body: Trouble(500, {"message": f"bad header: Bearer {KEY}"}))
    with pytest.raises(EndpointError, match=r"bad header: Bearer \[key\]") as failed:
        endpoint(leaks, with_key, cache=cache).reply([asked("another")])
    told = [repr(model), repr(model.settings), str(failed.value), caplog.text]
    stored = [path.read_bytes().decode(errors="replace") for path in tmp_path.iterdir()]
    assert "another" not in "".join(stored)
    assert "Your move?" in "".join(stored)
    assert KEY not in "".join([*told, *stored])
    assert failed.value.__cause__ is None


def test_a_wrong_key_a_missing_one_and_one_that_would_be_seen_are_told(
    serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(echo, key=KEY)
    with pytest.raises(EndpointError, match=r"wants a key .* into OPENAI_API_KEY"):
        endpoint(server).reply([asked()])
    with pytest.raises(EndpointError, match=r"wants a key .* name into key_variable"):
        endpoint(server, Settings(key_variable="")).reply([asked()])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(EndpointError, match="refuses the key") as failed:
        endpoint(server).reply([asked()])
    assert "sk-wrong" not in str(failed.value)
    assert len(server.bodies) == 3
    with pytest.raises(ValueError, match="the environment has no MY_KEY"):
        endpoint(server, Settings(key_variable="MY_KEY"))
    monkeypatch.setenv("MY_KEY", "sk-a\nsk-b")
    with pytest.raises(ValueError, match="MY_KEY holds what can be no key") as failed_:
        endpoint(server, Settings(key_variable="MY_KEY"))
    assert "sk-a" not in str(failed_.value)
    with pytest.raises(ValueError, match="in the open"):
        Endpoint("m", "http://10.0.0.3:8000/v1")
    Endpoint("m", "http://10.0.0.3:8000/v1", Settings(key_variable=""))
    for url in ("https://host/v1", "HTTPS://host/v1"):  # certificates are checked
        sent: Any = Endpoint("m", url, Settings(key_variable=""))._client._transport
        assert sent._pool._ssl_context.verify_mode is ssl.CERT_REQUIRED
    for url in ("https://me:secret@host/v1", "https://host/v1?key=secret"):
        with pytest.raises(ValueError, match="holds neither names nor keys") as refused:
            Endpoint("m", url)
        assert "secret" not in str(refused.value)
    for url in ("localhost:8000", "ftp://host/v1", "http://host:port/v1", "https://"):
        with pytest.raises(ValueError, match="no URL of an endpoint"):
            Endpoint("m", url)
