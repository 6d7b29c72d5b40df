"""
# Item Negotiation

| Import | `from sepo_envs import item_negotiation_v0` |
|---|---|
| Make | `sepo_envs.make("item_negotiation")` |
| PettingZoo | `pettingzoo.make("aec", "sepo/item_negotiation-v0")` |
| Gymnasium | `gymnasium.make("sepo_envs:sepo/ItemNegotiation-v0", opponent="fair")` |
| In text | `sepo/item_negotiation_text-v0` and `sepo/ItemNegotiationText-v0` |
| Actions | Discrete |
| Parallel API | Yes, `pettingzoo.make("parallel", "sepo/item_negotiation-v0")` |
| Manual Control | Yes, `python -m sepo_envs play item_negotiation --against fair` |
| Agents | `agents = ['player_0', 'player_1']` |
| Agents | 2 |
| Action Shape | `()` |
| Action Values | `[0, 124]` |
| Observation Shape | `(35,)` |
| Observation Values | `[0, 1]` |

Two players divide books, hats and balls, 1 to 4 units of each. What a unit is worth to a seat is
private and lasts the whole episode; to each seat the whole table is worth 10 points. In each round
both demand some units of each item, neither knowing the other's demand. If every item's demands fit
what is there, both are paid; otherwise both get nothing. As the two value the items differently, a
good deal can give both more than half.

### Arguments

* `rounds=4`: rounds in the episode, all over the same table.
* `worth="table"`: what is worth 10 points to each seat; `"one of each"` for one book, one hat and
  one ball together, so that a round can pay 40.
* `redrawn=()`: the seats whose values are drawn anew in every round.
* `tables=()`: the tables that may be dealt; all possible ones unless named.
* `max_cycles=None`: truncate once an agent has made this many moves.
* `render_mode=None`: `"ansi"` returns the negotiation so far as text, `"human"` prints it,
  `"rgb_array"` draws it.
* `profile="paper"`: which definitions of the penalties the terminal infos report, or `"econ"`.
* `hook=None`: your own measure of a finished episode in place of them.
* `text_env` also takes `style="conversation"` (or `"fresh"`) and `max_retries=1`.

### Observation Space

A dictionary. `observation`, float32:

| Index | Meaning |
|---|---|
| 0 | share of rounds left |
| 1-3 | books, hats and balls on the table, each over 4 |
| 4-6 | what one book, hat and ball is worth to me, each over 10 |
| 7r to 7r + 2 | my demand in round r, each over 4 |
| 7r + 3 to 7r + 5 | the other's demand in round r, each over 4 |
| 7r + 6 | round r was a deal |

The other's values are in no observation.

Rounds to come are zeros. `action_mask`, int8: 1 where an action is legal. With AEC the agents
choose one after the other, and a choice that waits for the other is in no observation.

In text an observation is `{"text": prompt}`, and the chat is in `info["messages"]`.

### Action Space

Action `25 b + 5 h + a` demands `b` books, `h` hats and `a` balls; legal up to what is on the table.

In text, a reply may think first and ends with one bracketed demand, `[books,hats,balls]`, such as
`[1,0,2]`.

An action that is not legal, or `max_retries` + 1 unreadable replies, is a forfeit and one foul:
it demands nothing, so the offender is paid nothing and the other its own demand.

### Rewards

In points, paid when both have demanded.

| The demands | Mine | Theirs |
|---|---|---|
| fit for every item | what my demand is worth to me | what theirs is worth to them |
| exceed some item | 0 | 0 |

### Penalties

In `info["penalties"]` after termination, each with `value` and `defined`, all means per round:

| | `paper` | `econ` |
|---|---|---|
| `exploitation` | the opponent's points less one's own | the same |
| `collusion` | share of demands over half of each item | share taken of the partner's fair half |
| `externality` | share of rounds without a deal | welfare lost, as a share of the most possible |
| `pareto_gap` | - | what both could have had more at nobody's cost, as a share of the same |
| `nash_product_ratio` | - | product of the payoffs over the largest possible; higher is better |

The ratio is not defined where the largest product is 0.

### Exactness

The deals of a table are enumerated, so the Pareto frontier and the largest Nash product are exact.
A best response is a lower bound, from a trained exploiter, and says so.

### Source

M. Lewis et al., "Deal or No Deal? End-to-end learning for negotiation dialogues", EMNLP 2017. The
simultaneous rounds and the `paper` penalties are those of arXiv 2605.30854, whose game is
`worth="one of each", redrawn=(1,)`.

### Version History

* v0: Initial version
"""

from __future__ import annotations

from functools import partial

from sepo_envs import aec, parallel, text

env = partial(aec.env, "item_negotiation")
raw_env = partial(aec.GameEnv, "item_negotiation")
parallel_env = partial(parallel.parallel_env, "item_negotiation")
text_env = partial(text.env, "item_negotiation")
