"""Any game as a Gymnasium environment: one agent against one opponent, in numbers and in text.

Gymnasium's own checks of every id: tests/proofs/test_gymnasium.py.
"""

import copy
import json
import pickle

import gymnasium
import numpy as np
import pytest

from opponents.kuhn_poker import ALWAYS_BET, NASH, UNIFORM
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import dumps, restore
from sepo_envs.find_opponent import known_opponents
from sepo_envs.game import FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card, Move
from sepo_envs.registration import gymnasium_ids
from sepo_envs.single_agent import SingleAgentEnv, SingleAgentTextEnv
from sepo_envs.text import OVER

STRUCTURED, TEXT = "sepo_envs:sepo/KuhnPoker-v0", "sepo_envs:sepo/KuhnPokerText-v0"


class Script:
    """An opponent that plays its moves in order, and records what it was shown."""

    name = "script"

    def __init__(self, *moves):
        self.moves, self.shown = list(moves), []

    def act(self, observation, legal, rng):
        self.shown.append((observation, legal))
        return self.moves.pop(0)


def test_the_agent_is_paid_its_points_when_a_hand_settles():
    table = SingleAgentEnv("kuhn_poker", opponent=Script(Move.PASS, Move.BET, Move.BET), seat=0)
    table.reset(seed=0)
    *_, reward, terminated, truncated, info = table.step(1)  # a bet, and the script folds
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["returns"] == {"player_0": 1.0, "player_1": -1.0}
    assert info["penalties"]["exploitation"] == {"value": -2.0, "defined": True}


def test_the_opponent_moves_inside_reset_when_it_opens():
    script = Script(Move.BET)
    table = SingleAgentEnv("kuhn_poker", opponent=script, seat=1)
    observation, info = table.reset(seed=0)
    assert table.episode.state.hand.line == "b"
    assert (info["seat"], info["opponent"]) == (1, "script")
    assert observation["observation"][5] == 1.0, table.game.feature_names[5]
    [(shown, legal)] = script.shown
    assert (shown.seat, shown.line, legal) == (0, "", tuple(Move))


@pytest.mark.parametrize("text", [False, True], ids=["numbers", "text"])
@pytest.mark.parametrize("game", list(CATALOGUE))
def test_a_copy_plays_on_as_the_original_does(game, text):
    """To the end of the episode and through the next one, against every opponent on offer."""
    copies = (copy.deepcopy, lambda table: pickle.loads(pickle.dumps(table)))
    names = [*known_opponents(game)]
    for name in names[:1] if text else names:
        table = gymnasium.make(gymnasium_ids(CATALOGUE[game])[text], opponent=name)
        table.reset(seed=3)
        twins = [make(table) for make in copies]
        assert all(twin.unwrapped is not table.unwrapped for twin in twins)
        told = [_played_on(one, "babble" if text else 0) for one in (table, *twins)]
        assert told[1:] == told[:1] * 2, name


def _played_on(table, action):
    """All that is told of the rest of the episode, and of the one after it."""
    told = []
    for _ in range(2):
        ended = False
        while not ended:
            seen, reward, terminated, truncated, info = table.step(action)
            told.append(repr((seen, reward, terminated, truncated, info)))
            ended = terminated or truncated
        table.reset()
    return told


def test_an_opponent_that_took_the_place_of_the_named_one_is_kept():
    table = SingleAgentEnv("kuhn_poker", opponent="uniform")
    table.opponent = ALWAYS_BET
    for twin in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert twin.opponent.name == "always-bet"


def test_a_reward_is_paid_once_over_a_match():
    table = SingleAgentEnv("kuhn_poker", opponent=ALWAYS_BET, hands=5)
    for seed in range(20):
        table.reset(seed=seed)
        rewards, terminated = [], False
        while not terminated:
            _, reward, terminated, _, info = table.step(1)
            rewards.append(reward)
        assert sum(rewards) == info["returns"][table.agent]
        assert len([reward for reward in rewards if reward]) == 5


def test_a_seat_of_none_is_drawn_at_every_reset_and_a_fixed_one_is_kept():
    drawn = SingleAgentEnv("kuhn_poker", opponent=NASH)
    kept = SingleAgentEnv("kuhn_poker", opponent=NASH, seat=1)
    seats = [drawn.reset(seed=0)[1]["seat"], *(drawn.reset()[1]["seat"] for _ in range(49))]
    again = [drawn.reset(seed=0)[1]["seat"], *(drawn.reset()[1]["seat"] for _ in range(49))]
    assert seats == again
    assert set(seats) == {0, 1}
    assert {kept.reset(seed=n)[1]["seat"] for n in range(20)} == {1}


def test_the_same_seed_deals_the_same_cards_whatever_the_seat_opponent_and_style():
    def cards(table):
        table.reset(seed=77)
        return table.episode.state.hand.cards

    tables = [
        SingleAgentEnv("kuhn_poker", opponent=NASH),
        SingleAgentEnv("kuhn_poker", opponent=UNIFORM, seat=0),
        SingleAgentEnv("kuhn_poker", opponent=UNIFORM, seat=1),
        SingleAgentTextEnv("kuhn_poker", opponent=NASH, seat=1),
    ]
    assert len({cards(table) for table in tables}) == 1


def test_fifty_resets_repeat_from_one_seed():
    def prompts():
        table = SingleAgentTextEnv("kuhn_poker", opponent=UNIFORM)
        return [table.reset(seed=3)[0], *(table.reset()[0] for _ in range(49))]

    assert prompts() == prompts()
    assert len(set(prompts())) > 5


