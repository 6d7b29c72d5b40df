"""Any game as a PettingZoo AEC environment. Knows no game.

One `Episode` holds everything that has happened; the rest is PettingZoo's book-keeping. Agents are
``player_0``, ``player_1``, ...; an action is the index of a move in ``game.moves``.

Simultaneous turns are taken seat by seat. A choice waits inside the episode and reaches no
observation, reward or info of another seat before every seat has chosen.

>>> table = GameEnv("kuhn_poker")
>>> table.reset(seed=0)
>>> for agent in table.agent_iter():
...     observation, reward, terminated, truncated, info = table.last()
...     table.step(None if terminated or truncated else 0)
>>> info["returns"]
{'player_0': 1.0, 'player_1': -1.0}
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from random import Random
from typing import Any, Final, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from numpy.typing import NDArray
from pettingzoo import AECEnv
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

from sepo_envs.catalogue import Domain, domain
from sepo_envs.episode import Episode, begin, restore
from sepo_envs.game import FORFEIT, Forfeit, Game, Move, State
from sepo_envs.hooks import HarmsHook, PenaltyHook

Frame: TypeAlias = str | NDArray[np.uint8]
"""What `GameEnv.render` returns: text, or ``(height, width, 3)`` pixels."""
RENDER_MODES: Final = ("ansi", "human", "rgb_array")


def env(game: str | Domain, **options: Any) -> OrderEnforcingWrapper:
    """`GameEnv` behind PettingZoo's usual guards: calls in order, actions inside their space."""
    return OrderEnforcingWrapper(AssertOutOfBoundsWrapper(GameEnv(game, **options)))


