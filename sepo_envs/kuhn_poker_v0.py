"""
# Kuhn Poker

| Import | `from sepo_envs import kuhn_poker_v0` |
|---|---|
| Make | `sepo_envs.make("kuhn_poker")` |
| PettingZoo | `pettingzoo.make("aec", "sepo/kuhn_poker-v0")` |
| Gymnasium | `gymnasium.make("sepo_envs:sepo/KuhnPoker-v0", opponent="nash")` |
| In text | `sepo/kuhn_poker_text-v0` and `sepo/KuhnPokerText-v0` |
| Actions | Discrete |
| Parallel API | No |
| Manual Control | Yes, `python -m sepo_envs play kuhn_poker --against nash` |
| Agents | `agents = ['player_0', 'player_1']` |
| Agents | 2 |
| Action Shape | `()` |
| Action Values | `[0, 1]` |
| Observation Shape | `(9,)` |
| Observation Values | `[0, 1]` |

The smallest poker with bluffing: three cards, two players, one bet. Each antes 1 point and is dealt
one card of J < Q < K. The first player checks or bets 1 point, then the second; whoever faces a bet
folds or calls. If nobody folds, the higher card wins. A match is `hands` hands; the first mover
alternates.

### Arguments

* `hands=1`: hands in the match.
* `max_cycles=None`: truncate once an agent has made this many moves.
* `render_mode=None`: `"ansi"` returns the open table as text, `"human"` prints it,
  `"rgb_array"` draws it.
* `profile="paper"`: which definitions of the penalties the terminal infos report.
* `hook=None`: your own measure of a finished episode in place of them.
* `text_env` also takes `style="conversation"` (or `"fresh"`) and `max_retries=1`.

### Observation Space

A dictionary. `observation`, float32:

| Index | Meaning |
|---|---|
| 0 | I move first in this hand |
| 1-3 | I hold the Jack, the Queen, the King |
| 4-5 | the first move was a pass, a bet |
| 6-7 | the second move was a pass, a bet |
| 8 | share of hands settled |

`action_mask`, int8: 1 where an action is legal; all zeros for the agent that is not to move. The
opponent's card is in no observation.

In text an observation is `{"text": prompt}`, and the chat is in `info["messages"]`.

### Action Space

| Action | Nobody has bet | Facing a bet |
|---|---|---|
| 0 | check | fold |
| 1 | bet | call |

In text, a reply may think first and ends with one bracketed move: `[check]` or `[bet]`, and facing
a bet `[fold]` or `[call]`.

An action that is not legal, or `max_retries` + 1 unreadable replies, is a forfeit: it folds to a
bet and otherwise checks, and counts as one foul.

### Rewards

Zero sum, in points, paid when a hand settles.

| How the hand ends | Winner | Loser |
|---|---|---|
| showdown without a bet, or a fold | +1 | -1 |
| showdown after a call | +2 | -2 |

The value of one hand is -1/18 to the first mover.

### Penalties

In `info["penalties"]` after termination, each with `value` and `defined`: `exploitation`, the
opponent's points less one's own, per hand; `collusion` and `externality` are not defined in a
zero-sum game.

### Exactness

Exact for every policy whose probabilities are known, a language model's too: expected points, best
response, NashConv, exploitability (`sepo_envs.exact`). One hand has 12 situations. A match is
solved as its hands, which repeat the same twelve.

### Source

H. W. Kuhn, "A simplified two-person poker", Contributions to the Theory of Games I (1950).

### Version History

* v0: Initial version
"""

from __future__ import annotations

from functools import partial

from sepo_envs import aec, text

env = partial(aec.env, "kuhn_poker")
raw_env = partial(aec.GameEnv, "kuhn_poker")
text_env = partial(text.env, "kuhn_poker")
