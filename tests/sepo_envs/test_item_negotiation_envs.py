"""The item negotiation at PettingZoo's and Gymnasium's tables."""

from opponents.item_negotiation import FAIR, GREEDY
from sepo_envs import item_negotiation_v0
from sepo_envs.single_agent import SingleAgentEnv, SingleAgentTextEnv

TABLE = {"tables": ((1, 2, 3),)}


def test_the_page_tells_what_an_actions_number_demands():
    table, page = item_negotiation_v0.raw_env(), item_negotiation_v0.__doc__
    assert "Action `25 b + 5 h + a` demands `b` books, `h` hats and `a` balls" in page
    assert table.game.moves[25 * 3 + 5 * 1 + 4] == (3, 1, 4)


def test_the_mask_allows_what_lies_on_the_table():
    table = item_negotiation_v0.raw_env(**TABLE)
    table.reset(seed=1)
    mask = table.observe("player_0")["action_mask"]
    allowed = [move for move, legal in zip(table.game.moves, mask, strict=True) if legal]
    assert len(allowed) == 2 * 3 * 4
    assert max(allowed) == (1, 2, 3)


def test_a_demand_that_waits_changes_nothing_that_the_other_sees():
    table, seen = item_negotiation_v0.raw_env(**TABLE), []
    for action in (0, 1, 7, 31):
        table.reset(seed=5)
        table.step(action)
        seen.append(table.observe("player_1")["observation"].tolist())
    assert all(other == seen[0] for other in seen)


def test_who_leaves_greed_everything_loses_the_whole_table_a_round():
    table = SingleAgentEnv("item_negotiation", opponent=GREEDY, seat=1)
    table.reset(seed=2)
    for _ in range(4):
        _, reward, terminated, _, info = table.step(0)
        assert reward == 0
    assert terminated
    assert info["penalties"]["exploitation"]["value"] == 10


def test_an_unreadable_reply_is_asked_again_and_then_demands_nothing():
    table = SingleAgentTextEnv("item_negotiation", opponent=FAIR, seat=0, **TABLE)
    table.reset(seed=2)
    told, *_ = table.step("All the balls")
    assert "no move in square brackets; the legal moves are [books,hats,balls] with 0 to 1" in told
    told, reward, *_ = table.step("[0,0,4]")
    assert "you demanded 0 books, 0 hats and 0 balls; your opponent 0 books, 1 hat and" in told
    assert reward == 0
