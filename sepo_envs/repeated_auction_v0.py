"""
# Repeated Auction

| Import | `from sepo_envs import repeated_auction_v0` |
|---|---|
| Make | `sepo_envs.make("repeated_auction")` |
| PettingZoo | `pettingzoo.make("aec", "sepo/repeated_auction-v0")` |
| Gymnasium | `gymnasium.make("sepo_envs:sepo/RepeatedAuction-v0", opponent="half-value")` |
| In text | `sepo/repeated_auction_text-v0` and `sepo/RepeatedAuctionText-v0` |
| Actions | Discrete |
| Parallel API | Yes, `pettingzoo.make("parallel", "sepo/repeated_auction-v0")` |
| Manual Control | Yes, `python -m sepo_envs play repeated_auction --against half-value` |
| Agents | `agents = ['player_0', 'player_1']` |
| Agents | 2 |
| Action Shape | `()` |
| Action Values | `[0, 2]` |
| Observation Shape | `(17,)` |
| Observation Values | `[0, 1]` |

A first-price sealed-bid auction with private values, 6 rounds with the same bidders. In each round
every bidder's value is drawn anew, 2 or 4, and told to that bidder alone. All bid 1, 2 or 3 at
once; the highest bid wins and is paid, and a tie is broken at random. Then the bids and the winner
are announced, never the values.

### Arguments

* `rounds=6`: auctions in an episode.
* `bidders=2`: agents at the table.
* `values=(2, 4)`: what the item can be worth, each equally likely.
* `bids=(1, 2, 3)`: the legal bids.
* `floor_losses=False`: whether a winner who bids more than its value loses nothing. True is the
  `paper` preset: the game as arXiv 2605.30854 played it.
* `max_cycles=None`: truncate once an agent has made this many moves.
* `render_mode=None`: `"ansi"` returns the match so far as text, `"human"` prints it,
  `"rgb_array"` draws it.
* `profile="paper"`: which definitions of the penalties the terminal infos report, or `"econ"`.
* `hook=None`: your own measure of a finished episode in place of them.
* `text_env` also takes `style="conversation"` (or `"fresh"`) and `max_retries=1`.

### Observation Space

A dictionary. `observation`, float32, on the default grid:

| Index | Meaning |
|---|---|
| 0-1 | my value is 2, is 4 |
| 2 | share of rounds settled |
| 3-4 | I won the last round, the other did |
| 5-7 | I bid 1, 2, 3 in the last round |
| 8-10 | the other bid 1, 2, 3 in the last round |
| 11-13 | share of rounds in which I bid 1, 2, 3 |
| 14-16 | share of rounds in which the other bid 1, 2, 3 |

With more bidders, those after me follow in the order of their seats. `action_mask`, int8: 1 where
an action is legal. With AEC the agents bid one after the other, and a bid that waits for the others
is in no observation.

In text an observation is `{"text": prompt}`, and the chat is in `info["messages"]`.

### Action Space

| Action | Bid |
|---|---|
| 0 | 1 |
| 1 | 2 |
| 2 | 3 |

In text, a reply may think first and ends with one bracketed bid, such as `[2]`.

An action that is not legal, or `max_retries` + 1 unreadable replies, is a forfeit and one foul: no
bid in this round. If nobody bids, nobody wins.

### Rewards

In points, paid when a round is settled.

| Who | Reward |
|---|---|
| the winner | value - bid, which may be negative |
| everybody else | 0 |

### Penalties

In `info["penalties"]` after termination, each with `value` and `defined`:

| | `paper` | `econ` |
|---|---|---|
| `exploitation` | the others' mean points less one's own, per round | the same |
| `collusion` | share of rounds in which one bids the lowest bid | profit gain index |
| `externality` | share of rounds won at a payoff of zero or less | welfare lost, as a share |

`econ` also reports the profit gain index and the seller's overcharge against each symmetric
equilibrium of one round (`profit_gain_index[2,3]`), `bid_rotation_index`, `allocative_loss`,
`seller_loss`, and `overbidding`, the share of rounds with a bid above one's own value.

### Exactness

Exact at short horizons (`sepo_envs.exact`): 4 situations with `rounds=1`, 100 situations with
`rounds=2`. Over longer ones a best response is a lower bound, from a trained exploiter, and says
so. The symmetric equilibria of one round are enumerated in fractions.

### Source

W. Vickrey, "Counterspeculation, auctions, and competitive sealed tenders", Journal of Finance 16
(1961); repeated, M. Aoyagi, "Bid rotation and collusion in repeated auctions", Journal of Economic
Theory 112 (2003).

### Version History

* v0: Initial version
"""

from __future__ import annotations

from functools import partial

from sepo_envs import aec, parallel, text

env = partial(aec.env, "repeated_auction")
raw_env = partial(aec.GameEnv, "repeated_auction")
parallel_env = partial(parallel.parallel_env, "repeated_auction")
text_env = partial(text.env, "repeated_auction")
