"""Spec strings, equilibria, and exploitability held against the solvers and against hand-work."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks.leaderboard.agents import (
    AgentError,
    agent,
    pools_with,
    scripted_specs,
    strategies,
    twin,
)
from benchmarks.leaderboard.equilibria import equilibrium
from benchmarks.leaderboard.exploitability import bound_by_play, exploitability, remembered
from benchmarks.leaderboard.speaking import UnavailableError, Ways
from opponents.endpoint import Endpoint, Prices
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.exact import solver
from sepo_envs.games.item_negotiation.rules import Observation, possible_tables, values_for, worth
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("generous-tit-for-tit", "Did you mean 'generous-tit-for-tat'?"),
        ("kuhn_pokre/nash", "Did you mean 'kuhn_poker'?"),
        ("kuhn_poker/tit-for-tat", "no scripted agent 'tit-for-tat' in kuhn_poker"),
        ("opnai:m@http://localhost", "Did you mean 'openai:'?"),
        ("best-response", "worked out against whoever it meets"),
        ("run:runs/x-{seed}", "--seeds 0,1,2,3,4"),
    ],
)
def test_a_spec_that_names_nobody_is_told_what_would(spec: str, said: str) -> None:
    with pytest.raises(AgentError, match=said.replace("?", r"\?")):
        agent(spec)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("openai:gpt", "openai:MODEL@URL"),
        ("run:there-is-no-such-run", "there-is-no-such-run"),
        ("hf:nowhere/{domain}", "nowhere/kuhn_poker"),
        ("hf:", "Write hf:PATH"),
    ],
)
def test_an_agent_that_cannot_be_had_says_what_is_missing(spec: str, said: str) -> None:
    with pytest.raises(UnavailableError, match=said):
        agent(spec)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tempature": 0}, "no setting 'tempature'. Did you mean 'temperature'?"),
        ({"max_tokens": "many"}, "max_tokens is 'many', but it should be a valid integer."),
        ({"style": "old"}, "style is 'old', but it should be 'conversation' or 'fresh'."),
        ({"tries": 0}, "use at least 1"),
        ({"budget": 3}, "--prices IN,OUT"),
    ],
)
def test_how_an_endpoint_is_asked_is_checked_before_it_is(
    settings: dict[str, object], said: str
) -> None:
    with pytest.raises(UnavailableError, match=re.escape(said)):
        agent("openai:m@http://localhost:1/v1", Ways(settings))


def test_an_endpoint_may_have_a_budget_where_prices_are_told() -> None:
    ways = Ways({"budget": 3}, {"prompt": 0.15, "output": 0.6})
    found = agent("openai:m@http://localhost:1/v1", ways).player("kuhn_poker")
    assert isinstance(found, Endpoint)
    assert found.settings.budget == 3
    assert found.settings.prices == Prices(prompt=0.15, output=0.6)


def test_a_folder_that_is_misspelt_is_told_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "kuhn_poker-1").mkdir()
    with pytest.raises(
        UnavailableError, match=f"there is no {tmp_path}/kuhn_pokre-1. Did you mean 'kuhn_poker-1'"
    ):
        agent(f"run:{tmp_path}/kuhn_pokre-1@best")


def test_a_folder_of_another_kind_is_told_by_its_own_spec(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    with pytest.raises(UnavailableError, match=f"write hf:{tmp_path}/model"):
        agent(f"run:{tmp_path}/model@best")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.toml").write_text("")
    with pytest.raises(UnavailableError, match=f"write run:{tmp_path}/run"):
        agent(f"hf:{tmp_path}/run")


def test_strategies_of_one_name_are_one_agent_and_can_be_told_apart_by_domain() -> None:
    everywhere, here = agent("tit-for-tat"), agent("prisoners_dilemma/tit-for-tat")
    assert len(everywhere.domains) == 4
    assert here.domains == ("prisoners_dilemma",)
    assert everywhere.player("kuhn_poker") is None
    assert everywhere.fingerprint != here.fingerprint
    assert here.name == "prisoners_dilemma.tit-for-tat"
    assert pools_with(here, "prisoners_dilemma") == ("train",)


def test_every_scripted_agent_is_on_the_board_once() -> None:
    specs = scripted_specs()
    marks = [agent(spec).fingerprint for spec in specs]
    assert len(set(marks)) == len(marks)
    named = {name for game in CATALOGUE for name in strategies(game)}
    assert set(specs) <= named
    # Bids 1 always, under four names; and random under another.
    assert named - set(specs) == {"conservative", "shaded", "low", "truthful", "aggressive"} | {
        "uniform"
    }


@pytest.mark.parametrize("game", ["kuhn_poker", "repeated_auction", "split_negotiation"])
def test_nobody_gains_by_leaving_the_equilibrium(game: str) -> None:
    found = exploitability(game, agent("nash"), seed=0)
    assert found is not None
    assert found.kind == "exact"
    assert found.value == pytest.approx(0.0, abs=1e-9)


def test_in_the_dilemma_the_equilibrium_always_defects() -> None:
    """By backward induction: the last round is lost, so the one before is, and so on."""
    game = PrisonersDilemma()
    _, defect = game.moves
    player, state = equilibrium("prisoners_dilemma"), game.start()
    for _ in range(3):
        for seat in (0, 1):
            assert player.probabilities(game.observe(state, seat), game.moves)[defect] == 1.0
        state = game.play(state, {0: game.moves[0], 1: defect})


def test_demands_of_the_items_equilibrium_fit_exactly_so_none_gains_by_another() -> None:
    """Against the other's demand, no demand that fits is worth more, and one that does not is
    worth nothing; for every table, all values and both seats."""
    player = equilibrium("item_negotiation")
    for table in possible_tables():
        demands = []
        for seat in (0, 1):
            seen = Observation(seat, 4, table, values_for(table)[0], ())
            [(demand, chance)] = player.policy(seen).items()
            assert chance == 1.0
            demands.append(demand)
        assert tuple(map(sum, zip(*demands, strict=True))) == table
        for mine, other in (demands, demands[::-1]):
            rest = [count - taken for count, taken in zip(table, other, strict=True)]
            fitting = list(product(*(range(count + 1) for count in rest)))
            for values in values_for(table):
                assert worth(values, mine) == max(worth(values, demand) for demand in fitting)


@pytest.mark.parametrize(
    ("game", "name"),
    [
        ("split_negotiation", "conceder"),
        ("split_negotiation", "concedes-once"),
        ("repeated_auction", "tit-for-tat"),
        ("repeated_auction", "ladder"),
        ("repeated_auction", "bid-rotation"),
    ],
)
def test_what_follows_from_memory_is_what_the_whole_tree_says(game: str, name: str) -> None:
    player = strategies(game)[name]
    whole = solver(domain(game).make(rounds=2)).exploitability(player)
    assert remembered(game, player, rounds=2) == pytest.approx(whole, abs=1e-9)


def test_of_a_stranger_nothing_is_known_that_it_may_forget() -> None:
    assert twin(strategies("split_negotiation")["random"], "split_negotiation") is not None
    assert twin(strategies("prisoners_dilemma")["nash"], "prisoners_dilemma") is None


def test_a_bound_by_play_chooses_on_one_half_and_measures_on_the_other() -> None:
    """In 8 rounds of the dilemma: `early` gains 10 on the first half alone and is chosen by it,
    `late` on the second. Gains of a seat are at most 8 * 5, so the span of two is 80."""
    deals = 4_000
    first = (np.arange(deals) < deals // 2)[:, None] * np.ones((1, 2))
    itself = np.full((deals, 2), 8.0)
    taken = {"early": itself + 10 * first, "late": itself + 10 * (1 - first)}
    found = bound_by_play(PrisonersDilemma(), taken, itself)
    assert found is not None
    assert found.kind == "lower bound"
    assert found.value == 0.0
    assert found.low == 0.0
    assert found.how.startswith("early of the pools, 4,000 episodes")
    steady = bound_by_play(PrisonersDilemma(), {"steady": itself + 10}, itself)
    assert steady is not None
    assert steady.value == 10.0
    margin = 7 * 80 * np.log(4 / 0.05) / (3 * (deals // 2 - 1))
    assert steady.low == pytest.approx(10 - margin)
