"""The endpoint itself, and the only file of this floor that speaks HTTP.

Knows the chat-completions route, as OpenAI, ``vllm serve`` and most others have it, without
streaming. Several requests are on their way at once; what may pass (too many requests, a server
that is overloaded or starting, a dropped connection) is tried again, later each time, and when the
server says so; what will not is told. An error of the server is never turned into a reply: it ends
the evaluation, and with a cache the same command goes on from there and pays for nothing twice.

The key is read from the environment and goes nowhere but into the header of requests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from logging import getLogger
from random import Random
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from weakref import finalize

from opponents.endpoint.allowance import BudgetError, Pace, Purse
from opponents.endpoint.answers import Answer, Lasting, Passing, asked_to_wait, read_reply, refusal
from opponents.endpoint.cache import ReplyCache
from opponents.endpoint.settings import Settings, check_url, key_in
from opponents.language_model import ChatModelError, ChatRequest, Reply
from sepo_envs.protocol import Style

if TYPE_CHECKING:
    import httpx

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds before the second try, doubled before each later one, up to this; less a random share of
up to a half, so that requests which failed together do not come back together."""
NOBODY_THERE: Final = ": does a server run at that address?"
LONGEST_ASKED: Final = 600.0
"""Seconds that a server may ask to be left alone; beyond it the evaluation stops and says so."""
CONNECT: Final = 10.0
"""Seconds to reach the server at all."""
BESIDE_THE_TEXT: Final = 64
"""Tokens that a chat template may add to each message; text has at most one token per byte."""
BYTES_PER_TOKEN: Final = 4
"""Of usual text, for a first guess at how many tokens a prompt is."""

log = getLogger(__name__)


class EndpointError(ChatModelError):
    """The server cannot be reached, refuses, or answers with what is no reply."""


class _Stopped(Exception):  # noqa: N818, no error
    """Somebody else's failure, or Ctrl-C, ended the evaluation."""


