"""The batched tables answer, to the last bit, what Gymnasium's own vector environments answer."""

import copy
import pickle
import re

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from opponents.kuhn_poker import ALWAYS_BET, NASH
from sepo_envs.batch import Board
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.registration import gymnasium_ids
from sepo_envs.single_agent import SingleAgentEnv
from sepo_envs.vector import VectorGameEnv

MIXING = {
    "kuhn_poker": "uniform",
    "prisoners_dilemma": "random",
    "repeated_auction": "quantal-0.5",
    "split_negotiation": "uniform",
    "item_negotiation": "random",
}
"""An opponent that draws in each domain, so that its draws are in the trace."""
KUHN = "sepo_envs:sepo/KuhnPoker-v0"


def tables(name, mode, number=4, **options):
    env_id, _ = gymnasium_ids(CATALOGUE[name])
    return gymnasium.make_vec(
        f"sepo_envs:{env_id}", number, mode, **{"opponent": MIXING[name]} | options
    )


def trace(name, mode, *, steps=40, actions=None, **options):
    """Everything answered from a reset on, over the ends of episodes, illegal actions included."""
    made, rng = tables(name, mode, **options), np.random.default_rng(5)
    seen, most = [made.reset(seed=3)], made.single_action_space.n
    for number in range(steps):
        chosen = rng.integers(-1, most + 1, made.num_envs)
        seen.append(made.step(chosen if actions is None else actions(number)))
    made.close()
    return seen


