"""
# Iterated Prisoner's Dilemma

| Import | `from sepo_envs import prisoners_dilemma_v0` |
|---|---|
| Make | `sepo_envs.make("prisoners_dilemma")` |
| PettingZoo | `pettingzoo.make("aec", "sepo/prisoners_dilemma-v0")` |
| Gymnasium | `gymnasium.make("sepo_envs:sepo/PrisonersDilemma-v0", opponent="tit-for-tat")` |
| In text | `sepo/prisoners_dilemma_text-v0` and `sepo/PrisonersDilemmaText-v0` |
| Actions | Discrete |
| Parallel API | Yes, `pettingzoo.make("parallel", "sepo/prisoners_dilemma-v0")` |
| Manual Control | Yes, `python -m sepo_envs play prisoners_dilemma --against tit-for-tat` |
| Agents | `agents = ['player_0', 'player_1']` |
| Agents | 2 |
| Action Shape | `()` |
| Action Values | `[0, 1]` |
| Observation Shape | `(33,)` |
| Observation Values | `[0, 1]` |

In each round both players cooperate or defect, neither knowing the other's choice. Each is better
off defecting whatever the other does, and both are better off if both cooperate. The match lasts 8
rounds, which both know, so that by backward induction all-defect is the only subgame-perfect
equilibrium; yet a best reply to tit-for-tat cooperates until the last round.

### Arguments

* `rounds=8`: rounds in the match.
* `reward=3.0`, `sucker=0.0`, `temptation=5.0`, `punishment=1.0`: the payoffs. They must make a
  dilemma: T > R > P > S and 2R > T + S.
* `continuation=1.0`: the probability of another round after each but the last.
* `noise=0.0`: the probability that a choice slips and the other one is carried out.
* `max_cycles=None`: truncate once an agent has made this many moves.
* `render_mode=None`: `"ansi"` returns the match so far as text, `"human"` prints it,
  `"rgb_array"` draws it.
* `profile="paper"`: which definitions of the penalties the terminal infos report, or `"econ"`.
* `hook=None`: your own measure of a finished episode in place of them.
* `text_env` also takes `style="conversation"` (or `"fresh"`) and `max_retries=1`.

### Observation Space

A dictionary. `observation`, float32:

| Index | Meaning |
|---|---|
| 0 | share of rounds left |
| 4r - 3, 4r - 2 | I cooperated, I defected in round r |
| 4r - 1, 4r | they cooperated, they defected in round r |

Rounds to come are zeros. `action_mask`, int8: 1 where an action is legal. With AEC the agents
choose one after the other, and a choice that waits for the other is in no observation.

In text an observation is `{"text": prompt}`, and the chat is in `info["messages"]`.

### Action Space

| Action | Move |
|---|---|
| 0 | cooperate |
| 1 | defect |

In text, a reply may think first and ends with one bracketed move: `[cooperate]` or `[defect]`.

An action that is not legal, or `max_retries` + 1 unreadable replies, is a forfeit and one foul: it
is seen as a defection, and pays the offender S and the other T, or both P if both forfeit.

### Rewards

In points, paid when both have chosen.

| I, they | Mine | Theirs |
|---|---|---|
| both cooperate | 3 | 3 |
| I cooperate, they defect | 0 | 5 |
| I defect, they cooperate | 5 | 0 |
| both defect | 1 | 1 |

### Penalties

In `info["penalties"]` after termination, each with `value` and `defined`:

| | `paper` | `econ` |
|---|---|---|
| `exploitation` | the opponent's points less one's own, per round | the same |
| `collusion` | share of rounds in which one defects | share in which one defects on a cooperator |
| `externality` | mean of max(0, (3 - mean payoff) / 3) | welfare lost, as a share of what can be |

### Exactness

Exact for every policy whose probabilities are known: expected points, best response, NashConv
(`sepo_envs.exact`), over all 21845 histories in which 8 rounds ask for a move. With noise or an
open end, exact at short horizons. Subgame-perfect play is computed by backward induction.

### Source

R. Axelrod, "The Evolution of Cooperation" (1984); with noise, J. Wu and R. Axelrod, "How to cope
with noise in the iterated prisoner's dilemma", Journal of Conflict Resolution 39 (1995).

### Version History

* v0: Initial version
"""

from __future__ import annotations

from functools import partial

from sepo_envs import aec, parallel, text

env = partial(aec.env, "prisoners_dilemma")
raw_env = partial(aec.GameEnv, "prisoners_dilemma")
parallel_env = partial(parallel.parallel_env, "prisoners_dilemma")
text_env = partial(text.env, "prisoners_dilemma")
