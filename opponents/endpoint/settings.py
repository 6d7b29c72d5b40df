"""What an endpoint is and how it is asked: its name, its key, its limits. Knows no HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from opponents.endpoint.allowance import FREE, Prices
from sepo_envs.protocol import Style

PREFIX: Final = "openai:"
KEY_VARIABLE: Final = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an endpoint is asked. What is not sent is the server's to choose."""

    temperature: float | None = 1.0
    """None leaves it out, as some models want it."""
    max_tokens: int = 1024
    """Of a reply, its thoughts included."""
    length_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls that; OpenAI's newer models know the second only."""
    send_seed: bool = True
    """False for servers that refuse the field; the cache tells draws apart either way."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of each request, such as ``{"top_p": 0.9}``."""
    style: Style = "conversation"
    key_variable: str = KEY_VARIABLE
    """Name of the environment variable with the key; another one than the usual must be set."""
    empty_is_reply: bool = False
    """Whether a reply without any text is the model's own, and unreadable, rather than an error."""
    at_once: int = 8
    """Most requests on their way."""
    timeout: float = 120.0
    """Seconds until an answer is given up."""
    tries: int = 8
    """Of one request."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    prices: Prices = FREE
    budget: float | None = None
    """US dollars that this object may spend at most."""

    def __post_init__(self) -> None:
        for name in ("max_tokens", "at_once", "tries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; use at least 1.")
        for name in ("timeout", "requests_per_minute", "tokens_per_minute"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; use more than 0.")
        if self.budget is not None and self.prices == FREE:
            raise ValueError(
                f"the budget is ${self.budget:g}, but no prices are given, so nobody could tell "
                "when it is spent. Give those of a million tokens of prompts and of output: "
                "--prices IN,OUT, or prices=Prices(prompt=..., output=...)."
            )
        taken = {"model", "messages", "stream", "n", "seed", "temperature", self.length_name}
        if wrong := sorted(taken & set(self.extra)):
            raise ValueError(f"extra has {wrong[0]!r}, which has a setting of its own or none.")


def split_spec(spec: str) -> tuple[str, str]:
    """Model and URL of ``openai:MODEL@URL``.

    >>> split_spec("openai:gpt-4o-mini")
    Traceback (most recent call last):
        ...
    ValueError: 'openai:gpt-4o-mini' names no endpoint. Write openai:MODEL@URL, such as \
openai:my-model@http://localhost:8000/v1.

    Raises:
        ValueError: it is none.
    """
    model, found, url = spec.removeprefix(PREFIX).rpartition("@http")
    if not (spec.startswith(PREFIX) and model and found):
        raise ValueError(
            f"{spec!r} names no endpoint. Write openai:MODEL@URL, such as "
            "openai:my-model@http://localhost:8000/v1."
        )
    return model, f"http{url}"


def key_in(variable: str) -> str:
    """The key in that environment variable; empty where the usual one is not set, or none is asked
    for.

    Raises:
        ValueError: another one is not set, or holds what can be no key.
    """
    key = os.environ.get(variable, "").strip() if variable else ""
    if not key and variable not in ("", KEY_VARIABLE):
        raise ValueError(f"the environment has no {variable}. Set it to the key of the endpoint.")
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"{variable} holds what can be no key. Set it anew, on one line.")
    return key


def check_url(url: str, *, with_key: bool) -> None:
    """
    >>> check_url("http://example.org/v1", with_key=True)
    Traceback (most recent call last):
        ...
    ValueError: http://example.org/v1 is not encrypted, and the key would go there in the open. \
Use https, or name no key with key_variable = "".

    Raises:
        ValueError: it is no base URL, or a key would go there in the open.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "the URL of an endpoint ends with its path, and holds neither names nor keys: it is "
            "written into records. Put the key into an environment variable."
        )
    try:
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # the port is no number
        is_one = False
    if not is_one or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of an endpoint, such as http://localhost:8000/v1.")
    if with_key and parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError(
            f"{url} is not encrypted, and the key would go there in the open. Use https, or name "
            'no key with key_variable = "".'
        )


def _is_here(host: str) -> bool:
    """Whether this machine itself is meant.

    >>> _is_here("localhost"), _is_here("127.0.0.1"), _is_here("::1"), _is_here("10.0.0.3")
    (True, True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
