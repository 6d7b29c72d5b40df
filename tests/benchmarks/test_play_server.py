"""The play server over real HTTP on a free port: what it answers, and what it refuses."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from random import Random
from time import monotonic, sleep
from urllib.parse import urlencode

import pytest

from benchmarks.command_line import BenchmarkError
from benchmarks.leaderboard.agents import Agent
from benchmarks.play_server import __main__ as command
from benchmarks.play_server.house import House
from benchmarks.play_server.lobby import Lobby
from benchmarks.play_server.server import LONGEST_FORM, Server
from opponents.language_model import ChatModelError, Reply
from sepo_envs import replays
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.draws import Source
from sepo_envs.episode import begin

SECRET = "sk-this-key-is-nobodys-business"


class Chat:
    """A chat model that does as the test says: replies, hangs until it is let go, or fails."""

    def __init__(self, name: str, say: str) -> None:
        self.name, self.say, self.style, self.key = name, say, "conversation", SECRET
        self.free = threading.Event()

    def reply(self, requests):
        if self.say == "hang":
            self.free.wait(30)
        if self.say == "fail":
            raise ChatModelError(f"401 for {self.key}")
        return [Reply("I <b>trust</b> you. [cooperate]", 5, 5) for _ in requests]


def listed(chat: Chat) -> Agent:
    return Agent(
        spec=f"openai:{chat.name}@http://localhost/{SECRET}",
        name=chat.name,
        kind="openai",
        fingerprint="0" * 64,
        about="a chat model",
        domains=("prisoners_dilemma",),
        players=lambda domain: chat,
    )


CHATS = {say: Chat(say, say) for say in ("kind", "hang", "fail")}


@pytest.fixture(scope="module")
def server():
    made = Server(House(Lobby([listed(chat) for chat in CHATS.values()]), most=12))
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    CHATS["hang"].free.set()
    made.shutdown()
    made.house.close()
    made.server_close()
    thread.join()


class Visitor:
    """A browser without pictures: it keeps its cookie and fills in forms."""

    def __init__(self, server: Server) -> None:
        self.server, self.cookie, self.token = server, "", ""

    def ask(self, method, path, body=None, **headers):
        line = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, body, {"Cookie": self.cookie, **headers})
        answer = line.getresponse()
        answer.text = answer.read().decode()
        line.close()
        if answer.headers["Set-Cookie"]:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def get(self, path, **headers):
        answer = self.ask("GET", path, **headers)
        found = re.search(r'name="token" value="(\w+)"', answer.text)
        self.token = found[1] if found else self.token
        return answer

    def post(self, path, form, **headers):
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        body = urlencode({"token": self.token, **form})
        return self.ask("POST", path, body, **{**kind, **headers})

    def sit_down(self, game, opponent, **options):
        """The path of a new table, and its page."""
        self.get(f"/game/{game}")
        answer = self.post(f"/game/{game}", {"opponent": opponent, "seed": "7", **options})
        assert answer.status == 303, answer.text
        return answer.headers["Location"], self.get(answer.headers["Location"]).text

    def play(self, path, page, choose):
        """Every page on the way, to the one with the review."""
        pages = [page]
        while turn := re.search(r'name="turn" value="(\d+)"', pages[-1]):
            form = {"turn": turn[1]}
            for item in ("books", "hats", "balls"):
                counts = re.findall(rf'name="{item}" value="(\d)"', pages[-1])
                form |= {item: choose(counts)} if counts else {}
            moves = re.findall(r'name="move" value="([^"]+)"', pages[-1])
            form |= {"move": choose(moves)} if moves else {}
            assert self.post(f"{path}/move", form).status == 303
            pages.append(self.get(path).text)
        return [*pages, self.wait_for(path, "cost others")]

    def wait_for(self, path, words):
        patience = monotonic() + 60
        while words not in (page := self.get(path).text):
            assert monotonic() < patience, page
            sleep(0.05)
        return page


@pytest.fixture
def visitor(server):
    return Visitor(server)


@pytest.mark.parametrize("game", CATALOGUE)
def test_a_match_is_played_to_its_review_and_the_replay_is_what_was_played(game, visitor, tmp_path):
    """The moves that were clicked, on the very deal of an environment with that seed."""
    rounds, rng, clicked = "2", Random(3), []
    pool = next(iter(visitor.server.house.lobby.rivals(game)))

    def choose(moves):
        clicked.append(rng.choice(moves))
        return clicked[-1]

    path, page = visitor.sit_down(game, pool, seat="0", rounds=rounds)
    *_, last = visitor.play(path, page, choose)
    assert "What a best response would have done" in last
    assert "What your play cost others" in last
    assert '<span class="badge exact">exact</span>' in last
    file = tmp_path / "match.jsonl"
    file.write_text(visitor.get(f"{path}/replay.jsonl").text)
    [replay] = replays.read(file)
    assert replay.about == {"players": ["human", pool.split("/")[1]], "seed": 7, "episode": 0}
    words = CATALOGUE[game].words(replay.episode.game)
    said = [words.say(move, state, 0) for state, move in replay.episode.decisions(0)]
    if game == "item_negotiation":
        said = [digit for reply in said for digit in reply.strip("[]").split(",")]
    assert said == clicked
    dealt = begin(replay.episode.game).deal(Source(7, 0).draws("deal"))
    assert replay.episode.entries[: len(dealt.entries)] == dealt.entries


def test_before_the_end_no_page_hangs_on_the_hidden_card(visitor):
    """Two seeds that deal the person the same card and the other another one."""
    game, dealt = CATALOGUE["kuhn_poker"].make(), {}
    for seed in range(40):
        mine, theirs = begin(game).deal(Source(seed, 0).draws("deal")).state.hand.cards
        dealt.setdefault(mine, {}).setdefault(theirs, seed)
    seeds = next(list(found.values()) for found in dealt.values() if len(found) == 2)
    shown = []
    for seed in seeds:
        visitor.get("/game/kuhn_poker")
        form = {"opponent": "exploit/always-bet", "seed": str(seed), "seat": "0", "rounds": "1"}
        path = visitor.post("/game/kuhn_poker", form).headers["Location"]
        pages = [visitor.get(path).text]
        turn = re.search(r'name="turn" value="(\d+)"', pages[0])[1]
        visitor.post(f"{path}/move", {"turn": turn, "move": "[check]"})
        pages.append(visitor.get(path).text)
        assert "Your opponent bets." in pages[1]
        shown.append([page.replace(path, "").replace(f"seed {seed}", "") for page in pages])
        assert visitor.get(f"{path}/replay.jsonl").status == 404
    assert shown[0] == shown[1]


def test_hindsight_says_what_defecting_on_tit_for_tat_costs(visitor):
    """By hand: 26 could be had; eight defections earn 12 and cost 14, and nothing is luck."""
    path, page = visitor.sit_down("prisoners_dilemma", "train/tit-for-tat", seat="1")
    *_, last = visitor.play(path, page, lambda moves: moves[-1])
    told = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", last))
    assert "it expects +26. Your moves gave away 14.00 of that, and luck brought 0" in told
    assert "You defected in 100% of the rounds." in told


def test_an_illegal_or_late_move_is_told_and_changes_nothing(visitor):
    path, page = visitor.sit_down("prisoners_dilemma", "train/tit-for-tat", seat="0")
    turn = re.search(r'name="turn" value="(\d+)"', page)[1]
    for move, why in [
        ("[raise]", "[raise] is not legal here"),
        ("", "it holds no move in square brackets"),
        ("<script>alert(1)</script>", "it holds no move in square brackets"),
        ("x" * 3000, "too long for a move"),
    ]:
        answer = visitor.post(f"{path}/move", {"turn": turn, "move": move})
        assert (answer.status, why in answer.text) == (422, True)
        assert "<script>alert" not in answer.text
    assert visitor.get(path).text == page
    assert visitor.post(f"{path}/move", {"turn": turn, "move": "[defect]"}).status == 303
    late = visitor.post(f"{path}/move", {"turn": turn, "move": "[defect]"})
    assert (late.status, "of an earlier moment" in late.text) == (422, True)
    assert visitor.post(f"{path}/move", {"turn": "-1", "move": "[defect]"}).status == 400


def test_an_agent_that_hangs_keeps_only_its_own_table_waiting(visitor):
    path, page = visitor.sit_down("prisoners_dilemma", "agents/hang", seat="1")
    assert "hang is thinking" in page
    assert '<meta http-equiv="refresh"' in page
    other, page = visitor.sit_down("prisoners_dilemma", "train/tit-for-tat", seat="0", rounds="1")
    assert "exact</span>" in visitor.play(other, page, lambda moves: moves[0])[-1]
    assert "is thinking" in visitor.get(path).text
    assert visitor.post(f"{path}/leave", {}).status == 303
    assert "You left this table" in visitor.get(path).text


def test_an_agent_that_fails_ends_its_match_and_tells_no_secret(visitor, caplog):
    path, _ = visitor.sit_down("prisoners_dilemma", "agents/fail", seat="1")
    page = visitor.wait_for(path, "fail could not go on")
    assert SECRET in caplog.text  # where whoever runs the server looks
    for where in (path, "/", "/game/prisoners_dilemma"):
        assert SECRET not in visitor.get(where).text
    assert "The same match again" in page


def test_what_a_chat_model_wrote_is_shown_escaped_once_the_match_is_over(visitor):
    path, page = visitor.sit_down("prisoners_dilemma", "agents/kind", seat="0", rounds="1")
    assert "trust" not in page
    last = visitor.play(path, page, lambda moves: moves[-1])[-1]
    assert "I &lt;b&gt;trust&lt;/b&gt; you. [cooperate]" in last
    assert "The move probabilities of kind cannot be read" in last


def test_a_strangers_table_is_no_table(visitor, server):
    path, _ = visitor.sit_down("split_negotiation", "train/fair")
    stranger = Visitor(server)
    stranger.get("/")
    stranger.get("/game/split_negotiation")
    missing = stranger.get("/table/nobody-sits-here")
    for answer in (
        stranger.get(path),
        stranger.get(f"{path}/replay.jsonl"),
        stranger.post(f"{path}/move", {"turn": "0", "move": "[5]"}),
        stranger.post(f"{path}/leave", {}),
        stranger.post(f"{path}/again", {"deal": "next"}),
    ):
        assert (answer.status, answer.text) == (404, missing.text)
    assert visitor.get(path).status == 200


def test_the_next_deal_goes_on_and_the_same_deal_is_dealt_again(visitor):
    path, page = visitor.sit_down("kuhn_poker", "train/nash", seat="any", rounds="1")
    visitor.play(path, page, lambda moves: moves[0])
    replay = json.loads(visitor.get(f"{path}/replay.jsonl").text)
    dealt = {}
    for deal in ("same", "next"):
        again = visitor.post(f"{path}/again", {"deal": deal}).headers["Location"]
        visitor.play(again, visitor.get(again).text, lambda moves: moves[0])
        dealt[deal] = json.loads(visitor.get(f"{again}/replay.jsonl").text)
    assert dealt["same"] == replay
    assert (dealt["next"]["about"]["seed"], dealt["next"]["about"]["episode"]) == (7, 1)
    cards = begin(CATALOGUE["kuhn_poker"].make()).deal(Source(7, 1).draws("deal")).entries
    assert dealt["next"]["moves"][:2] == [[-1, int(card)] for _, card in cards]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"opponent": "openai:gpt@http://evil"}, "Choose an opponent from the list."),
        ({"rounds": "41"}, "rounds must be from 1 to 40"),
        ({"rounds": "1e9"}, "rounds must be a whole number"),
        ({"seat": "2"}, "seat must be from 0 to 1"),
        ({"seed": "-1"}, "seed must be a whole number"),
        ({"seed": "9" * 20}, "must be a whole number from 0 to"),
        ({"preset": "evil"}, "Choose rules from the list"),
        ({"opponent": "equilibrium/nash", "rounds": "3"}, "worked out for the default rules"),
    ],
)
def test_what_cannot_be_played_is_told_beside_the_form(form, why, visitor):
    visitor.get("/game/prisoners_dilemma")
    answer = visitor.post("/game/prisoners_dilemma", {"opponent": "train/random", **form})
    assert (answer.status, why in answer.text) == (422, True)


def test_a_form_must_come_from_our_own_page(visitor, server):
    path, form = "/game/kuhn_poker", {"opponent": "train/nash"}
    visitor.get(path)
    assert visitor.post(path, {**form, "token": "0" * 64}).status == 403
    assert visitor.post(path, form, Origin="http://evil.example").status == 403
    assert visitor.post(path, form, Origin="null").status == 403
    assert visitor.post(path, form, Sec_Fetch_Site="cross-site").status == 403
    other = Visitor(server)
    other.get(path)
    assert visitor.post(path, {**form, "token": other.token}).status == 403
    cookieless = Visitor(server)
    cookieless.token = visitor.token
    assert cookieless.post(path, form).status == 403
    assert visitor.post(path, form, Origin=server.url.rstrip("/")).status == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", ""])
def test_only_its_own_name_is_answered(host, visitor):
    """A page of evil.example, whose name was made to point here, reads nothing."""
    answer = visitor.get("/", Host=host)
    assert (answer.status, answer.headers["Set-Cookie"]) == (421, None)
    assert visitor.get("/", Host=f"LOCALHOST:{visitor.server.server_port}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/game/chess", 404),
        ("GET", "/../server.py", 404),
        ("GET", "/templates/base.html.jinja", 404),
        ("GET", "/" + "x" * 500, 414),
        ("PUT", "/", 501),
        ("DELETE", "/game/kuhn_poker", 501),
        ("POST", "/nowhere", 403),
        ("HEAD", "/", 200),
    ],
)
def test_what_there_is_not_is_a_page_that_says_so(method, path, status, visitor):
    answer = visitor.ask(method, path, "" if method == "POST" else None)
    if method == "POST":
        answer = visitor.post(path, {})
    assert answer.status == status
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_forms_are_limited_in_size_and_kind(visitor):
    visitor.get("/game/kuhn_poker")
    long = {"opponent": "x" * LONGEST_FORM}
    assert visitor.post("/game/kuhn_poker", long).status == 413
    assert visitor.post("/game/kuhn_poker", {f"f{n}": "" for n in range(40)}).status == 400
    assert visitor.post("/game/kuhn_poker", {}, Content_Type="application/json").status == 415
    for length, status in (("many", 411), ("0" * 10 + "10000000", 413), ("0" * 9 + "1" * 12, 413)):
        assert visitor.post("/game/kuhn_poker", {}, Content_Length=length).status == status


def test_every_page_keeps_scripts_frames_and_others_out(visitor):
    for path in ("/", "/game/kuhn_poker", "/nowhere", "/style.css"):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            assert rule in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Python" not in headers["Server"]
    fresh = Visitor(visitor.server).ask("GET", "/").headers["Set-Cookie"]
    assert "HttpOnly" in fresh
    assert "SameSite=Lax" in fresh


def test_a_silent_connection_keeps_nobody_waiting(visitor):
    with socket.create_connection(("127.0.0.1", visitor.server.server_port)):
        assert visitor.get("/").status == 200


def test_tables_that_are_over_make_room_and_those_in_use_do_not(server):
    house = House(server.house.lobby, most=2)
    setting = house.lobby.setting("kuhn_poker", {"opponent": "train/nash", "rounds": "1"})
    first, second = house.open("me", setting), house.open("me", setting)
    with pytest.raises(Exception, match="All 2 tables are taken"):
        house.open("me", setting)
    house.table("me", first).leave()
    third = house.open("me", setting)
    assert house.table("me", first) is None
    house.oldest = 0.0
    sleep(0.01)
    fourth = house.open("me", setting)
    assert [name for name, _ in house.tables_of("me")] == [fourth]
    assert {second, third, fourth} - {name for name, _ in house.tables_of("me")} == {second, third}
    house.close()


def test_the_command_says_what_to_do_about_a_busy_port_or_no_address(server):
    house = House(Lobby())
    with pytest.raises(BenchmarkError, match=r"Is one running already\? Use --port 0"):
        command.opened(house, "127.0.0.1", server.server_port, ())
    with pytest.raises(BenchmarkError, match=r"--host localhost is no address. Use 127.0.0.1"):
        command.opened(house, "localhost", 0, ())
    with pytest.raises(BenchmarkError, match="99999 is no port"):
        command.opened(house, "127.0.0.1", 99999, ())


def test_a_name_that_was_given_is_answered_to():
    made = Server(House(Lobby()), names=("play.example",))
    made.server_close()
    assert f"play.example:{made.server_port}" in made.hosts
    assert made.url == f"http://127.0.0.1:{made.server_port}/"
