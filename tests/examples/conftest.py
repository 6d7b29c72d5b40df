"""What the tests of the examples share: the tiny model, taught once, and a server that speaks
OpenAI's protocol and says what a test has it say.

`make test-examples` collects this folder, in an environment of its own; nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import tiny_model
import torch
from shares import Match

from sepo_trainer.policy.model import LanguageModel, load

torch.set_num_threads(1)

Answer = Callable[[list[dict[str, str]]], str]


def pytest_configure(config: pytest.Config) -> None:
    for warning in (
        "ignore:You are using 'environment_factory', which is an experimental feature:UserWarning",
        # TRL asks transformers by a name that is on its way out.
        "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    ):
        config.addinivalue_line("filterwarnings", warning)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that can talk, as the command line writes it."""
    made = tmp_path_factory.mktemp("models") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["tiny_model.py", str(made)])
        tiny_model.main()
    return made


@pytest.fixture
def player(folder: Path) -> LanguageModel:
    """The tiny model, for a test to change as it likes.

    Read from its folder each time: TRL wraps the ``forward`` of a model that it trains, so that a
    copy of one goes on speaking with the weights of the original, whatever it learns.
    """
    return load(folder, device="cpu")


@pytest.fixture
def king_first() -> Match:
    """The policy moves first with the King, and always-bet holds the Queen: whoever calls or bets
    wins 2 points, whoever folds to the bet loses 1."""
    return Match("kuhn_poker", "exploit", "always-bet", seat=0, deal=0)


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """The address of a server whose every chat completion is ``answer(messages)``.

    What ``answer`` raises is told with status 500.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                said = {"role": "assistant", "content": answer(asked["messages"])}
            except RuntimeError as error:
                return self.tell(500, {"error": {"message": str(error)}})
            choice = {"index": 0, "message": said, "finish_reason": "stop"}
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            head = {"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"]}
            self.tell(200, {**head, "choices": [choice], "usage": usage})

        def tell(self, status: int, what: dict[str, object]) -> None:
            body = json.dumps(what).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