def same(first, second):
    assert len(first) == len(second)
    return all(
        data_equivalence(one, other, exact=True) for one, other in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize(
    "options",
    [{}, {"seat": 1}, {"max_cycles": 2, "seat": 0}, {"profile": "econ"}],
    ids=["drawn seats", "seat 1", "truncated", "econ"],
)
def test_batched_tables_answer_as_synchronous_ones(name, options):
    batched = trace(name, "vector_entry_point", **options)
    assert same(batched, trace(name, "sync", **options))
    ends = [step[2] | step[3] for step in batched[1:]]
    assert np.sum(ends) > 10, "the trace runs over the ends of episodes"
    assert any("foul" in step[4] for step in batched[1:])


@pytest.mark.parametrize("name", CATALOGUE)
def test_batched_tables_answer_as_asynchronous_ones(name):
    assert same(trace(name, "vector_entry_point"), trace(name, "async"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("kuhn_poker", {"hands": 3}),
        ("prisoners_dilemma", {"noise": 0.2, "continuation": 0.6}),
        ("repeated_auction", {"bidders": 3, "opponent": "half-value", "rounds": 2}),
        ("item_negotiation", {"worth": "one of each", "redrawn": (1,)}),
    ],
)
def test_the_rules_options_go_through(name, options):
    batched = trace(name, "vector_entry_point", **options)
    assert same(batched, trace(name, "sync", **options))


class Clumsy:
    """Forfeits now and then, and measures nothing that others do."""

    name = "clumsy"

    def probabilities(self, observation, legal):
        from sepo_envs.game import FORFEIT

        return {legal[0]: 0.7, FORFEIT: 0.3}

    def act(self, observation, legal, rng):
        row = self.probabilities(observation, legal)
        return rng.choices(list(row), list(row.values()))[0]


def report_of_many_kinds(episode, seat):
    """Keys that come and go, numbers, words, None and deeper dictionaries."""
    lost = episode.returns[seat] < 0
    return {
        "points": {"value": episode.returns[seat] if lost else None, "defined": lost},
        **({"lost": {"by": {"points": 1}, "why": "luck"}} if lost else {"won": True}),
        "length": len(episode.entries),
    }


def test_hooks_of_any_report_and_opponents_that_forfeit_are_told_alike():
    options = {"opponent": Clumsy(), "hook": report_of_many_kinds, "hands": 2, "number": 6}
    assert same(
        trace("kuhn_poker", "vector_entry_point", **options), trace("kuhn_poker", "sync", **options)
    )


@pytest.mark.parametrize(
    "actions",
    [
        lambda number: np.array([np.nan, 1.0, 0.0, np.inf]),
        lambda number: [None, "bet", [1], 0],
        lambda number: (1, 0, -(2**70), 2**70),
        lambda number: np.array([[0], [1], [0], [1]], np.int32)[:, 0],
        lambda number: np.array([1, 2**63, 0, 7], np.uint64),
        lambda number: np.array([True, False, True, True]),
    ],
    ids=["floats", "objects", "huge", "int32", "uint64", "bools"],
)
def test_what_is_no_action_is_the_same_foul_at_every_kind_of_table(actions):
    batched, sync = (
        trace("kuhn_poker", mode, steps=6, actions=actions)
        for mode in ("vector_entry_point", "sync")
    )
    assert same(batched, sync)


def test_tables_go_on_from_a_record_and_reset_one_by_one_as_synchronous_ones():
    one = SingleAgentEnv("kuhn_poker", opponent=NASH, hands=4)
    one.reset(seed=2)
    one.step(1)
    record = one.episode.save()

    def session(mode):
        made = tables("kuhn_poker", mode, hands=4)
        yield made.reset(seed=9)
        yield made.step(np.ones(4, int))
        yield made.reset(options={"episode": record})
        yield made.step(np.ones(4, int))
        yield made.reset(seed=[7, 8, 9, 10], options={"reset_mask": np.array([1, 0, 0, 1], bool)})
        for _ in range(9):
            yield made.step(np.ones(4, int))
        made.close()

    assert same(list(session("vector_entry_point")), list(session("sync")))


@pytest.mark.parametrize("masked", [False, True], ids=["all tables", "some tables"])
def test_a_table_that_is_reset_after_an_end_is_played_and_not_dealt_again(masked):
    """One hand of poker is over after one bet or two moves, so at every reset some tables are."""

    def session(mode):
        made, rng = tables("kuhn_poker", mode, number=6), np.random.default_rng(1)
        yield made.reset(seed=9)
        for number in range(12):
            step = made.step(rng.integers(0, 2, 6))
            yield step
            over = step[2] | step[3]
            if number % 2 and over.any():
                options = {"reset_mask": over & (np.arange(6) % 2 == 0)} if masked else None
                if not masked or options["reset_mask"].any():
                    yield ("reset", over, made.reset(seed=number, options=options))
        made.close()

    batched, sync = (list(session(mode)) for mode in ("vector_entry_point", "sync"))
    assert same(batched, sync)
    assert sum(each[0] == "reset" for each in batched if isinstance(each[0], str)) >= 3


def test_a_record_in_which_the_agent_has_no_turn_left_is_refused():
    record = {
        "game": "kuhn_poker",
        "options": {"hands": 1},
        "moves": [[-1, 2], [-1, 0], [0, "bet"]],
    }
    for made in (
        VectorGameEnv("kuhn_poker", num_envs=2, opponent=ALWAYS_BET, seat=0),
        SingleAgentEnv("kuhn_poker", opponent=ALWAYS_BET, seat=0),
    ):
        with pytest.raises(ValueError, match=r"before it was the agent's turn. Give a record"):
            made.reset(options={"episode": record})


def test_gymnasiums_own_vector_wrappers_read_the_same_statistics():
    def episodes(mode):
        made = RecordEpisodeStatistics(tables("prisoners_dilemma", mode, rounds=3))
        made.reset(seed=4)
        for number in range(9):
            *_, infos = made.step(np.full(4, number % 2))
            if "episode" in infos:
                yield infos["episode"]["r"].tolist(), infos["episode"]["l"].tolist()

    assert list(episodes("vector_entry_point")) == list(episodes("sync")) != []


def test_tables_that_forget_play_on_as_if_they_remembered():
    options = {"opponent": "random", "rounds": 4}
    short = trace("prisoners_dilemma", "vector_entry_point", most_nodes=30, **options)
    assert same(short, trace("prisoners_dilemma", "vector_entry_point", **options))


def test_a_table_plays_the_episodes_of_batched_play():
    """Both seats bet whatever happens, so `Board` tells what every table must have dealt."""
    made = VectorGameEnv("kuhn_poker", num_envs=50, opponent=ALWAYS_BET, seat=0)
    played = Board(made.one.game).play((ALWAYS_BET, ALWAYS_BET), range(20, 70))
    made.reset(seed=20)
    _, rewards, terminated, *_ = made.step(np.ones(50, int))
    assert terminated.all()
    assert rewards.tolist() == played.returns[:, 0].tolist()
    assert made.episodes == tuple(played.episodes())
    assert made.np_random_seed == tuple(range(20, 70))


def test_tables_without_a_seed_differ_from_each_other_and_from_those_made_later():
    first, second = (VectorGameEnv("kuhn_poker", num_envs=9, opponent=NASH) for _ in range(2))
    for made in (first, second):
        made.reset()
    assert len({*first.np_random_seed, *second.np_random_seed}) == 18


def test_make_vec_takes_the_batched_tables_unless_told_otherwise():
    assert isinstance(gymnasium.make_vec(KUHN, 2, opponent="nash").unwrapped, VectorGameEnv)
    for mode in ("sync", "async"):
        made = gymnasium.make_vec(KUHN, 2, mode, opponent="nash")
        assert not isinstance(made.unwrapped, VectorGameEnv)
        made.close()


class ActsOnly:
    name = "acts only"

    def act(self, observation, legal, rng):
        return legal[0]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            {"autoreset_mode": AutoresetMode.SAME_STEP},
            ValueError,
            "batched tables reset at the nex",
        ),
        (
            {"autoreset_mode": "Disabled"},
            ValueError,
            'use vectorization_mode="sync", vector_kwargs',
        ),
        ({"render_mode": "ansi"}, ValueError, 'To render, use vectorization_mode="sync"'),
        (
            {"opponent": ActsOnly()},
            TypeError,
            r"'acts only' has no probabilities\(observation, leg",
        ),
        ({"opponent": "nahs"}, ValueError, "Did you mean 'nash'"),
        ({"handz": 3}, TypeError, "no option 'handz'. Did you mean 'hands'"),
        ({"seet": 1}, TypeError, "no option 'seet'. Did you mean 'seat'"),
        ({"seat": 2}, ValueError, "seat is 2, but kuhn_poker has seats 0 to 1"),
        ({"num_envs": 0}, ValueError, "num_envs is 0, but there must be at least 1 table"),
        ({"num_envs": "3"}, ValueError, "num_envs is '3', but there must .* write an int"),
        ({"num_envs": 2.0}, ValueError, r"num_envs is 2\.0, but there must .* write an int"),
        ({"num_envs": True}, ValueError, "num_envs is True, but there must .* write an int"),
    ],
)
def test_impossible_tables_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        VectorGameEnv("kuhn_poker", **{"opponent": "nash"} | options)


