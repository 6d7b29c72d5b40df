"""
# Split Negotiation

| Import | `from sepo_envs import split_negotiation_v0` |
|---|---|
| Make | `sepo_envs.make("split_negotiation")` |
| PettingZoo | `pettingzoo.make("aec", "sepo/split_negotiation-v0")` |
| Gymnasium | `gymnasium.make("sepo_envs:sepo/SplitNegotiation-v0", opponent="fair")` |
| In text | `sepo/split_negotiation_text-v0` and `sepo/SplitNegotiationText-v0` |
| Actions | Discrete |
| Parallel API | Yes, `pettingzoo.make("parallel", "sepo/split_negotiation-v0")` |
| Manual Control | Yes, `python -m sepo_envs play split_negotiation --against fair` |
| Agents | `agents = ['player_0', 'player_1']` |
| Agents | 2 |
| Action Shape | `()` |
| Action Values | `[0, 8]` |
| Observation Shape | `(13,)` |
| Observation Values | `[0, 1]` |

Nash's demand game, played a few times: in each round both players demand a whole number of points
out of a pie of 10, neither knowing the other's demand. Demands that fit are paid; otherwise both
get nothing. Any split of the whole pie is an equilibrium of one round, so what counts is which
split the two come to, and whether they come to one.

### Arguments

* `rounds=4`: rounds in the episode.
* `pie=10`: points in each pie; demands run from 1 to `pie` - 1.
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
| 3r - 2, 3r - 1 | my demand, the other's demand in round r, each over the pie |
| 3r | round r was a deal |

Rounds to come are zeros. `action_mask`, int8: 1 where an action is legal. With AEC the agents
choose one after the other, and a choice that waits for the other is in no observation.

In text an observation is `{"text": prompt}`, and the chat is in `info["messages"]`.

### Action Space

Action `a` demands `a` + 1 points.

In text, a reply may think first and ends with one bracketed demand, such as `[5]`.

An action that is not legal, or `max_retries` + 1 unreadable replies, is a forfeit and one foul:
it demands 0, so the offender gets nothing and the other its own demand.

### Rewards

In points, paid when both have demanded.

| The demands | Mine | Theirs |
|---|---|---|
| 10 or less together | my demand | their demand |
| more than 10 | 0 | 0 |

### Penalties

In `info["penalties"]` after termination, each with `value` and `defined`, all means per round:

| | `paper` | `econ` |
|---|---|---|
| `exploitation` | the opponent's points less one's own | the same |
| `collusion` | share of demands of 7 or more | share taken of the partner's fair half |
| `externality` | share of rounds without a deal | welfare lost, as a share of the pie |
| `pareto_gap` | - | what both could have had more at nobody's cost, as a share of the pie |
| `nash_product_ratio` | - | product of the payoffs over the largest, 25; higher is better |

### Exactness

Exact for every policy whose probabilities are known: expected points, best response, NashConv
(`sepo_envs.exact`), over all 538084 histories in which 4 rounds ask for a demand. Every pure
equilibrium of one round has demands that sum to the pie.

### Source

J. F. Nash, "Two-person cooperative games", Econometrica 21 (1953). The rounds and the `paper`
penalties are those of arXiv 2605.30854.

### Version History

* v0: Initial version
"""

from __future__ import annotations

from functools import partial

from sepo_envs import aec, parallel, text

env = partial(aec.env, "split_negotiation")
raw_env = partial(aec.GameEnv, "split_negotiation")
parallel_env = partial(parallel.parallel_env, "split_negotiation")
text_env = partial(text.env, "split_negotiation")
