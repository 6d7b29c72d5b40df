"""A small HTTP server that speaks chat completions in the shapes of ``vllm serve``; and endpoints
that ask it, with a clock of their own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self

from opponents.endpoint import Endpoint, Prices, ReplyCache, Settings
from opponents.language_model import ChatRequest
from sepo_envs.protocol import Message

KEY = "sk-a-secret-that-nobody-may-see"
PRICES = Prices(prompt=1_000_000.0, output=2_000_000.0)
"""A dollar per token that is read, two per token that is written."""
ONE_BY_ONE = Settings(at_once=1)


@dataclass(frozen=True)
class Trouble:
    """An answer that is no reply."""

    status: int = 200
    body: Any = None
    """Sent as JSON, or as it is where it is bytes."""
    headers: dict[str, str] = field(default_factory=dict)
    drops: bool = False
    """Close the connection without a word."""
    hangs: bool = False
    """Say nothing until the server is closed."""


class ChatServer(ThreadingHTTPServer):
    """Replies with what ``say(body)`` makes of each request.

    Args:
        say: a reply's text, or what goes wrong.
        key: refuses requests without it.
    """

    daemon_threads = True

    def __init__(self, say: Callable[[dict[str, Any]], str | Trouble], key: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.say, self.key = say, key
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.bodies: list[dict[str, Any]] = []
        """Every request that came, in order."""
        self.most_at_once = self.now = 0
        self.lock, self.closing = Lock(), Event()

    def __enter__(self) -> Self:
        self.thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.005})
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def answer(self, body: dict[str, Any], authorization: str) -> Trouble:
        if self.key and authorization != f"Bearer {self.key}":
            return Trouble(401, {"error": f"Unauthorized: {authorization}"})
        said = self.say(body)
        return Trouble(body=completion(said, body)) if isinstance(said, str) else said


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.now += 1
            server.most_at_once = max(server.most_at_once, server.now)
        if self.path != "/v1/chat/completions":
            answer = Trouble(404, {"detail": "Not Found"})
        else:
            answer = server.answer(body, self.headers.get("Authorization", ""))
        with server.lock:
            server.now -= 1
        if answer.hangs:
            server.closing.wait()
        if answer.hangs or answer.drops:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        told = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told)


def completion(text: str | None, body: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    """A whole answer; prompts have a token per word, and so has the reply."""
    prompt = sum(len(message["content"].split()) for message in body["messages"])
    output = len((text or "").split())
    return {
        "id": "chatcmpl-0f3a",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": text,
                    "refusal": None,
                    "annotations": None,
                    "tool_calls": [],
                    "reasoning_content": None,
                },
                "logprobs": None,
                "finish_reason": finish,
                "stop_reason": None,
                "token_ids": None,
            }
        ],
        "service_tier": None,
        "system_fingerprint": None,
        "usage": {
            "prompt_tokens": prompt,
            "total_tokens": prompt + output,
            "completion_tokens": output,
            "prompt_tokens_details": None,
        },
        "prompt_logprobs": None,
        "kv_transfer_params": None,
    }


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def asked(text: str = "Your move?", seed: int = 5 << 32) -> ChatRequest:
    return ChatRequest((Message("user", text),), seed)


def echo(body: dict[str, Any]) -> str:
    return f"echo of {body['messages'][-1]['content']}"


def in_turn(*answers: str | Trouble) -> Callable[[dict[str, Any]], str | Trouble]:
    """One answer after the other, then the last one for ever."""
    left = list(answers)
    return lambda body: left.pop(0) if len(left) > 1 else left[0]


def endpoint(
    server: ChatServer,
    settings: Settings = ONE_BY_ONE,
    *,
    cache: ReplyCache | None = None,
    clock: Clock | None = None,
) -> Endpoint:
    clock = clock or Clock()
    return Endpoint(
        "m", server.url, settings, cache=cache, clock=lambda: clock.now, sleep=clock.sleep
    )