class Endpoint:
    """A model behind a URL. One `reply` at a time; what it does inside it does at once.

    Args:
        url: up to what comes before ``/chat/completions``, such as ``https://api.openai.com/v1``.
        cache: keeps every reply, and answers instead of the server where it has one.
        clock, sleep: seconds that pass, and a way to let some pass.

    Raises:
        ValueError: httpx is not installed, the URL is none or would carry a key in the open, or the
            key is missing.
    """

    def __init__(
        self,
        model: str,
        url: str,
        settings: Settings = Settings(),  # noqa: B008, it is frozen
        *,
        cache: ReplyCache | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.name, self.url, self.settings, self.cache = model, url.rstrip("/"), settings, cache
        self._key = key_in(settings.key_variable)
        check_url(self.url, with_key=bool(self._key))
        self._client = _client(self.url, settings, self._key)
        finalize(self, self._client.close)
        self._stop, self._lock = Event(), Lock()
        self._told = set[tuple[int, str]]()
        self._let_pass = sleep or self._stop.wait
        self._pace = Pace(
            requests=settings.requests_per_minute,
            tokens=settings.tokens_per_minute,
            clock=clock,
            sleep=self._sleep,
        )
        self._purse = Purse(settings.budget)
        self.asked = 0
        """Requests sent, each try counted."""
        self.served: set[str] = set()
        """What the server calls the models that replied."""

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.url!r})"

    @property
    def style(self) -> Style:
        return self.settings.style

    @property
    def spent(self) -> float:
        """US dollars since this object was made, with replies that never arrived at their worst."""
        return self._purse.spent

    def reply(self, requests: Sequence[ChatRequest]) -> list[Reply]:
        """One reply per request, from the cache where it has one.

        Raises:
            EndpointError: a reply could not be had, or the budget is spent.
        """
        found = dict[ChatRequest, Answer]()
        for request in requests:
            kept = None if self.cache is None else self.cache.find(self._address(request))
            if kept is not None:
                found[request] = Answer(**kept)
        found |= self._ask_all([each for each in dict.fromkeys(requests) if each not in found])
        self.served |= {answer.served for answer in found.values()}
        return [self._reply(found[request]) for request in requests]

    def _ask_all(self, requests: Sequence[ChatRequest]) -> dict[ChatRequest, Answer]:
        """What the server answers to each, several at once. Should one fail, or Ctrl-C end it all,
        those on their way are awaited and kept, since they are paid for, and no more are sent."""
        self._stop.clear()
        self._told.clear()
        pool = ThreadPoolExecutor(self.settings.at_once)
        try:
            asked = {pool.submit(self._ask, request): request for request in requests}
            return {
                asked[done]: done.result()
                for done in as_completed(asked)
                if not isinstance(done.exception(), _Stopped)  # the failure that stopped it follows
            }
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)

    def _ask(self, request: ChatRequest) -> Answer:
        """`_insist`; a failure stops all others before they send more."""
        try:
            return self._insist(request)
        except BaseException:
            self._stop.set()
            raise

    def _insist(self, request: ChatRequest) -> Answer:
        """What the server answers, tried until it does; the answer is kept."""
        for attempt in range(1, self.settings.tries + 1):
            try:
                answer = self._try(request)
            except Passing as failure:
                if attempt == self.settings.tries:
                    often = f", {attempt} times in all" if attempt > 1 else ""
                    raise self._error(f"{failure}{often}{failure.mend}") from None
                self._wait_after(failure, attempt, request)
            except Lasting as failure:
                raise self._error(str(failure)) from None
            except BudgetError as error:
                raise EndpointError(f"{error} {self._how_to_go_on()}") from None
            else:
                if self.cache is None:
                    return answer
                return Answer(**self.cache.keep(self._address(request), answer._asdict()))
        raise AssertionError("the last try returns or raises")

    def _try(self, request: ChatRequest) -> Answer:
        body = self._body(request)
        longest = sum(len(message.content.encode()) for message in request.messages)
        expected = longest / BYTES_PER_TOKEN + self.settings.max_tokens
        worst = self.settings.prices.of(
            prompt_tokens=longest + BESIDE_THE_TEXT * len(request.messages),
            output_tokens=self.settings.max_tokens,
        )
        self._pace.wait(tokens=expected)
        self._purse.reserve(worst)
        spent, used = 0.0, 0.0
        try:
            self._check_stop()
            said = self._post(body)
            spent, used = worst, expected  # until it is known better
            answer = read_reply(said, empty_is_reply=self.settings.empty_is_reply)
            spent, used = self._cost(answer), answer.prompt_tokens + answer.output_tokens
            return answer
        except Passing as failure:
            if failure.paid:
                spent, used = worst, expected
            raise
        finally:
            self._purse.settle(worst, spent=spent)
            self._pace.settle(expected=expected, used=used)

    def _post(self, body: Mapping[str, Any]) -> Any:
        """The JSON that the server answers with."""
        import httpx

        with self._lock:
            self.asked += 1
        try:
            answer = self._client.post(f"{self.url}/chat/completions", json=body)
        except httpx.ConnectTimeout:
            raise Passing(
                f"cannot be reached within {CONNECT:g} seconds", mend=NOBODY_THERE
            ) from None
        except httpx.TimeoutException:
            raise Passing(
                f"gave no answer within {self.settings.timeout:g} seconds", paid=True
            ) from None
        except httpx.ConnectError as error:
            reason = f"cannot be reached ({error})"
            if "CERTIFICATE_VERIFY_FAILED" in reason:
                raise Lasting(reason) from None
            raise Passing(reason, mend=NOBODY_THERE) from None
        except httpx.RequestError as error:
            raise Passing(f"dropped the connection ({type(error).__name__})", paid=True) from None
        words = self._hidden(answer.content.decode(errors="replace"))  # before any of it is cut
        try:
            said = json.loads(words)
        except (ValueError, RecursionError):
            if answer.is_success:
                raise Passing("answered with invalid JSON", paid=True) from None
            said = words
        if not answer.is_success:
            after = asked_to_wait(answer.headers.get("retry-after"))
            raise refusal(
                answer.status_code,
                said,
                after=after,
                keyed=bool(self._key),
                variable=self.settings.key_variable,
            )
        return said

    def _wait_after(self, failure: Passing, attempt: int, request: ChatRequest) -> None:
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
        share = Random(f"{request.seed}|{attempt}").random() / 2
        own, theirs = longest * (1 - share), failure.after or 0.0
        if theirs > LONGEST_ASKED:
            raise self._error(f"{failure}, and wants to be left alone for {theirs:,.0f} seconds")
        seconds, told = max(own, theirs), self._hidden(str(failure))
        with self._lock:  # what befalls several requests alike is told once
            news = (attempt, told) not in self._told
            self._told.add((attempt, told))
        if news:
            log.warning("%s %s; try %d in %.1f s", self.url, told, attempt + 1, seconds)
        if theirs > own:
            self._pace.pause(theirs)  # for all, or the others would only be refused too
        else:
            self._sleep(own)

    def _sleep(self, seconds: float) -> None:
        self._let_pass(seconds)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _error(self, what: str) -> EndpointError:
        """An error that says who failed and how to go on."""
        end = "" if what.endswith("?") else "."
        return EndpointError(
            f"the server at {self.url}, asked for {self.name}, {self._hidden(what)}{end} "
            f"{self._how_to_go_on()}"
        )

    def _how_to_go_on(self) -> str:
        if self.cache is None:
            return "Without a cache of replies, none is kept."
        return (
            f"Every reply so far is kept in {self.cache.path}: once that is mended, the same "
            "command goes on from there and pays for none of them twice."
        )

    def _hidden(self, text: str) -> str:
        """``text`` without the key, should a server repeat it."""
        return text.replace(self._key, "[key]") if self._key else text

    def _address(self, request: ChatRequest) -> dict[str, Any]:
        """All that determines a reply."""
        return {"url": self.url, "draw": request.seed, "body": self._body(request)}

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        settings = self.settings
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [message._asdict() for message in request.messages],
            settings.length_name: settings.max_tokens,
            "stream": False,
            **settings.extra,
        }
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.send_seed:
            body["seed"] = request.seed >> 32  # 31 bits, which every server can hold
        return body

    def _reply(self, answer: Answer) -> Reply:
        return Reply(answer.text, answer.prompt_tokens, answer.output_tokens, self._cost(answer))

    def _cost(self, answer: Answer) -> float:
        return self.settings.prices.of(
            prompt_tokens=answer.prompt_tokens, output_tokens=answer.output_tokens
        )


def _client(url: str, settings: Settings, key: str) -> httpx.Client:
    if find_spec("httpx") is None:
        raise ValueError(
            'endpoints need httpx, which is not installed: pip install "sepo[endpoint]".'
        )
    import httpx

    return httpx.Client(
        verify=urlsplit(url).scheme
        == "https",  # else no certificates are read, which takes a while
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=httpx.Timeout(settings.timeout, connect=CONNECT),
        limits=httpx.Limits(
            max_connections=settings.at_once, max_keepalive_connections=settings.at_once
        ),
    )
