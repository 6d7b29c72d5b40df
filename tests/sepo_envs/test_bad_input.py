"""What callers get wrong, through every shell: an error that says how to mend it, or a foul."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import sepo_envs
from opponents.adaptive import BEST_RESPONSE
from opponents.kuhn_poker import ALWAYS_BET, NASH
from sepo_envs import kuhn_poker_v0, text
from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import domain
from sepo_envs.episode import begin, dumps, restore
from sepo_envs.game import FORFEIT
from sepo_envs.hooks import HarmsHook
from sepo_envs.parallel import ParallelGameEnv
from sepo_envs.single_agent import SingleAgentEnv, SingleAgentTextEnv
from sepo_envs.text import TextEnv
from sepo_envs.vector import VectorGameEnv

SHELLS = {
    "turns": lambda **options: GameEnv("prisoners_dilemma", **options),
    "text": lambda **options: text.env("prisoners_dilemma", **options),
    "parallel": lambda **options: ParallelGameEnv("prisoners_dilemma", **options),
    "single": lambda **options: SingleAgentEnv("prisoners_dilemma", opponent="grim", **options),
    "single text": lambda **options: SingleAgentTextEnv(
        "prisoners_dilemma", opponent="grim", **options
    ),
    "vector": lambda **options: VectorGameEnv("prisoners_dilemma", opponent="grim", **options),
}
ALONE = [SHELLS[name] for name in ("single", "single text", "vector")]
shells = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)


@shells
@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), (2**64, ValueError), (1.5, TypeError), ("a", TypeError), (True, TypeError)],
)
def test_what_is_no_seed_is_refused(shell, seed, error):
    with pytest.raises(error, match=f"seed is {seed!r}, .*must be a whole number from 0"):
        shell().reset(seed=seed)


@shells
def test_a_seed_may_be_any_kind_of_whole_number(shell):
    table = shell()
    for seed in (0, np.int64(3), np.uint8(3), 2**64 - 1):
        table.reset(seed=seed)


@pytest.mark.parametrize(
    ("game", "options"),
    [
        ("kuhn_poker", {"hands": 4}),
        ("prisoners_dilemma", {"rounds": 3, "reward": 4, "temptation": 6}),
        ("repeated_auction", {"rounds": 2, "bidders": 3, "values": (2, 5), "bids": (0, 1)}),
        ("split_negotiation", {"rounds": 2, "pie": 6}),
        ("item_negotiation", {"rounds": 2, "redrawn": (0, 1)}),
    ],
)
def test_an_option_of_numpys_makes_the_same_game_as_an_int(game, options):
    """It goes to JSON, and the games compare equal."""
    numpys = {name: _of_numpy(value) for name, value in options.items()}
    theirs, ours = domain(game).make(**numpys), domain(game).make(**options)
    assert theirs == ours
    assert hash(theirs) == hash(ours)
    assert repr(theirs) == repr(ours)
    played = json.loads(dumps(begin(theirs)))
    assert restore(ours, played) == begin(ours)


def _of_numpy(value):
    return tuple(map(np.int64, value)) if isinstance(value, tuple) else np.int64(value)


@shells
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"round": 3},
            r"no option 'round'. Did you mean 'rounds'\? The rules take rounds, reward",
        ),
        ({"rendermode": "ansi"}, "Did you mean 'render_mode'"),
        ({"x": 3}, r"no option 'x'\. The rules take rounds, .*the environment takes .*max_cycles"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_and_all_known(shell, options, text):
    with pytest.raises(TypeError, match=text):
        shell(**options)


@shells
@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ("abc", TypeError, "options is 'abc'; a dictionary"),
        ([1], TypeError, r"options is \[1\]; a dictionary"),
        ({"episode": 3}, ValueError, "the record is 3, which is no dictionary"),
        ({"episode": {"game": "kuhn_poker"}}, ValueError, "the record has no 'options'"),
        (
            {"episode": {"game": "kuhn_poker", "options": {}, "moves": []}},
            ValueError,
            "the record is of 'kuhn_poker', not of 'prisoners_dilemma'",
        ),
        (
            {"episode": {"game": "prisoners_dilemma", "options": {}, "moves": [[0]]}},
            ValueError,
            "move 0 is",
        ),
    ],
)
def test_hostile_reset_options_are_refused(shell, options, error, text):
    with pytest.raises(error, match=text):
        shell().reset(seed=0, options=options)


@shells
def test_reset_options_of_other_libraries_are_let_through(shell):
    """PettingZoo's own api_test passes ``{"options": 1}``."""
    shell().reset(seed=0, options={"options": 1})
    shell().reset(seed=0, options={})
    shell().reset(seed=0, options={"mode": "slow"})