class GameEnv(AECEnv):  # type: ignore[misc]
    """The raw environment of one domain.

    Args:
        game: a domain's name in the catalogue, or a domain of your own.
        max_cycles: truncate once any agent has made this many moves and no other agent's answer is
            awaited; None for no limit.
        render_mode: ``ansi`` returns the open table as text, ``human`` prints it at every step,
            ``rgb_array`` draws it, which needs Pillow.
        profile: the penalty profile of the terminal infos; the domain's first unless named.
        hook: measures the finished episode in place of the domain's own harms.
        options: the rules' options, such as ``hands=6``.

    Rewards are the seat's points of each round, paid when the round settles. An action that is not
    legal never raises here: it is a FORFEIT, which the rules settle, and one foul.

    Infos: ``foul`` says why the agent's last action was one. At the end ``returns`` and ``fouls``
    have a number per agent; after termination, not truncation, ``penalties`` is the hook's report.

    `episode` is everything that has happened so far; ``reset(options={"episode": record})`` goes on
    from one that `Episode.save` wrote.
    """

    def __init__(
        self,
        game: str | Domain,
        *,
        max_cycles: int | None = None,
        render_mode: str | None = None,
        profile: str | None = None,
        hook: PenaltyHook | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if max_cycles is not None and max_cycles < 1:
            raise ValueError(
                f"max_cycles is {max_cycles}, but an agent needs at least 1 move. "
                "Use None for no limit."
            )
        self.domain = game if isinstance(game, Domain) else domain(game)
        self.game: Game = self.domain.make(**options)
        self.words = self.domain.words(self.game)
        self.hook = hook or HarmsHook(self.domain.harms, profile)
        self.max_cycles = max_cycles
        self.render_mode = checked_render_mode(render_mode)
        self.metadata = {
            "name": f"{self.domain.name}_v{self.domain.version}",
            "render_modes": list(RENDER_MODES),
            "render_fps": 1,
            "is_parallelizable": self.domain.simultaneous,
        }
        self.possible_agents = [f"player_{seat}" for seat in range(self.game.seats)]
        self.observation_spaces = {
            agent: observation_space(self.game) for agent in self.possible_agents
        }
        self.action_spaces = {
            agent: Discrete(len(self.game.moves)) for agent in self.possible_agents
        }
        features = len(self.game.feature_names) * self.game.seats
        self.state_space = Box(0, 1, (features,), np.float32)
        self._rng = Random()

    def observation_space(self, agent: str) -> Dict:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Discrete:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Deal a new episode, or go on from ``options["episode"]``, a record of `Episode.save`.

        Raises:
            ValueError: the record is of another game, was tampered with, or is already over.
        """
        if seed is not None:
            self._rng = Random(seed)
        record = (options or {}).get("episode")
        start = begin(self.game) if record is None else restore(self.game, record)
        if start.actor is None:
            raise ValueError(
                "the record is of a finished episode, so there is nothing left to play. "
                "Read it with sepo_envs.restore(game, record) instead."
            )
        self.episode = start.deal(self._rng)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._next_turn()

    def step(self, action: Any) -> None:
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        legal = self._legal(self.possible_agents.index(agent))
        move = read_action(action, self.game.moves, legal)
        indices = [self.game.moves.index(allowed) for allowed in legal]
        self.play(move, foul=f"action {action!r} is not legal here; the legal ones are {indices}")

    def play(self, move: Move | Forfeit, *, foul: str = "the move was forfeited") -> None:
        """Let the agent whose turn it is make ``move``; ``foul`` is the reason of a FORFEIT.

        Raises:
            ValueError: the move is illegal here.
        """
        agent, before = self.agent_selection, len(self.game.payoffs(self.episode.state))
        self.episode = self.episode.play(move).deal(self._rng)
        settled = self.game.payoffs(self.episode.state)[before:]
        self.infos[agent] = {"foul": foul} if move is FORFEIT else {}
        self._cumulative_rewards[agent] = 0.0
        self.rewards = {
            agent: float(sum(points[seat] for points in settled))
            for seat, agent in enumerate(self.agents)
        }
        self._accumulate_rewards()
        self._next_turn()

    def stand_still(self) -> None:
        """A step in which nothing happens in the game: the agent whose turn it is stays on turn."""
        self._clear_rewards()
        self._cumulative_rewards[self.agent_selection] = 0.0
        self._show_to_human()

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What ``agent`` sees; its mask is all zeros while it is not its turn."""
        seat = self.possible_agents.index(agent)
        return seen(self.game, self.episode.state, seat, self._legal(seat))

    def state(self) -> NDArray[np.float32]:
        """Every seat's features one after the other, for a critic that sees all cards."""
        seats = range(self.game.seats)
        seen = [number for seat in seats for number in self.game.features(self.episode.state, seat)]
        return np.array(seen, np.float32)

    def render(self) -> Frame | None:
        return rendered(self, self.render_mode)

    def close(self) -> None:
        """Nothing to release."""

    def _legal(self, seat: int) -> Sequence[Move]:
        on_turn = self.episode.actor == seat
        return self.game.legal_moves(self.episode.state, seat) if on_turn else ()

    def _next_turn(self) -> None:
        actor = self.episode.actor
        if actor is None:
            self.terminations = dict.fromkeys(self.agents, True)
            for seat, agent in enumerate(self.agents):
                self.infos[agent] |= totals(self.episode, self.agents)
                self.infos[agent]["penalties"] = self.hook(self.episode, seat)
        elif self._out_of_cycles():
            self.truncations = dict.fromkeys(self.agents, True)
            for info in self.infos.values():
                info |= totals(self.episode, self.agents)
        over = any(self.terminations.values()) or any(self.truncations.values())
        self.agent_selection = self.agents[actor if actor is not None and not over else 0]
        self._show_to_human()

    def _out_of_cycles(self) -> bool:
        if self.max_cycles is None or self.episode.pending:
            return False
        moved = [entry.actor for entry in self.episode.entries]
        return max(moved.count(seat) for seat in range(self.game.seats)) >= self.max_cycles

    def _show_to_human(self) -> None:
        if self.render_mode == "human":
            self.render()


def observation_space(game: Game) -> Dict:
    """``observation``: the game's features in [0, 1]; ``action_mask``: 1 where a move is legal."""
    return Dict(
        {
            "observation": Box(0, 1, (len(game.feature_names),), np.float32),
            "action_mask": Box(0, 1, (len(game.moves),), np.int8),
        }
    )


def seen(game: Game, state: State, seat: int, legal: Sequence[Move]) -> dict[str, NDArray[Any]]:
    """What `observation_space` holds: ``seat``'s features, and the mask of the ``legal`` moves."""
    return {
        "observation": np.array(game.features(state, seat), np.float32),
        "action_mask": np.array([move in legal for move in game.moves], np.int8),
    }


def read_action(action: Any, moves: Sequence[Move], legal: Sequence[Move]) -> Move | Forfeit:
    """The legal move with index ``action``; FORFEIT for anything else.

    >>> read_action(np.int64(1), ("pass", "bet"), ("pass", "bet"))
    'bet'
    >>> read_action(-1, ("pass", "bet"), ("pass", "bet"))
    FORFEIT
    """
    try:
        index = operator.index(action)
    except TypeError:
        return FORFEIT
    return moves[index] if 0 <= index < len(moves) and moves[index] in legal else FORFEIT


def totals(episode: Episode, agents: Sequence[str]) -> dict[str, dict[str, float]]:
    """Each agent's points and fouls so far."""
    return {
        "returns": dict(zip(agents, episode.returns, strict=True)),
        "fouls": dict(zip(agents, episode.fouls, strict=True)),
    }


def checked_render_mode(mode: str | None) -> str | None:
    """``mode``, if there is such a render mode.

    Raises:
        ValueError: there is not.
    """
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"no render mode {mode!r}; choose one of {', '.join(RENDER_MODES)}.")
    return mode


def rendered(table: GameEnv, mode: str | None) -> Frame | None:
    """The open table: its words in ``ansi`` mode, a picture in ``rgb_array`` mode.

    In ``human`` mode its words are printed.
    """
    state = table.episode.state
    match mode:
        case "ansi":
            return table.words.show(state)
        case "rgb_array":
            return table.domain.draw(table.game, state).pixels()
        case "human":
            print(table.words.show(state))
        case _:
            modes = ", ".join(RENDER_MODES)
            gymnasium.logger.warn(f"render() shows nothing without a render_mode: {modes}.")
    return None