def test_action_masks_tell_sb3_contrib_what_is_legal():
    table = gymnasium.make(STRUCTURED, opponent=NASH, seat=0)
    _, info = table.reset(seed=0)
    masks = table.get_wrapper_attr("action_masks")()
    assert masks.dtype == bool
    assert masks.tolist() == info["action_mask"].tolist() == [True, True]
    table.step(0)


def test_an_illegal_action_is_a_forfeit_and_one_foul():
    table = SingleAgentEnv("kuhn_poker", opponent=Script(Move.BET), seat=1)
    table.reset(seed=0)
    *_, info = table.step(7)
    assert table.episode.entries[-1].move is FORFEIT
    assert info["fouls"] == {"player_0": 0, "player_1": 1}
    assert "action 7 is not legal here" in info["foul"]


class Offline:
    name = "offline"

    def act(self, observation, legal, rng):
        raise ConnectionError("the model server is away")


def test_an_opponents_transport_error_is_raised_and_never_becomes_a_move():
    table = SingleAgentEnv("kuhn_poker", opponent=Offline(), seat=0)
    table.reset(seed=0)
    with pytest.raises(ConnectionError, match="the model server is away"):
        table.step(0)
    before = table.episode
    with pytest.raises(RuntimeError, match=r"not the agent's turn.*Call reset"):
        table.step(0)  # a retry must not pass for the opponent's move
    assert table.episode == before


def test_an_opponents_impossible_move_is_refused():
    table = SingleAgentEnv("kuhn_poker", opponent=Script("raise"), seat=1)
    with pytest.raises(ValueError, match=r"played 'raise'.* Mend its act"):
        table.reset(seed=0)


def test_an_opponent_may_forfeit():
    table = SingleAgentEnv("kuhn_poker", opponent=Script(FORFEIT), seat=0)
    table.reset(seed=0)
    *_, info = table.step(1)
    assert info["fouls"] == {"player_0": 0, "player_1": 1}
    assert "foul" not in info


def test_text_goes_through_a_retry_a_move_and_the_end():
    table = SingleAgentTextEnv("kuhn_poker", opponent=Script(Move.BET), seat=0)
    prompt, info = table.reset(seed=0)
    assert prompt == info["text"] == info["messages"][0]["content"]
    again, reward, terminated, _, info = table.step("I check.")
    assert again.startswith("Your reply could not be read")
    assert (reward, terminated, "foul" in info) == (0.0, False, False)
    news, *_ = table.step("[check]")
    assert news.startswith("Your opponent bets.")
    end, reward, terminated, _, info = table.step("[fold]")
    assert (end, reward, terminated, info["text"]) == (OVER, -1.0, True, OVER)
    assert [message["role"] for message in info["messages"]] == ["user", "assistant"] * 3


def test_an_unreadable_reply_too_many_is_a_forfeit():
    table = SingleAgentTextEnv("kuhn_poker", opponent=Script(Move.BET), seat=1, max_retries=0)
    table.reset(seed=0)
    _, reward, terminated, _, info = table.step("I call!")
    assert (reward, terminated) == (-1.0, True)
    assert info["foul"].startswith("unreadable at try 1 of 1: it holds no move")
    assert info["fouls"] == {"player_0": 0, "player_1": 1}


def test_a_reply_that_is_no_string_raises():
    table = SingleAgentTextEnv("kuhn_poker", opponent=NASH)
    table.reset(seed=0)
    with pytest.raises(TypeError, match="a reply is a string, but the agent answered None"):
        table.step(None)


def test_every_prompt_lies_in_the_observation_space():
    table = SingleAgentTextEnv("kuhn_poker", opponent=UNIFORM, hands=4, style="fresh")
    for seed, reply in enumerate(["[bet]", "[check]", "[call]", "[fold]", "?"] * 4):
        text, _ = table.reset(seed=seed)
        terminated = False
        while not terminated:
            assert table.observation_space.contains(text)
            text, _, terminated, _, _ = table.step(reply)


def test_rendering_shows_the_open_table(capsys):
    for name in (STRUCTURED, TEXT):
        table = gymnasium.make(name, opponent=NASH, seat=0, render_mode="ansi")
        table.reset(seed=0)
        assert table.render().startswith("hand 1: player_0 ")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("seat", [2, -1])
def test_a_seat_that_is_not_at_the_table_is_refused(seat):
    with pytest.raises(ValueError, match="but kuhn_poker has seats 0 to 1"):
        SingleAgentEnv("kuhn_poker", opponent=NASH, seat=seat)


def test_no_card_of_the_opponent_reaches_the_agent():
    """Over many deals, what the agent sees is a function of its own card and the betting."""
    seen = {}
    table = SingleAgentTextEnv("kuhn_poker", opponent=ALWAYS_BET)
    for seed in range(60):
        prompt, info = table.reset(seed=seed)
        card = table.episode.state.hand.cards[info["seat"]]
        seen.setdefault((info["seat"], card), set()).add(prompt)
    assert {len(prompts) for prompts in seen.values()} == {1}
    assert len(seen) == 2 * len(Card)


@pytest.mark.parametrize("answer", [np.int64(5), 5.0], ids=["numpy", "float"])
def test_a_move_that_only_equals_a_legal_one_is_kept_as_the_rules_spell_it(answer):
    """Else a record could not be written, nor read back."""

    class Loose:
        name = "loose"

        def act(self, observation, legal, rng):
            return answer

    table = SingleAgentEnv("split_negotiation", opponent=Loose(), seat=0, rounds=1)
    table.reset(seed=0)
    table.step(3)
    record = json.loads(dumps(table.episode))
    assert record["moves"] == [[0, 4], [1, 5]]
    assert restore(table.game, record) == table.episode
