"""What a policy with little memory can reach, held against a second way to compute it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.recall import GAME, KEPT, Choice, Positions, as_opponent, best_found, search, unfold
from benchmarks.records import RESULTS, load
from opponents.decisions import decisions, linear, objective, terms_of
from opponents.tables import TABLES

TABLE = TABLES[GAME](rounds=3)
WEIGHTS = TABLE.harms.published


def whole(table):
    """The same, with every past in full: a policy with a memory minds what opponents do not."""
    return replace(table, forget=lambda state, seat, players: state)


def lowest_bids(positions: Positions):
    return [np.zeros(len(each.choices), dtype=np.int64) for each in positions.rounds]


@pytest.mark.parametrize("name", KEPT)
def test_the_j_of_what_is_found_is_what_playing_it_out_against_every_opponent_comes_to(name):
    """`terms_of` shares nothing with the search but the game."""
    reached, policy = best_found(TABLE, name, starts=1)
    assert objective(terms_of(whole(TABLE), policy), WEIGHTS) == pytest.approx(reached, abs=1e-12)


def test_nothing_that_is_found_passes_the_best_of_all_policies():
    gated = TABLE.width - 3
    most = min(
        float(decisions(TABLE).best(linear(WEIGHTS, gates)) @ linear(WEIGHTS, gates))
        for gates in (np.zeros(gated), np.ones(gated))
    )
    assert all(best_found(TABLE, name, starts=1)[0] <= most + 1e-12 for name in KEPT)


def test_who_remembers_all_bids_of_a_bidder_that_minds_nothing_finds_the_best_policy():
    """There a policy's own past tells it nothing and seats are alike, so one sweep from the last
    round back is backward induction, which `decisions` does over beliefs."""
    minds_nothing = ("half-value", "value-minus-1", "competitive")
    pool = TABLE.pools["train"]
    plain = replace(pool, opponents=tuple(o for o in pool.opponents if o.name in minds_nothing))
    turns = TABLE.pools["collusive"]
    always = replace(turns, opponents=tuple(o for o in turns.opponents if o.name == "always-1"))
    table = replace(
        TABLE, pools={**TABLE.pools, "train": plain, "collusive": always}, seats=(0,), _known={}
    )
    weights = linear(WEIGHTS, np.ones(table.width - 3))
    positions = unfold(table, KEPT["in order"])
    policy = as_opponent(
        table, positions, search(positions, weights, lowest_bids(positions)), "in order"
    )
    best = decisions(table).best(weights) @ weights
    assert terms_of(whole(table), policy) @ weights == pytest.approx(best, abs=1e-12)


def test_a_memory_keeps_what_its_name_says():
    bids = (2, 1, 2)

    def after(name):
        kept = ()
        for bid in bids:
            kept = KEPT[name](kept, bid)
        return kept

    assert {name: after(name) for name in KEPT} == {
        "nothing": (),
        "last": (2,),
        "which": (1, 2),
        "how often": (1, 2, 2),
        "in order": (2, 1, 2),
    }
    assert {Choice(1, 4, (2,)), Choice(1, 4, (2,))} == {Choice(1, 4, (2,))}


def test_the_record_is_what_the_code_computes():
    stored = load(RESULTS / "recall" / f"{GAME}.json").measures
    for name in ("nothing", "which"):
        assert best_found(TABLES[GAME](), name)[0] == pytest.approx(stored[name]["J"].low, abs=1e-9)
