"""The card of a model says what it was trained for, against whom, and what was measured."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from sepo_trainer.__main__ import main
from sepo_trainer.runs import session
from sepo_trainer.settings.resolve import build, read_toml

TINY = [
    *("--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "2", "--warm-start.episodes", "20", "--learning.iterations", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--rollout.most-fouls", "1"),
]


@pytest.fixture(scope="module", autouse=True)
def no_report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


def run(folder: Path, *settings: str) -> tuple[str, dict]:
    place = ["--runs", str(folder.parent), "--name", folder.name]
    assert main(["train", *place, *TINY, *settings]) == 0
    text = (folder / "model/README.md").read_text(encoding="utf-8")
    return text, json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def poker(tmp_path_factory) -> tuple[str, dict]:
    settings = ["--seed", "3", "--objective.exploitability", "0.7"]
    return run(tmp_path_factory.mktemp("cards") / "poker", *settings)


@pytest.fixture(scope="module")
def dilemma(tmp_path_factory) -> tuple[str, dict]:
    game = ["--game.name", "prisoners_dilemma", "--game.options.rounds", "1"]
    play = ["--evaluation-episodes", "4", "--objective.collusion", "0.5", "--rollout.deals", "1"]
    return run(tmp_path_factory.mktemp("cards") / "dilemma", *game, *play)


def rows(text: str) -> dict[str, list[str]]:
    """The tables' rows by their first cell."""
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in cells}


def test_it_states_the_exact_numbers_of_the_result_with_their_bounds(poker):
    text, result = poker
    told = rows(text)
    low, high = (f"{result[f'exploitability_{end}']:.5f}" for end in ("low", "high"))
    assert told["exploitability"][0].startswith(f"{result['exploitability']:.5f} (between {low}")
    assert f"and {high}, not exact" in told["exploitability"][0]
    assert told["J"] == [f"{result['objective']:+.4f}"]
    for name, payoff in result["payoff_against"].items():
        assert told[f"payoff against {name}"] == [f"{payoff:+.4f}"]


def test_it_states_the_lambdas_the_arm_the_pools_and_the_seed(poker):
    text, _ = poker
    assert "Weights of J: s = 1.5, lambda_e = 0.7. Arm `credited`" in text
    assert "lambda_c" not in text.split("Weights of J")[1], "it is not defined in a zero-sum game"
    assert rows(text)["exploit"] == ["always-bet, best-response"]
    assert "Seed 3. Made with sepo" in text
    assert "2 iterations of SEPO-GRPO after a warm start" in text


def test_what_was_found_by_play_has_its_interval_and_every_opponent(dilemma):
    text, result = dilemma
    card, told = result["scorecard"], rows(text)
    assert told["J"][0] == f"{card['safety']['value']:+.3f}"
    for line in card["opponents"]:
        name = f"payoff against {line['opponent']} ({line['pool']}, {line['matches']} matches)"
        assert told[name][0] == f"{line['payoff']['value']:+.3f}"
    assert "lambda_e = 2.4, lambda_c = 0.5, lambda_x = 1.8" in text
    assert "exploitability" not in told
    assert {"train", "exploit", "collusive"} <= told.keys()


def test_its_settings_are_those_of_the_run_but_for_places_on_the_machine(poker, tmp_path_factory):
    text, _ = poker
    [listed] = re.findall(r"```toml\n(.*?)```", text, flags=re.S)
    found = build(tomllib.loads(listed), source="the card")
    [folder] = tmp_path_factory.getbasetemp().glob("cards*/poker")
    assert found == read_toml(folder / "config.toml").model_copy(update={"runs": found.runs})
    assert str(tmp_path_factory.getbasetemp()) not in text


def test_the_hub_can_read_what_stands_in_front(poker):
    text, _ = poker
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == "transformers"
    assert "kuhn_poker" in front["tags"]


def test_a_model_of_a_given_path_is_named_without_the_path(poker, warm_model, tmp_path):
    model = warm_model("fresh")
    text, _ = run(tmp_path / "run", "--model.path", str(model))
    assert f"trained from `{model.name}` by" in text
    assert str(model.parent) not in text


def test_the_warm_start_alone_says_so(tmp_path):
    to = tmp_path / "warm"
    assert main(["warm-start", "--to", str(to), *TINY]) == 0
    assert "by the warm start on demonstrations alone" in (to / "README.md").read_text()
    assert main(["warm-start", "--to", str(to), *TINY]) == 0, "and may be written again"
