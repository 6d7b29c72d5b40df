"""What a chat-completions server says: a reply, or why there is none. Knows no HTTP.

The shapes are those of OpenAI's service, of ``vllm serve`` and of the gateways before them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from opponents.endpoint.settings import KEY_VARIABLE

PASSING: Final = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may be gone when it is tried again."""
NO_CREDIT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes of a 429 that stays."""
USAGE: Final = ("prompt_tokens", "completion_tokens")
MOST_QUOTED: Final = 300
"""Characters of what a server says is wrong."""


class Answer(NamedTuple):
    """What a server said in full."""

    text: str
    prompt_tokens: int
    output_tokens: int
    finish: str
    served: str
    """The model's name as the server has it, often with a date."""


class Passing(Exception):  # noqa: N818, it may pass
    """A failure that may be gone when it is tried again.

    Args:
        after: seconds that the server wants to be left alone.
        paid: the server may have written a reply that never arrived.
        mend: what to look at, should it not pass.
    """

    def __init__(
        self, reason: str, *, after: float | None = None, paid: bool = False, mend: str = ""
    ) -> None:
        super().__init__(reason)
        self.after, self.paid, self.mend = after, paid, mend


class Lasting(Exception):  # noqa: N818, told as an EndpointError
    """A failure that no further try would mend."""


def read_reply(said: Any, *, empty_is_reply: bool) -> Answer:
    """The reply in what a server said with status 200.

    Raises:
        Passing, Lasting: there is none.
    """
    if isinstance(said, dict) and said.get("error") and not said.get("choices"):
        error = said["error"]  # some gateways tell of errors with status 200
        code = error.get("code") if isinstance(error, dict) else None
        raise refusal(code if isinstance(code, int) else 400, said)
    choices = said.get("choices") if isinstance(said, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise Lasting("answered without choices[0].message: does it serve chat completions?")
    finish = str(choice.get("finish_reason"))
    if finish == "content_filter":
        raise Lasting(
            "withheld a reply (finish_reason content_filter), so the model could not play. Use a "
            "service without such a filter"
        )
    text = message.get("content") or message.get("refusal") or ""
    if not isinstance(text, str):
        raise Lasting(f"answered with content that is a {type(text).__name__} and no text")
    if not text and not empty_is_reply:
        raise Lasting(
            f"answered with no text (finish_reason {finish}). Give a model that thinks first more "
            "room (max_tokens); or say that this is how the model replies (empty_is_reply), so "
            "that it counts as unreadable"
        )
    usage: dict[str, Any] = said["usage"] if isinstance(said.get("usage"), dict) else {}
    counts: list[Any] = [usage.get(name) for name in USAGE]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise Lasting(f"does not count tokens (usage {usage}), so nobody knows what it costs")
    prompt_tokens, output_tokens = counts
    return Answer(text, prompt_tokens, output_tokens, finish, str(said.get("model")))


def refusal(
    status: int,
    said: Any,
    *,
    after: float | None = None,
    keyed: bool = True,
    variable: str = KEY_VARIABLE,
) -> Passing | Lasting:
    """What an answer means that tells of an error.

    Args:
        said: its body, read as JSON where it is JSON.
        after: seconds that it asks to be left alone.
        keyed: whether a key was sent.
        variable: of the environment, from which it is read; empty where none is.

    >>> refusal(503, "<html>Bad gateway</html>")
    Passing('answered 503 (<html>Bad gateway</html>)')
    >>> refusal(401, {"error": {"message": "Incorrect API key: sk-1234"}})
    Lasting('refuses the key (401): put another one into OPENAI_API_KEY, in the environment')
    """
    if status == 401:
        mend = "refuses the key (401): put another one" if keyed else "wants a key (401): put one"
        return Lasting(
            f"{mend} into {variable}, in the environment"
            if variable
            else f"{mend} into the environment, and the variable's name into key_variable"
        )
    reason = f"answered {status} ({_message(said)})"
    error = said.get("error") if isinstance(said, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if (status in PASSING or status >= 500) and str(code) not in NO_CREDIT:
        return Passing(reason, after=after)
    if status == 404:
        reason += (
            ": does the URL end where /chat/completions begins, mostly in /v1, and is the model "
            "called so there?"
        )
    return Lasting(reason)


def _message(said: Any) -> str:
    """What a server says is wrong, on one line: by OpenAI, by vLLM, by its gateway."""
    if isinstance(said, dict) and said.get("error"):
        said = said["error"]
    if isinstance(said, dict):
        said = said.get("message") or said.get("detail") or said
    line = " ".join(str(said).split())
    return line if len(line) <= MOST_QUOTED else f"{line[:MOST_QUOTED]}..."


def asked_to_wait(header: str | None) -> float | None:
    """Seconds, of a Retry-After header: a number of them, or a date.

    >>> asked_to_wait("2.5"), asked_to_wait("soon"), asked_to_wait(None)
    (2.5, None, None)
    >>> asked_to_wait("Wed, 21 Oct 2015 07:28:00 GMT")
    0.0
    """
    if header is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    if until.tzinfo is None:  # which a date that ends in -0000 leaves open
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
