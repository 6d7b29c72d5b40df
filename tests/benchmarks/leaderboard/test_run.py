"""Scores: reproducible, resumable, and those of the scorecard; words are scored as moves are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.leaderboard import store
from benchmarks.leaderboard.__main__ import main
from benchmarks.leaderboard.agents import AgentError
from benchmarks.leaderboard.asking import Asked
from benchmarks.leaderboard.over_seeds import combined
from benchmarks.leaderboard.records import (
    AgentRecord,
    Competency,
    Exploitability,
    Spent,
    load_agent,
    load_cross_play,
    without_times,
)
from benchmarks.leaderboard.run import tasks
from benchmarks.leaderboard.speaking import UnavailableError, Ways
from benchmarks.records import RecordError
from opponents.prisoners_dilemma import POOLS, TIT_FOR_TAT
from opponents.scorecard import play_pools, scorecard
from tests.opponents.chat_server import ChatServer

EPISODES = 8


def run(
    tmp: Path,
    *agents: str,
    home: str = "home",
    domains: str = "prisoners_dilemma",
    jobs: int = 1,
    name: str | None = None,
) -> Path:
    """The board after these agents were scored, a few episodes each."""
    named = [word for spec in agents for word in ("--agent", spec)]
    places = ["--home", str(tmp / home), "--board", str(tmp / f"{home}-board")]
    few = ["--episodes", str(EPISODES), "--domains", domains, "--jobs", str(jobs)]
    called = [] if name is None else ["--name", name]
    main(["run", *named, *places, *few, *called])
    return tmp / f"{home}-board"


def record(board: Path, name: str) -> AgentRecord:
    return load_agent(board / "agents" / f"{name}.json")


def test_a_record_says_what_the_scorecard_says(tmp_path: Path) -> None:
    pools = {name: pool.opponents for name, pool in POOLS.items()}
    card = scorecard(
        "prisoners_dilemma",
        play_pools(TIT_FOR_TAT, "prisoners_dilemma", pools, deals=EPISODES // 2),
    )
    score = record(run(tmp_path, "tit-for-tat"), "tit-for-tat").domains["prisoners_dilemma"]
    for name in ("u", "e", "c", "x", "safety"):
        assert getattr(score, name) == pytest.approx(getattr(card, name), abs=1e-6), name
    assert score.also["econ"].safety == pytest.approx(card.also["econ"].safety, abs=1e-6)
    assert isinstance(score.exploitability, Exploitability)
    assert score.exploitability.value == 2.0  # the best reply defects once, in the last round
    assert score.exploitability.kind == "exact"
    assert score.stands_in == ("train",)
    assert score.moves["start"] == {"n": 13 * EPISODES, "C": 1.0}
    assert score.worst[0].opponent == "always-defect"


def test_two_runs_write_the_same_but_for_times(tmp_path: Path) -> None:
    boards = [run(tmp_path, "random", "nash", home=home, domains="kuhn_poker") for home in "ab"]
    for name in ("random", "nash"):
        first, second = (without_times(record(board, name)) for board in boards)
        assert first == second
    score = record(boards[0], "nash").domains["kuhn_poker"]
    assert score.c == "not defined in a zero-sum game"
    assert isinstance(score.exploitability, Exploitability)
    assert score.exploitability.value == pytest.approx(0.0, abs=1e-6)


def test_a_record_does_not_hang_on_who_else_is_scored(tmp_path: Path) -> None:
    """In company, an agent is met first by the others that stand in a pool."""
    alone = record(run(tmp_path, "uniform", home="alone", domains="kuhn_poker"), "uniform")
    others = ("jack-bluffer", "always-bet", "uniform")
    among = record(run(tmp_path, *others, home="among", domains="kuhn_poker"), "uniform")
    assert among.domains == alone.domains


def test_an_interrupted_run_loses_no_finished_match_and_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = without_times(record(run(tmp_path, "grim", home="whole"), "grim"))
    played: list[int] = []
    play = store.play_matches

    def stopped_after(most: int):
        def play_some(*arguments, **options):
            if len(played) == most:
                raise KeyboardInterrupt
            played.append(len(options["deals"]))
            return play(*arguments, **options)

        return play_some

    monkeypatch.setattr(store, "play_matches", stopped_after(10))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "grim")
    files = sorted((tmp_path / "home").glob("matches/*/*.jsonl"))
    assert len(files) == 10
    files[0].write_bytes(files[0].read_bytes()[:-9])  # killed while it wrote
    monkeypatch.setattr(store, "play_matches", stopped_after(-1))
    again = without_times(record(run(tmp_path, "grim"), "grim"))
    assert again == whole
    seatings = len(sorted((tmp_path / "home").glob("matches/*/*.jsonl")))
    assert len(played) == seatings + 1  # the one that was cut short, a second time
    assert played[10] <= EPISODES // 2
    before = len(played)

    def solve(*arguments: object, **options: object) -> None:
        pytest.fail("how exploitable it is was known already")

    monkeypatch.setattr("benchmarks.leaderboard.scoring.exploitability", solve)
    assert without_times(record(run(tmp_path, "grim"), "grim")) == whole
    assert len(played) == before


def test_what_takes_longest_is_begun_first_and_shared_out_among_processes(tmp_path: Path) -> None:
    """Exploiters are trained ahead, by all processes; each domain's matches are one's."""
    domains = ("kuhn_poker", "item_negotiation")
    what = Asked((), (), domains, EPISODES, 0, 2, tmp_path, Ways())
    told = [(t.domain, t.specs, t.ahead) for t in tasks(("nash", "random", "uniform"), what)]
    assert told == [
        ("item_negotiation", ("nash",), True),
        ("item_negotiation", ("random",), True),
        ("item_negotiation", ("nash", "random"), False),
        ("kuhn_poker", ("nash", "random", "uniform"), False),
    ]
    alone = tasks(("nash",), what._replace(jobs=1))
    assert [task.ahead for task in alone] == [False, False]


def test_who_says_the_words_of_a_strategy_is_scored_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that always cooperates stands beside always-cooperate, deal by deal. What it knows
    of the rules, what it costs and what the pools gain on it stand in its record too."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("benchmarks.leaderboard.scoring.QUESTIONS", 2)
    with ChatServer(lambda body: "[cooperate]") as server:
        spec = f"openai:saint@{server.url}"
        board = run(tmp_path, "always-cooperate", spec)
        asked = len(server.bodies)
        run(tmp_path, spec)
        assert len(server.bodies) == asked  # everything was kept
    scripted = record(board, "always-cooperate").domains["prisoners_dilemma"]
    spoken = record(board, "saint").domains["prisoners_dilemma"]
    for name in ("u", "e", "c", "x", "safety", "also", "overall", "opponents", "replays"):
        assert getattr(spoken, name) == getattr(scripted, name), name
    assert isinstance(spoken.spent, Spent)
    assert spoken.spent.output_tokens > 0
    assert isinstance(spoken.competency, Competency)
    assert spoken.competency.questions == 2
    assert isinstance(spoken.exploitability, Exploitability)
    assert spoken.exploitability.kind == "lower bound"
    assert spoken.exploitability.value == 16.0  # always-defect's 5 for 3, eight times
    assert isinstance(scripted.exploitability, Exploitability)
    assert spoken.exploitability.value <= scripted.exploitability.value
    assert any(replay.said for replay in spoken.worst)


def test_in_poker_the_best_response_answers_what_was_seen_where_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who always passes gives up the ante to any bet."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("benchmarks.leaderboard.scoring.QUESTIONS", 1)

    def folds(body):
        text = body["messages"][-1]["content"]
        return "[check]" if "[check]" in text else "[fold]"

    with ChatServer(folds) as server:
        spec = f"openai:meek@{server.url}"
        board = run(tmp_path, spec, domains="kuhn_poker", jobs=2)  # which words do not need
    score = record(board, "meek").domains["kuhn_poker"]
    assert "answers the frequencies of" in score.notes[0]
    line = next(line for line in score.opponents if line.opponent == "best-response")
    assert line.focal == (-1.0, -1.0, -1.0)


def test_who_plays_none_of_the_domains_gets_no_record(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"'always-bet' does not .* Give --domains kuhn_poker\."):
        run(tmp_path, "grim", "always-bet")
    assert not (tmp_path / "home-board").exists()
    board = run(tmp_path, "scripted", domains="split_negotiation")
    assert (board / "agents/conceder.json").exists()
    assert not (board / "agents/always-bet.json").exists()


def test_a_row_over_trainings_has_its_interval_over_them(tmp_path: Path) -> None:
    board = run(tmp_path, "random", "lenient", "tit-for-tat")
    scores = [record(board, name).domains["prisoners_dilemma"] for name in ("random", "lenient")]
    three = [*scores, record(board, "tit-for-tat").domains["prisoners_dilemma"]]
    row = combined(three)
    values = [score.u[0] for score in three]
    assert row.over == "seeds"
    assert row.u[0] == pytest.approx(sum(values) / 3, abs=1e-6)
    assert min(values) <= row.u[1] < row.u[0] < row.u[2] <= max(values)
    assert combined(scores).u[1:] == (None, None)  # two are too few
    assert row.moves["start"]["n"] == 3 * 13 * EPISODES


def test_a_round_robin_says_who_earned_more(tmp_path: Path) -> None:
    """Always-defect beats a cooperator in every match, 5 a round to 0; with itself it draws."""
    both = ["--agent", "always-defect", "--agent", "always-cooperate", "--agent", "random"]
    places = ["--home", str(tmp_path / "home"), "--board", str(tmp_path / "board")]
    few = ["--episodes", "8", "--domains", "prisoners_dilemma", "--jobs", "1"]
    for _ in range(2):
        main(["cross-play", *both, *places, *few])
    found = load_cross_play(tmp_path / "board" / "cross_play" / "prisoners_dilemma.json")
    names = [who.name for who in found.agents]
    defect, saint = names.index("always-defect"), names.index("always-cooperate")
    assert found.payoffs[defect][saint] == (5.0, 5.0, 5.0)
    assert found.payoffs[saint][defect] == (0.0, 0.0, 0.0)
    assert found.payoffs[defect][defect] == (1.0, 1.0, 1.0)
    assert found.wins[defect][saint] == (1.0, 1.0, 1.0)
    assert found.wins[saint][saint] == (0.5, 0.5, 0.5)
    assert found.ratings[0].name == "always-defect"


def test_a_record_that_holds_more_is_written_over_only_when_asked(tmp_path: Path) -> None:
    places = ["--home", str(tmp_path / "home"), "--board", str(tmp_path / "board"), "--jobs", "1"]

    def score(agents: str, domains: str, episodes: int, *more: str, command: str = "run") -> None:
        named = [word for spec in agents.split(",") for word in ("--agent", spec)]
        few = ["--domains", domains, "--episodes", str(episodes)]
        main([command, *named, *few, *places, *more])

    both = "prisoners_dilemma,kuhn_poker"
    score("random", both, 8)
    whole = (tmp_path / "board/agents/random.json").read_bytes()
    for agents, domains, episodes, more, why in (
        ("random", both, 4, (), "of 8 episodes against each opponent, and this is of 4"),
        ("random", "kuhn_poker", 8, (), "also holds prisoners_dilemma"),
        ("always-defect", "prisoners_dilemma", 8, ("--name", "random"), "is of 'random', and this"),
    ):
        with pytest.raises(AgentError, match=rf"{why}.* --board DIR, .* --replace"):
            score(agents, domains, episodes, *more)
        assert (tmp_path / "board/agents/random.json").read_bytes() == whole
    score("random", "kuhn_poker", 4, "--replace")
    assert {*record(tmp_path / "board", "random").domains} == {"kuhn_poker"}
    score("random,always-defect,grim", "prisoners_dilemma", 4, command="cross-play")
    with pytest.raises(AgentError, match=r"also ranks grim\. .* --replace"):
        score("random,always-defect", "prisoners_dilemma", 4, command="cross-play")
    with pytest.raises(AgentError, match="of 4 episodes against each opponent, and this is of 2"):
        score("random,always-defect,grim", "prisoners_dilemma", 2, command="cross-play")
    score("random,always-defect", "prisoners_dilemma", 4, "--replace", command="cross-play")


def test_a_record_that_was_edited_is_refused_with_the_place(tmp_path: Path) -> None:
    path = run(tmp_path, "always-defect") / "agents" / "always-defect.json"
    tree = json.loads(path.read_text())
    tree["domains"]["prisoners_dilemma"]["u"] = [1.0, 2.0]
    path.write_text(json.dumps(tree))
    with pytest.raises(RecordError, match=r"domains\.prisoners_dilemma\.u"):
        load_agent(path)


def test_a_row_goes_by_the_name_that_it_is_given(tmp_path: Path) -> None:
    board = run(tmp_path, "grim", name="never-forgives")
    [path] = board.glob("agents/*.json")
    assert path.stem == load_agent(path).agent.name == "never-forgives"
    assert load_agent(path).certificate.command.startswith(
        "python -m benchmarks.leaderboard run --agent grim --name never-forgives "
    )
    with pytest.raises(AgentError, match="--name all is of one agent, and scripted stands for"):
        run(tmp_path, "scripted", name="all")


def test_each_name_is_of_the_agent_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--home", str(tmp_path / "home"), "--board", str(tmp_path / "board")]
    few = ["--episodes", "4", "--domains", "prisoners_dilemma", "--jobs", "1", *places]
    both = ["--agent", "grim", "--name", "stern", "--agent", "random"]
    main(["run", *both, *few])
    assert {path.stem for path in tmp_path.glob("board/agents/*")} == {"stern", "random"}
    main(["cross-play", *both, "--agent", "always-defect", "--name", "wolf", *few])
    met = load_cross_play(tmp_path / "board/cross_play/prisoners_dilemma.json")
    assert [who.name for who in met.agents] == ["stern", "random", "wolf"]
    assert {rating.name for rating in met.ratings} == {"stern", "random", "wolf"}
    assert met.certificate.command.startswith(
        "python -m benchmarks.leaderboard cross-play --agent grim --name stern --agent random "
        "--agent always-defect --name wolf "
    )
    with pytest.raises(AgentError, match="'grim' and 'random' would both be called 'random'"):
        main(["cross-play", "--agent", "grim", "--name", "random", "--agent", "random", *few])
    with pytest.raises(AgentError, match="'grim' has two names, a and b"):
        main(["run", "--agent", "grim", "--name", "a", "--agent", "grim", "--name", "b", *few])
    for wrong, said in (
        (["--name", "stern", "--agent", "grim"], "--name stern names the --agent before it"),
        (["--agent", "grim", "--name", "a", "--name", "b"], "'grim' has two names, a and b"),
        (["--agent", "grim", "--name", "a/b"], "'a/b' cannot be a file's name"),
    ):
        with pytest.raises(SystemExit):
            main(["run", *wrong, *few])
        assert said in capsys.readouterr().err


def test_trainings_meet_as_agents_of_their_own_and_are_named_so(tmp_path: Path) -> None:
    """A strategy's name with the seed in it stands for trainings, which would take minutes."""
    places = ["--home", str(tmp_path / "home"), "--board", str(tmp_path / "board")]
    few = ["--episodes", "4", "--domains", "repeated_auction", "--jobs", "1", *places]
    several = ["--agent", "always-{seed}", "--seeds", "1,2,3"]
    main(["cross-play", *several, "--name", "bid-{seed}", *few])
    met = load_cross_play(tmp_path / "board/cross_play/repeated_auction.json")
    assert [(who.spec, who.name) for who in met.agents] == [
        (f"always-{seed}", f"bid-{seed}") for seed in (1, 2, 3)
    ]
    with pytest.raises(AgentError, match=r"an agent of its own\. Write --name bid-\{seed\}\."):
        main(["cross-play", *several, "--name", "bid", *few])
    with pytest.raises(AgentError, match=r"leave \{seed\} out"):
        main(["run", *several, "--name", "bid-{seed}", *few])