@shells
@pytest.mark.parametrize("name", ["epsiode", "Episode", "episodes"])
def test_a_misspelt_reset_option_is_refused_and_not_let_through(shell, name):
    said = f"reset has no option '{name}'. Did you mean 'episode'"
    with pytest.raises(ValueError, match=said):
        shell().reset(seed=0, options={name: {}})


@shells
@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("harms", "hook is 'harms', which cannot be called. Give a function"),
        ({}, "hook is {}, which cannot be called"),
        (HarmsHook, r"hook is the class HarmsHook. Make one of it: HarmsHook\(\.\.\.\)"),
    ],
)
def test_a_hook_that_measures_nothing_is_refused_at_once(shell, hook, said):
    with pytest.raises(TypeError, match=said):
        shell(hook=hook)


@pytest.mark.parametrize("seat", [True, "0", 2, -1, 0.0, [0]])
@pytest.mark.parametrize("shell", ALONE)
def test_a_seat_that_is_not_at_the_table_is_refused(shell, seat):
    with pytest.raises(ValueError, match=r"seat is .*, but prisoners_dilemma has seats 0 to 1"):
        shell(seat=seat)


class Nameless:
    def act(self, observation, legal, rng):
        return legal[0]


class Idle:
    name = "idle"


@pytest.mark.parametrize(
    ("opponent", "error", "text"),
    [
        (Nameless(), TypeError, "has no name. Give the name of an opponent, or an object that has"),
        (Idle(), TypeError, r"has no act\(observation, legal, rng\)"),
        (3, TypeError, r"opponent 3 has no name and no act\("),
        (Nameless, TypeError, r"opponent is the class Nameless. Make one of it: Nameless\(...\)"),
        (BEST_RESPONSE, TypeError, r"has no act\("),
        (
            "alway-bet",
            ValueError,
            "no opponent 'alway-bet' for kuhn_poker. Did you mean 'always-be",
        ),
        (None, ValueError, "needs an opponent: opponent='nash', say"),
    ],
)
@pytest.mark.parametrize("shell", [SingleAgentEnv, SingleAgentTextEnv, VectorGameEnv])
def test_what_is_no_opponent_is_refused_where_the_table_is_made(shell, opponent, error, text):
    with pytest.raises(error, match=text):
        shell("kuhn_poker", opponent=opponent)


@pytest.mark.parametrize(
    "call",
    [
        lambda: GameEnv("kuhn_poker").step(0),
        lambda: GameEnv("kuhn_poker").last(),
        lambda: GameEnv("kuhn_poker").observe("player_0"),
        lambda: GameEnv("kuhn_poker").state(),
        lambda: GameEnv("kuhn_poker", render_mode="ansi").render(),
        lambda: TextEnv("kuhn_poker").step("[bet]"),
        lambda: TextEnv("kuhn_poker").observe("player_0"),
        lambda: ParallelGameEnv("prisoners_dilemma").state(),
        lambda: ParallelGameEnv("prisoners_dilemma", render_mode="ansi").render(),
        lambda: SingleAgentEnv("kuhn_poker", opponent=NASH).step(0),
        lambda: next(kuhn_poker_v0.env().agent_iter()),
        lambda: kuhn_poker_v0.env().last(),
        lambda: kuhn_poker_v0.text_env().step("[bet]"),
        lambda: kuhn_poker_v0.text_env().last(),
        lambda: SingleAgentEnv("kuhn_poker", opponent=NASH).action_masks(),
        lambda: SingleAgentTextEnv("kuhn_poker", opponent=NASH).step("[bet]"),
    ],
)
def test_a_raw_table_that_nobody_has_reset_says_so(call):
    with pytest.raises(RuntimeError, match=r"nothing has been dealt yet. Call reset first"):
        call()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: ParallelGameEnv("prisoners_dilemma").step({"player_0": 0, "player_1": 0}),
            ValueError,
            "nobody is in play. Reset first",
        ),
        (lambda: sepo_envs.make("kuhn_poker", opponent="nash").step(0), ResetNeeded, "reset"),
        (
            lambda: sepo_envs.make("kuhn_poker", opponent="nash", text=True).step("[bet]"),
            ResetNeeded,
            "reset",
        ),
        (
            lambda: sepo_envs.make("kuhn_poker", opponent="nash", num_envs=2).step([0, 0]),
            ResetNeeded,
            "Call reset before step",
        ),
    ],
)
def test_a_guarded_table_that_nobody_has_reset_says_so(call, error, text):
    """The words are Gymnasium's where its guards come first."""
    with pytest.raises(error, match=text):
        call()