def test_calls_that_cannot_be_meant_are_refused():
    made = VectorGameEnv("kuhn_poker", num_envs=2, opponent=NASH)
    with pytest.raises(ResetNeeded, match="Call reset before step"):
        made.step(np.zeros(2, int))
    with pytest.raises(ValueError, match="3 seeds for 2 tables: give one for each"):
        made.reset(seed=[1, 2, 3])
    with pytest.raises(TypeError, match="seed is True, a bool"):
        made.reset(seed=True)
    with pytest.raises(ValueError, match="seed is -1"):
        made.reset(seed=[0, -1])
    with pytest.raises(ValueError, match=r"reset_mask is .* 2 bools"):
        made.reset(options={"reset_mask": np.array([1, 0])})
    made.reset(seed=0)
    with pytest.raises(ValueError, match="3 actions for 2 tables"):
        made.step(np.zeros(3, int))
    for shape in ((2, 1), (1, 2), ()):
        said = re.escape(f"actions have the shape {shape}, but one")
        with pytest.raises(ValueError, match=said):
            made.step(np.zeros(shape, int))


def test_a_copy_plays_on_as_the_original_does():
    tables = VectorGameEnv("kuhn_poker", num_envs=16, opponent="nash", hands=3)
    tables.reset(seed=5)
    tables.step(np.zeros(16, int))
    copies = [pickle.loads(pickle.dumps(tables)), copy.deepcopy(tables)]
    for _ in range(8):
        told = [repr(each.step(np.ones(16, int))) for each in (tables, *copies)]
        assert told[1:] == told[:1] * 2