def test_nobody_plays_before_all_are_known_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in ("run", "cross-play"):
        for spec, said in (
            ("run:/nowhere", "there is no /nowhere"),
            ("hf:/nowhere", "there is no /nowhere"),
            (f"run:{tmp_path}/empty@3", r"empty is no training run: it holds no config\.toml"),
            (f"hf:{tmp_path}/empty", r"it holds no config\.json or adapter_config\.json"),
            ("openai:m@http://localhost:1/v1", "no setting 'tempature'"),
        ):
            ways = ["--endpoint", "tempature=0", "--home", str(tmp_path / "home")]
            with pytest.raises(UnavailableError, match=said):
                main([command, "--agent", "grim", "--agent", spec, *ways])
    assert not (tmp_path / "home/matches").exists()


def test_who_is_asked_in_words_is_seen_to_get_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every match is counted once, played or found, and there are as many as was said."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("benchmarks.leaderboard.scoring.QUESTIONS", 1)
    monkeypatch.setattr("sepo_trainer.runs.progress.TELL_EVERY", 0.0)
    with ChatServer(lambda body: "[1]") as server:
        for _ in range(2):
            run(tmp_path, f"openai:m@{server.url}", domains="kuhn_poker")
            told = capsys.readouterr().out.splitlines()
            total = int(told[0].split()[-2])
            assert told[0].endswith(f"kuhn_poker, {total} episodes")
            counts = [int(line.split()[1]) for line in told if " of " in line]
            assert counts == sorted(counts)
            assert told[-3] == f"kuhn_poker: {total} of {total}, episodes of m"


def test_the_page_and_the_tables_are_as_the_records_are() -> None:
    main(["tables", "--check"])
    main(["page", "--check"])


def test_stale_tables_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.leaderboard.tables import BEGIN, END

    board = run(tmp_path, "always-defect", "always-cooperate")
    pages = [tmp_path / "long.md", tmp_path / "short.md"]
    for page in pages:
        page.write_text(f"# Head\n\n{BEGIN}\n\n{END}\n\nTail.\n")
    options = ["--board", str(board), "--long", str(pages[0]), "--short", str(pages[1])]
    with pytest.raises(SystemExit, match="1"):
        main(["tables", "--check", *options])
    assert "python -m benchmarks.leaderboard tables" in capsys.readouterr().err
    main(["tables", *options])
    main(["tables", "--check", *options])
    made = pages[0].read_text()
    assert made.startswith("# Head")
    assert made.endswith("Tail.\n")
    saint = made.index("| [always-cooperate](results/leaderboard/agents/always-cooperate.json)")
    assert made.index("| [always-defect]") < saint  # by SAFETY: exploiters take 3.75 a round
    assert "| 16.0000 |" in made
