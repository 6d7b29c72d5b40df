"""The web server: which request is answered at all, and which page answers it.

It listens on this machine alone unless told otherwise. A request must name the server as its user
does (``Host``), so that no foreign name can be made to point here; a form must come from our own
pages (``Origin``, and the guest's token). Pages run no inline script, are framed by nobody, and
load nothing from elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET6, gethostname, socket
from threading import BoundedSemaphore
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from benchmarks.play_server import pages
from benchmarks.play_server.house import FullError, House
from benchmarks.play_server.lobby import InvitationError
from benchmarks.play_server.pages import Guest
from benchmarks.play_server.table import RefusedError, Table
from sepo_envs import replays
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.games.item_negotiation.rules import ITEMS

COOKIE: Final = "sepo_guest"
LONGEST_FORM: Final = 4_096
LONGEST_PATH: Final = 200
MOST_FIELDS: Final = 20
MOST_CONNECTIONS: Final = 64
SECONDS: Final = 15.0
"""For which a connection may say nothing."""
ASSETS: Final[Mapping[str, str]] = {
    "/style.css": "text/css; charset=utf-8",
    "/play.js": "text/javascript; charset=utf-8",
    "/favicon.svg": "image/svg+xml",
}
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What is sent back."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = {}


class RefusedRequestError(Exception):
    """A request that is not answered; the page says why."""

    def __init__(self, status: HTTPStatus, told: str, headers: Mapping[str, str] = {}) -> None:
        super().__init__(told)
        self.status, self.told, self.headers = status, told, headers


NO_TABLE: Final = (
    "There is no such table: it was cleared away, or another browser opened it. "
    "Start at the front page."
)


class Server(ThreadingHTTPServer):
    """Serves one house.

    Args:
        host: the address to listen on.
        port: 0 takes a free one.
        names: under which browsers may reach it, beside its address.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(
        self, house: House, *, host: str = "127.0.0.1", port: int = 0, names: tuple[str, ...] = ()
    ) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        self.house = house
        self._free = BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((host, port), Handler)
        own = {host} if not ip_address(host).is_unspecified else {gethostname().lower()}
        if ip_address(host).is_loopback or ip_address(host).is_unspecified:
            own |= {"localhost", "127.0.0.1", "::1"}
        bracketed = {f"[{name}]" if ":" in name else name for name in {*own, *names}}
        self.hosts = {f"{name.lower()}:{self.server_port}" for name in bracketed}
        if self.server_port == 80:
            self.hosts |= {name.lower() for name in bracketed}

    @property
    def url(self) -> str:
        host = str(self.server_address[0])
        if ip_address(host).is_unspecified:
            host = "localhost"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, if there is one left; else the connection is closed."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A connection that broke; what our own code raises is told in `Handler`."""
        log.debug("a connection from %s broke", client_address, exc_info=True)


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = SECONDS
    server_version = "sepo"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no request that we know, in a page like any other."""
        status = HTTPStatus(code)
        self._send(self._page(status, message or status.phrase))

    def _answer(self, find: Any) -> None:
        self.guest, self.fresh = "", False
        try:
            self._check_host()
            self._find_guest()
            answer: Answer = find(urlsplit(self.path).path)
        except RefusedRequestError as refused:
            answer = self._page(refused.status, refused.told)._replace(headers=refused.headers)
        except Exception:
            log.exception("%s %s failed", self.command, urlsplit(self.path).path)
            answer = self._page(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "Something is broken here. The server's terminal tells what.",
            )
        self._send(answer)

    def _get(self, path: str) -> Answer:
        house = self.server.house
        if path in ASSETS:
            return Answer(_asset(path), kind=ASSETS[path])
        match path.strip("/").split("/"):
            case [""]:
                tables = house.tables_of(self.guest)
                return _html(pages.lobby_page(self._known(), tables))
            case ["game", name] if name in CATALOGUE:
                return _html(pages.game_page(house.lobby, self._known(), CATALOGUE[name]))
            case ["table", name]:
                return _html(pages.table_page(self._known(), name, self._table(name)))
            case ["table", name, "replay.jsonl"]:
                return self._replay(self._table(name))
        raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _post(self, path: str) -> Answer:
        form, house = self._form(), self.server.house
        match path.strip("/").split("/"):
            case ["game", name] if name in CATALOGUE:
                try:
                    setting = house.lobby.setting(name, form)
                    return _to(f"/table/{house.open(self.guest, setting)}")
                except (InvitationError, FullError) as error:
                    page = pages.game_page(
                        house.lobby,
                        self._known(),
                        CATALOGUE[name],
                        given=form,
                        complaint=str(error),
                    )
                    return _html(page, HTTPStatus.UNPROCESSABLE_ENTITY)
            case ["table", name, "move"]:
                return self._move(name, self._table(name), form)
            case ["table", name, "leave"]:
                self._table(name).leave()
                return _to(f"/table/{name}")
            case ["table", name, "again"]:
                setting = self._table(name).setting
                if form.get("deal") == "next":
                    setting = setting.next_deal()
                try:
                    return _to(f"/table/{house.open(self.guest, setting)}")
                except FullError as error:
                    raise RefusedRequestError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        raise RefusedRequestError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _move(self, name: str, table: Table, form: Mapping[str, str]) -> Answer:
        turn = form.get("turn", "")
        if not (turn.isascii() and turn.isdigit() and len(turn) < 9):
            raise RefusedRequestError(HTTPStatus.BAD_REQUEST, "The form lacks its turn.")
        if all(item in form for item in ITEMS):
            reply = f"[{','.join(form[item] for item in ITEMS)}]"
        else:
            reply = form.get("move", "")
        try:
            table.move(int(turn), reply)
        except RefusedError as refused:
            page = pages.table_page(self._known(), name, table, complaint=str(refused))
            return _html(page, HTTPStatus.UNPROCESSABLE_ENTITY)
        return _to(f"/table/{name}")

    def _replay(self, table: Table) -> Answer:
        played, setting = table.standing().played, table.setting
        if played is None:
            raise RefusedRequestError(
                HTTPStatus.NOT_FOUND, "The replay shows every card: it is there once the match is."
            )
        line = replays.line(
            played.episode,
            {"players": setting.names, "seed": setting.seed, "episode": setting.deal},
        )
        named = f"{setting.domain.name}-{setting.seed}-{setting.deal}.jsonl"
        return Answer(
            line.encode(),
            kind="application/jsonl; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{named}"'},
        )

    def _table(self, name: str) -> Table:
        table = self.server.house.table(self.guest, name)
        if table is None:
            raise RefusedRequestError(HTTPStatus.NOT_FOUND, NO_TABLE)
        return table

    def _check_host(self) -> None:
        if len(self.path) > LONGEST_PATH:
            raise RefusedRequestError(HTTPStatus.REQUEST_URI_TOO_LONG, "That address is too long.")
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            raise RefusedRequestError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This server does not go by that name. Use the address that it printed, or start "
                "it with --name for the one you used.",
            )

    def _find_guest(self) -> None:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            found = None
        if found is not None and 20 <= len(found.value) <= 64:
            self.guest = found.value
        else:
            self.guest, self.fresh = self.server.house.new_guest(), True

    def _known(self) -> Guest:
        return Guest(self.server.house.token(self.guest))

    def _form(self) -> dict[str, str]:
        """The fields of the request, once it is clear that one of our own pages sent it."""
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != self.headers["Host"].lower():
            raise RefusedRequestError(HTTPStatus.FORBIDDEN, "That form is of another site.")
        if self.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise RefusedRequestError(HTTPStatus.FORBIDDEN, "That form is of another site.")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise RefusedRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "That is no form.")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise RefusedRequestError(HTTPStatus.LENGTH_REQUIRED, "How long is that form?")
        if len(length) > len(str(LONGEST_FORM)) or int(length) > LONGEST_FORM:
            raise RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That form is too long.")
        try:
            sent = self.rfile.read(int(length)).decode("ascii")
            fields = dict(
                parse_qsl(sent, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
            )
        except ValueError as error:
            raise RefusedRequestError(HTTPStatus.BAD_REQUEST, "That is no form.") from error
        if self.fresh or not self.server.house.is_token(self.guest, fields.pop("token", "")):
            raise RefusedRequestError(
                HTTPStatus.FORBIDDEN,
                "That form is out of date: the server was started again since, or the browser "
                "keeps no cookies. Load the page again.",
            )
        return fields

    def _page(self, status: HTTPStatus, told: str) -> Answer:
        return _html(pages.message_page(status.phrase, told), status)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**HEADERS, **answer.headers}.items():
            self.send_header(name, value)
        if getattr(self, "fresh", False) and answer.kind.startswith("text/html"):
            cookie = f"{COOKIE}={self.guest}; Path=/; HttpOnly; SameSite=Lax"
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _html(page: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(page.encode(), status)


def _to(path: str) -> Answer:
    """Go on with this page; a reload then sends no form again."""
    return Answer(b"", HTTPStatus.SEE_OTHER, headers={"Location": path})


def _asset(path: str) -> bytes:
    if path == "/style.css":
        return pages.asset("style.css") + pages.seat_classes().encode()
    return pages.asset(path.strip("/"))
