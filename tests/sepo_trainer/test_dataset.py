"""The demonstrations as a chat dataset: what is in the folder, held against play."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import datasets
import pytest
import yaml
from scipy.stats import binomtest

from sepo_envs import replays
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import begin
from sepo_envs.game import CHANCE
from sepo_envs.protocol import Talk
from sepo_trainer.__main__ import main
from sepo_trainer.dataset import Recipe, write_dataset
from sepo_trainer.learning.demonstrations import write_traces
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.policy.tokenizer import embedded_tokenizer
from sepo_trainer.settings.config import ConfigError
from sepo_trainer.stage import set_stage
from tests.sepo_trainer.mixture import PUBLISHED

FILES = ["README.md", "checksums.txt", "episodes.jsonl", "train.jsonl"]
RECIPES = [
    Recipe(decisions=6_000),
    Recipe(decisions=2_000, style="conversation"),
    Recipe(decisions=500, seed=3, thoughts=False),
]


@pytest.fixture(scope="module", params=RECIPES, ids=lambda recipe: recipe.options)
def written(request, tmp_path_factory):
    """A recipe, its folder, and the rows and episodes as they stand in the files."""
    folder = tmp_path_factory.mktemp("demonstrations") / "set"
    write_dataset(request.param, folder)
    episodes = {
        (replay.domain.name, replay.about["episode"]): replay
        for replay in replays.read(folder / "episodes.jsonl")
    }
    return request.param, folder, lines(folder / "train.jsonl"), episodes


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_datasets_loads_it_as_it_is(written, tmp_path, monkeypatch):
    """By the file and by the folder, whose card says which file holds the chats."""
    _, folder, rows, _ = written
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    file = str(folder / "train.jsonl")
    cache = str(tmp_path)
    loaded = datasets.load_dataset("json", data_files=file, split="train", cache_dir=cache)
    assert loaded.to_list() == rows
    text, number = datasets.Value("string"), datasets.Value("int64")
    assert loaded.features == {
        "messages": datasets.List({"role": text, "content": text}),
        "domain": text,
        "episode": number,
        "seat": number,
        "demonstrator": text,
        "opponents": datasets.List(text),
        "rounds": datasets.List(number),
        "moves": datasets.List(text),
        "points": datasets.Value("float64"),
    }
    by_card = datasets.load_dataset(str(folder), cache_dir=cache)
    assert list(by_card) == ["train"]
    assert by_card["train"].to_list() == rows


def retold(replay: replays.Replay, answers: dict[int, list[str]], recipe: Recipe) -> list[dict]:
    """The rows of an episode, told anew from its moves and from what each seat answered."""
    name, players = replay.domain.name, replay.about["players"]
    words = set_stage(name).words
    talks = [Talk(words, seat, recipe.style) for seat in range(2)]
    rows: list[dict] = []
    open_in: dict[int, dict] = {}
    episode = begin(replay.episode.game)
    for seat, move in replay.episode.entries:
        if seat != CHANCE:
            asked, answer = talks[seat].hear(episode), answers[seat].pop(0)
            talks[seat], read_back = asked.reply(answer, episode)
            assert read_back == move
            said = words.say(move, episode.state, seat)
            reasons = words.thoughts(episode.state, seat) if recipe.thoughts else ()
            assert answer in (said, *(f"{reason} {said}" for reason in reasons))
            if len(asked.messages) == 1:
                open_in[seat] = {"rounds": [], "moves": []}
                rows.append(open_in[seat])
            open_in[seat]["messages"] = [m._asdict() for m in talks[seat].messages]
            open_in[seat]["rounds"].append(1 + len(episode.game.payoffs(episode.state)))
            open_in[seat]["moves"].append(said)
            open_in[seat] |= {
                "domain": name,
                "episode": replay.about["episode"],
                "seat": seat,
                "demonstrator": players[seat],
                "opponents": [players[1 - seat]],
                "points": replay.episode.returns[seat],
            }
        episode = episode.play(move)
    return rows


def test_every_chat_is_what_its_seat_read_and_did_in_the_episode(written):
    """Each episode is played again, every answer read, and every prompt made anew."""
    recipe, _, rows, episodes = written
    answers: dict[tuple, dict[int, list[str]]] = {
        key: {seat: [] for seat in range(2)} for key in episodes
    }
    for row in rows:
        answers[row["domain"], row["episode"]][row["seat"]] += [
            message["content"] for message in row["messages"] if message["role"] == "assistant"
        ]
    told = [row for key, replay in episodes.items() for row in retold(replay, answers[key], recipe)]
    assert told == rows
    assert not any(left for seats in answers.values() for left in seats.values())


def test_each_game_has_its_share_and_hardly_more(written):
    recipe, _, rows, episodes = written
    decisions = Counter()
    for row in rows:
        decisions[row["domain"]] += len(row["moves"])
    assert list(decisions) == list(CATALOGUE)
    assert recipe.share * 5 >= recipe.decisions
    for name, number in decisions.items():
        last = max(n for domain, n in episodes if domain == name)
        entries = episodes[name, last].episode.entries
        assert recipe.share <= number < recipe.share + len(entries)


def test_demonstrators_sit_as_often_as_the_published_mixture_says(written):
    _, _, _, episodes = written
    for name in CATALOGUE:
        seated = Counter(
            player
            for (domain, _), replay in episodes.items()
            if domain == name
            for player in replay.about["players"]
        )
        assert seated.keys() <= PUBLISHED[name].keys()
        for player, share in PUBLISHED[name].items():
            assert binomtest(seated[player], seated.total(), share).pvalue > 1e-4


@pytest.mark.parametrize("style", ["fresh", "conversation"])
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_trainers_own_traces_are_the_same_chats(name, style, tmp_path):
    """Rendered by the template of the embedded tokenizer, which knows nothing of demonstrators."""
    write_dataset(Recipe((name,), seed=5, decisions=60, style=style), tmp_path / "set")
    rows, tokenizer = lines(tmp_path / "set/train.jsonl"), embedded_tokenizer()
    traces = write_traces(
        set_stage(name),
        Renderer(tokenizer),
        run_seed=5,
        episodes=1 + rows[-1]["episode"],
        style=style,
    )
    chats = Counter(tokenizer.apply_chat_template(row["messages"], tokenize=False) for row in rows)
    assert chats == Counter(
        tokenizer.decode(list(trace.prompt_ids + trace.rest_ids)) for trace in traces.elements()
    )


def test_the_checksums_are_in_the_form_of_sha256sum_and_true(written):
    _, folder, _, _ = written
    form = re.compile(r"([0-9a-f]{64})  ([\w.]+)\n")
    text = (folder / "checksums.txt").read_text()
    assert form.sub("", text) == ""
    sums = {name: digest for digest, name in form.findall(text)}
    assert sums == {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in FILES
        if name != "checksums.txt"
    }
    card = (folder / "README.md").read_text()
    assert all(f"{sums[name]}  {name}\n" in card for name in ("train.jsonl", "episodes.jsonl"))


def test_the_card_opens_with_what_the_hub_reads_and_counts_what_is_there(written):
    recipe, folder, rows, episodes = written
    card = (folder / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "train.jsonl"}]
    assert front["size_categories"] == ["n<1K" if len(rows) < 1_000 else "1K<n<10K"]
    assert f"demonstrations {recipe.options} --to" in card
    for name in CATALOGUE:
        own = [row for row in rows if row["domain"] == name]
        played = [replay for (domain, _), replay in episodes.items() if domain == name]
        decisions = sum(len(row["moves"]) for row in own)
        line = f"| `{name}` | {len(played):,} | {decisions:,} | {len(own):,} |"
        assert line in card
        section = card.split(f"## {name}\n")[1].split("\n## ")[0]
        for expert, share in PUBLISHED[name].items():
            seats = [
                (replay.episode.returns[seat], replay.episode.returns[1 - seat])
                for replay in played
                for seat in range(2)
                if replay.about["players"][seat] == expert
            ]
            cells = next(
                line.split(" | ")
                for line in section.splitlines()
                if line.startswith(f"| {expert} |")
            )
            assert cells[1] == f"{share:.2f}"
            assert cells[2].split()[0] == f"{len(seats):,}"
            made = sum(len(row["moves"]) for row in own if row["demonstrator"] == expert)
            assert cells[3] == f"{made:,}"
            if seats:
                rounds = played[0].episode.game.rounds
                for cell, points in zip(cells[4:6], zip(*seats, strict=True), strict=True):
                    assert float(cell) == pytest.approx(
                        sum(points) / len(seats) / rounds, abs=5.1e-4
                    )


def test_the_same_recipe_writes_the_same_bytes_in_another_process(tmp_path):
    """One with other hashes of strings, so that no order can come from a set."""
    options = ["--seed", "4", "--decisions", "300", "--style", "conversation"]
    write_dataset(Recipe(seed=4, decisions=300, style="conversation"), tmp_path / "here")
    subprocess.run(
        [sys.executable, "-m", "sepo_trainer", "demonstrations", "--to", "there", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
    )
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_another_seed_writes_other_episodes(tmp_path):
    for seed in (0, 1):
        write_dataset(Recipe(seed=seed, decisions=100), tmp_path / str(seed))
    one, other = (contents(tmp_path / str(seed)) for seed in (0, 1))
    assert all(one[name] != other[name] for name in FILES)


def test_a_games_chats_do_not_hang_on_the_games_beside_it(tmp_path):
    names = ("split_negotiation", "kuhn_poker")
    write_dataset(Recipe(names, decisions=80), tmp_path / "both")
    apart = b""
    for name in names:
        write_dataset(Recipe((name,), decisions=40), tmp_path / name)
        apart += (tmp_path / name / "train.jsonl").read_bytes()
    assert apart == (tmp_path / "both/train.jsonl").read_bytes()


def test_the_command_tells_what_it_wrote_and_replaces_an_earlier_set(tmp_path, capsys):
    folder = tmp_path / "set"
    command = ["demonstrations", "--to", str(folder), "--games", "kuhn_poker,split_negotiation"]
    assert main([*command, "--decisions", "30"]) == 0
    before = contents(folder)
    capsys.readouterr()
    assert main([*command, "--decisions", "40", "--style", "conversation"]) == 0
    rows = lines(folder / "train.jsonl")
    decisions = sum(len(row["moves"]) for row in rows)
    assert decisions > len(rows)
    assert capsys.readouterr().out == (
        f"{decisions} decisions of 2 games in {len(rows)} chats. "
        f"The card is {folder / 'README.md'}.\n"
    )
    assert all(contents(folder)[name] != before[name] for name in FILES)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "chapter-1.txt").write_text("It was a dark and stormy night.")
    with pytest.raises(ConfigError, match="other than a set of demonstrations, which would be"):
        write_dataset(Recipe(decisions=10), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["chapter-1.txt"]


def test_who_stops_it_keeps_the_set_that_was_there_and_nothing_else(tmp_path):
    folder = tmp_path / "set"
    write_dataset(Recipe(decisions=10), folder)
    before = contents(folder)

    def stop(done: int, note: str) -> None:
        if done > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(Recipe(decisions=100), folder, progress=stop)
    assert contents(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"games": ("chess",)}, "there is no domain 'chess'"),
        ({"games": ()}, "games are none, but a set has at least one"),
        ({"games": ("kuhn_poker", "kuhn_poker")}, "and none twice. Name some of kuhn_poker, "),
        ({"style": "terse"}, "there is no style 'terse'; choose one of conversation, fresh."),
        ({"seed": -1}, "seed is -1, but 0 is the first seed"),
        ({"decisions": 0}, "decisions is 0, but an empty set teaches nothing"),
    ],
)
def test_an_impossible_recipe_is_refused(settings, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Recipe(**settings)