def test_stepping_after_the_end_says_so():
    table = GameEnv("kuhn_poker")
    table.reset(seed=0)
    for action in (1, 1):
        table.step(action)
    with pytest.raises(ValueError, match="only valid action is None"):
        table.step(1)
    for _ in range(2):
        table.step(None)
    with pytest.raises(RuntimeError, match=r"every agent has left the table. Call reset"):
        table.step(None)
    at_once = ParallelGameEnv("prisoners_dilemma", rounds=1)
    at_once.reset(seed=0)
    at_once.step({"player_0": 0, "player_1": 0})
    with pytest.raises(ValueError, match=r"nobody is in play. Reset first"):
        at_once.step({"player_0": 0, "player_1": 0})
    for alone, action in (
        (SingleAgentEnv("kuhn_poker", opponent=ALWAYS_BET, seat=1), 1),
        (SingleAgentTextEnv("kuhn_poker", opponent=ALWAYS_BET, seat=1), "[call]"),
    ):
        alone.reset(seed=0)
        alone.step(action)
        with pytest.raises(RuntimeError, match="not the agent's turn: the episode is over"):
            alone.step(action)


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no words for it")


@pytest.mark.parametrize(
    "action",
    [float("nan"), np.nan, np.inf, 1.0, None, "bet", "1", b"1", [1], (0,), {}, np.array([1]),
     np.array([0.0, 1.0]), 2, -1, 2**70, -(2**70), object(), Unprintable(), "x" * 100_000],
    ids=lambda action: type(action).__name__,
)  # fmt: skip
def test_what_is_no_legal_action_is_the_same_foul_everywhere(action):
    """Beside `test_vector`, which compares the batched tables with single ones."""
    turns, guarded = GameEnv("prisoners_dilemma"), sepo_envs.make("prisoners_dilemma")
    at_once = ParallelGameEnv("prisoners_dilemma")
    alone = SingleAgentEnv("prisoners_dilemma", opponent="grim", seat=0)
    made = gymnasium.make("sepo_envs:sepo/PrisonersDilemma-v0", opponent="grim", seat=0)
    for table in (turns, guarded, at_once, alone, made):
        table.reset(seed=0)
    for table in (turns, guarded):
        table.step(action)
        table.step(0)
    at_once.step({"player_0": action, "player_1": 0})
    for table in (alone, made):
        table.step(action)
    for table in (turns, guarded, at_once, alone, made):
        episode = table.unwrapped.episode
        assert [entry.move for entry in episode.entries] == [FORFEIT, "cooperate"]
        assert episode.fouls == (1, 0)
    reasons = {
        table.infos["player_0"]["foul"].partition(";")[0]
        for table in (turns, guarded, at_once.table)
    } | {alone._info()["foul"]}
    assert len(reasons) == 1
    assert len(reasons.pop()) < 100


def test_none_of_the_agents_actions_may_be_missing():
    table = ParallelGameEnv("prisoners_dilemma")
    table.reset(seed=0)
    for actions in ({}, {"player_0": 0}, {"player_0": 0, "player_1": 0, "player_2": 0}):
        with pytest.raises(ValueError, match=r"actions came for \[.*Give one for each"):
            table.step(actions)


@pytest.mark.parametrize("cycles", [0, -3, 1.5, "3"])
def test_an_impossible_number_of_cycles_is_refused(cycles):
    with pytest.raises(ValueError, match=r"max_cycles is .*, but an agent needs at least 1 move"):
        GameEnv("kuhn_poker", max_cycles=cycles)


def test_max_cycles_truncates_a_seat_as_it_truncates_a_table():
    table = SingleAgentEnv("kuhn_poker", opponent=NASH, hands=9, max_cycles=2)
    for seed in range(20):
        table.reset(seed=seed)
        ends = [False, False]
        while not any(ends):
            *_, terminated, truncated, info = table.step(0)
            ends = [terminated, truncated]
        assert ends == [False, True]
        moved = [entry.actor for entry in table.episode.entries]
        assert max(moved.count(seat) for seat in (0, 1)) == 2
        assert "penalties" not in info
        with pytest.raises(RuntimeError, match="not the agent's turn"):
            table.step(0)
