"""The upload of a finished model, by the real client of the Hub to a stand-in on this machine."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import huggingface_hub
import pytest

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session
from sepo_trainer.runs.hub import UploadError, check_login, push
from sepo_trainer.settings.config import ConfigError
from sepo_trainer.settings.records import HubConfig
from sepo_trainer.settings.resolve import build

SETTINGS = HubConfig(push_to_hub=True, repo="somebody/a-policy")


class Hub(ThreadingHTTPServer):
    """Takes a repository and one commit, and remembers them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.made: dict = {}
        self.files: dict[str, bytes] = {}
        self.refuses = False


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        hub, body = self.server, self._body()
        hub.asked.append(self.path)
        hub.tokens.add(self.headers["Authorization"])
        where = f"{hub.address}/somebody/a-policy"
        if hub.refuses:
            self._answer(403, {"error": "not yours"})
        elif self.path == "/api/repos/create":
            hub.made = json.loads(body)
            self._answer(200, {"url": where, "id": "1"})
        elif self.path.endswith("/preupload/main"):
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]
            self._answer(200, {"files": modes})
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    hub.files[line["value"]["path"]] = content
            self._answer(200, {"commitUrl": f"{where}/commit/abc", "commitOid": "abc"})
        else:
            self._answer(200, {})

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, answer: dict) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(hub: Hub) -> Iterator[None]:
    thread = Thread(target=hub.serve_forever)
    thread.start()
    try:
        yield
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    """The stand-in, where the client looks for the Hub; its user has a token."""
    found = Hub()
    real = huggingface_hub.HfApi
    monkeypatch.setattr(
        huggingface_hub, "HfApi", lambda: real(endpoint=found.address, token="hf_secret")
    )
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_secret")
    with serving(found):
        yield found


def test_every_file_arrives_in_a_private_repository_as_it_is(hub, tmp_path):
    (tmp_path / "README.md").write_text("# A policy\n")
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)))
    assert push(tmp_path, SETTINGS) == f"{hub.address}/somebody/a-policy/commit/abc"
    assert hub.made["visibility"] == "private"
    assert (hub.made["organization"], hub.made["name"]) == ("somebody", "a-policy")
    assert hub.files == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert hub.tokens == {"Bearer hf_secret"}


def test_a_public_one_is_made_where_that_is_asked_for(hub, tmp_path):
    (tmp_path / "README.md").write_text("# A policy\n")
    push(tmp_path, SETTINGS.model_copy(update={"private": False}))
    assert hub.made["visibility"] == "public"


def test_a_refusal_says_that_the_run_stands_and_how_to_try_again(hub, tmp_path):
    hub.refuses = True
    (tmp_path / "model").mkdir()
    (tmp_path / "model/README.md").write_text("# A policy\n")
    with pytest.raises(UploadError, match=r"finished and saved in .*403") as caught:
        push(tmp_path / "model", SETTINGS)
    assert f"python -m sepo_trainer train --resume {tmp_path}" in str(caught.value)


def test_a_hub_that_is_not_there_says_the_same(monkeypatch, tmp_path):
    real = huggingface_hub.HfApi
    monkeypatch.setattr(
        huggingface_hub, "HfApi", lambda: real(endpoint="http://127.0.0.1:9", token="x")
    )
    with pytest.raises(UploadError, match="finished and saved in"):
        push(tmp_path, SETTINGS)


def test_a_run_uploads_its_model_and_its_card_only_when_it_is_told_to(
    hub, monkeypatch, tmp_path, capsys
):
    """A finished run that is resumed with the setting uploads what it has."""
    monkeypatch.setattr(session, "write_report", lambda folder: None)
    tiny = [
        *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
        *("--warm-start.steps", "1", "--warm-start.episodes", "20", "--learning.iterations", "1"),
        *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4"),
        *("--rollout.most-fouls", "1"),
    ]
    folder = tmp_path / "run"
    assert main(["train", "--runs", str(tmp_path), "--name", "run", *tiny]) == 0
    assert hub.asked == []
    told = ["--hub.push-to-hub", "true", "--hub.repo", "somebody/a-policy"]
    assert main(["train", "--resume", str(folder), *told]) == 0
    assert hub.files == {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    assert {"README.md", "model.safetensors"} <= hub.files.keys()
    assert f"The model is at {hub.address}/somebody/a-policy/commit/abc." in capsys.readouterr().out


def test_an_uploaded_adapter_names_its_model_as_the_hub_does_and_not_as_this_machine(
    hub, warm_model, monkeypatch, tmp_path
):
    """What lies here keeps the path, by which it is loaded here."""
    monkeypatch.setattr(session, "write_report", lambda folder: None)
    base, folder = warm_model("fresh"), tmp_path / "run"
    few = [
        *("--warm-start.steps", "1", "--warm-start.episodes", "20", "--learning.iterations", "1"),
        *("--rollout.group-size", "2", "--adapter.kind", "lora", "--rollout.most-fouls", "1"),
        *("--hub.push-to-hub", "true", "--hub.repo", "somebody/a-policy"),
    ]
    place = ["--runs", str(tmp_path), "--name", "run", "--model.path", str(base)]
    assert main(["train", *place, *few, "--hub.base", "their/base"]) == 0
    for name in ("adapter_config.json", "warm/adapter_config.json"):
        assert json.loads(hub.files[name])["base_model_name_or_path"] == "their/base"
        here = json.loads((folder / "model" / name).read_text())
        assert here["base_model_name_or_path"] == str(base)
        del here["base_model_name_or_path"]
        assert here.items() <= json.loads(hub.files[name]).items()
    told = hub.files["README.md"].decode()
    assert "library_name: peft\nbase_model: their/base\n" in told
    assert "trained from [their/base](https://huggingface.co/their/base) by" in told
    assert not [name for name, content in hub.files.items() if str(base).encode() in content]


def test_an_adapter_whose_model_is_uploaded_beside_it_goes_on_naming_that(hub, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "base"}')
    push(tmp_path, SETTINGS)
    assert hub.files == {"adapter_config.json": b'{"base_model_name_or_path": "base"}'}


@pytest.mark.parametrize("base", [None, "Qwen3.5-4B"])
def test_an_adapter_that_does_not_say_what_its_model_is_called_is_not_uploaded(base):
    tree = {
        "hub": {"push_to_hub": True, "repo": "somebody/a-policy"}
        | ({"base": base} if base else {}),
        "adapter": {"kind": "lora"},
        "model": {"path": "models/mine"},
    }
    with pytest.raises(ConfigError, match=r"Set hub\.base to .*"):
        build(tree, source="test")


def test_nobody_logged_in_is_told_before_any_work(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    check_login(HubConfig())
    with pytest.raises(ConfigError, match=r"no token .*hf auth login"):
        check_login(SETTINGS)


@pytest.mark.parametrize("repo", [None, "a-policy", "a/b/c"])
def test_an_upload_without_a_place_is_refused(repo):
    tree = {"hub": {"push_to_hub": True} | ({"repo": repo} if repo else {})}
    with pytest.raises(ConfigError, match=r"hub\.push_to_hub needs a place to upload to"):
        build(tree, source="test")
