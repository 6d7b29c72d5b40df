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

from collections.abc import Iterator, Sequence
from sys import maxsize
from typing import Any, Final, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space
from numpy.typing import NDArray
from pettingzoo import AECEnv

from sepo_envs.actions import not_legal, read_action
from sepo_envs.atlas import UNDEALT, Journey, Payments, atlas
from sepo_envs.catalogue import CATALOGUE, Domain, domain
from sepo_envs.draws import DEAL, Floats, Source, next_source
from sepo_envs.episode import Episode, out_of_cycles
from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Game, Move
from sepo_envs.games.options import check_whole
from sepo_envs.hooks import HarmsHook, PenaltyHook, Report, checked_hook
from sepo_envs.opening import opening
from sepo_envs.options import refuse_unknown

Frame: TypeAlias = str | NDArray[np.uint8]
"""What `GameEnv.render` returns: text, or ``(height, width, 3)`` pixels."""
RENDER_MODES: Final = ("ansi", "human", "rgb_array")
Last: TypeAlias = tuple[Any, float, bool, bool, dict[str, Any]]


def env(game: str | Domain, **options: Any) -> GameEnv:
    """`GameEnv`, under the name that PettingZoo's modules use; it needs no guards around it."""
    return GameEnv(game, **options)


class Blank:
    """What is known of agents before they play, and that they have ended: quicker to copy than to
    make anew."""

    __slots__ = ("ended", "fouls", "going_on", "points")

    def __init__(self, agents: Sequence[str]) -> None:
        self.points = dict.fromkeys(agents, 0.0)
        self.fouls: dict[str, float] = dict.fromkeys(agents, 0)
        self.going_on, self.ended = dict.fromkeys(agents, False), dict.fromkeys(agents, True)


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
    the index of a legal move, be it an index out of range, NaN, None or a word, never raises: it is
    a FORFEIT, which the rules settle, and one foul.

    Infos: ``foul`` says why the agent's last action was one. At the end ``returns`` and ``fouls``
    have a number per agent; after termination, not truncation, ``penalties`` is the hook's report,
    measured when it is first read.

    `episode` is everything that has happened so far; `journey` is that with what is known of where
    it stands. A reset with a seed starts that seed's episode 0, each later one without a seed the
    next (`sepo_envs.draws`); `source` says which. ``reset(options={"episode": record})`` goes on
    from a record that `Episode.save` wrote, with the same source as the original would have.
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
        if max_cycles is not None:
            least = "an agent needs at least 1 move (None is no limit)"
            check_whole("max_cycles", max_cycles, least=1, because=least)
        self.domain = domain(game)
        refuse_unknown(self.domain, options, GameEnv)
        self.game: Game = self.domain.make(**options)
        self.words = self.domain.words(self.game)
        self.atlas = atlas(self.game)
        own = HarmsHook(self.domain.harms, profile)
        self.hook = own if hook is None else checked_hook(hook)
        self._pure = own if CATALOGUE.get(self.domain.name) is self.domain else None
        """The domain's own hook, if it is known to answer alike whenever it is asked."""
        self.max_cycles = max_cycles
        self.render_mode = checked_render_mode(render_mode)
        self.metadata = {
            "name": f"{self.domain.name}_v{self.domain.version}",
            "render_modes": list(RENDER_MODES),
            "render_fps": 1,
            "is_parallelizable": self.domain.simultaneous,
        }
        self.possible_agents = [f"player_{seat}" for seat in range(self.game.seats)]
        self._blank = Blank(self.possible_agents)
        self.observation_spaces = {
            agent: observation_space(self.game) for agent in self.possible_agents
        }
        self.action_spaces: dict[str, Space[Any]] = {
            agent: Discrete(len(self.game.moves)) for agent in self.possible_agents
        }
        features = len(self.game.feature_names) * self.game.seats
        self.state_space = Box(0, 1, (features,), np.float32)
        self.source: Source | None = None
        self.journey: Journey = UNDEALT
        self.over = True
        self._calls = 0
        self.agents: list[str] = []
        self.agent_selection = self.possible_agents[0]

    def observation_space(self, agent: str) -> Dict:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        return self.action_spaces[agent]

    @property
    def episode(self) -> Episode:
        """Everything that has happened since the last reset.

        Raises:
            RuntimeError: there was none.
        """
        return self.journey.episode

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Deal a new episode, or go on from ``options["episode"]``, a record of `Episode.save`.

        Raises:
            TypeError: the seed is no whole number.
            ValueError: the seed is negative; or the record is of another game, was tampered with,
                or is already over.
        """
        journey = opening(self.atlas, options)
        self._calls += 1
        self.source = next_source(self.source, seed)
        self._deals: Floats | None = None
        if journey.place.actor == CHANCE:
            self._deal(journey)
        self.journey = journey
        self.agents = self.possible_agents.copy()
        blank = self._blank
        self.rewards, self._cumulative_rewards = blank.points.copy(), blank.points.copy()
        self._so_far: dict[str, dict[str, float]] = {
            "returns": blank.points.copy(),
            "fouls": blank.fouls.copy(),
        }
        if options:
            self._so_far["returns"] |= zip(self.agents, journey.returns, strict=True)
            self._so_far["fouls"] |= zip(self.agents, journey.fouls, strict=True)
        self.terminations, self.truncations = blank.going_on.copy(), blank.going_on.copy()
        self.over = False
        self._infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._next_turn(journey.place.actor)

    def step(self, action: Any) -> None:
        """Let the agent whose turn it is act, or, after the end, leave the table with None.

        Raises:
            RuntimeError: nothing was dealt, or every agent has left the table.
            ValueError: the agent's episode is over and its action is not None.
        """
        place = self.journey.place  # which raises before the first reset
        if self.over:
            if not self.agents:
                raise RuntimeError(
                    "the episode is over and every agent has left the table. Call reset first."
                )
            self._calls += 1
            self._was_dead_step(action)
            return
        legal = place.legal
        move, foul = read_action(action, self.game.moves, legal), ""
        if move is FORFEIT:
            indices = [self.game.moves.index(allowed) for allowed in legal]
            foul = f"{not_legal(action)}; the legal ones are {indices}"
        self.play(move, foul)

    def agent_iter(self, max_iter: int = maxsize) -> Iterator[str]:
        """The agent whose turn it is, until all have left the table; step between two of them.

        Raises:
            RuntimeError: nothing was dealt, or nobody stepped since the last agent.
        """
        _, calls = self.journey.place, -1  # the first of which raises before the first reset
        for _ in range(max_iter):
            if not self.agents:
                return
            if calls == self._calls:
                raise RuntimeError(
                    f"{self.agent_selection} has not acted. Call step in the loop over agent_iter."
                )
            calls = self._calls
            yield self.agent_selection

    def last(self, observe: bool = True) -> Last:
        """What the agent whose turn it is sees and was paid since it acted, and its info."""
        agent = self.agent_selection
        return (
            self.observe(agent) if observe else None,
            self._cumulative_rewards[agent],
            self.terminations[agent],
            self.truncations[agent],
            self.info(agent),
        )

    @property
    def infos(self) -> dict[str, dict[str, Any]]:
        """The info of every agent at the table."""
        for agent in self._infos:
            self.info(agent)
        return self._infos

    def info(self, agent: str) -> dict[str, Any]:
        """The info of ``agent``, worked out when it is asked for."""
        info = self._infos[agent]
        if self.over and "returns" not in info:
            info["returns"] = self._so_far["returns"].copy()
            info["fouls"] = self._so_far["fouls"].copy()
            if self.journey.place.actor is None:
                info["penalties"] = self._penalties(self.possible_agents.index(agent))
        return info

    def play(self, move: Move | Forfeit, foul: str = "the move was forfeited") -> None:
        """Let the agent whose turn it is make ``move``; ``foul`` is the reason of a FORFEIT.

        Raises:
            ValueError: the move is illegal here.
        """
        agent, journey = self.agent_selection, self.journey
        paid = journey.go(move)
        if journey.place.actor == CHANCE:
            paid += self._deal(journey)
        self._calls += 1
        self._infos[agent] = {}
        if move is FORFEIT:
            self._infos[agent]["foul"] = foul
            self._so_far["fouls"][agent] += 1
        self.rewards = rewards = self._blank.points.copy()
        unread, returns = self._cumulative_rewards, self._so_far["returns"]
        unread[agent] = 0.0
        for seat, points in paid:
            earner = self.agents[seat]
            rewards[earner] += points
            unread[earner] += points
            returns[earner] += points
        self._next_turn(journey.place.actor)

    def observe(self, agent: str) -> dict[str, Any]:
        """What ``agent`` sees; its mask is all zeros while it is not its turn."""
        seat = self.possible_agents.index(agent)
        sight = self.journey.recall(seat, self._seen, seat)
        return {
            "observation": sight["observation"].copy(),
            "action_mask": sight["action_mask"].copy(),
        }

    def state(self) -> NDArray[np.float32]:
        """Every seat's features one after the other, for a critic that sees all cards."""
        return np.array(self.journey.features, np.float32).ravel()

    def render(self) -> Frame | None:
        return rendered(self, self.render_mode)

    def close(self) -> None:
        """Nothing to release."""

    def _seen(self, seat: int) -> dict[str, NDArray[Any]]:
        legal = self.journey.place.legal if self.journey.place.actor == seat else ()
        return seen(self.game, self.journey.features[seat], legal)

    def _deal(self, journey: Journey) -> Payments:
        """Let chance act, by the next draws of the episode."""
        if self._deals is None:
            assert self.source is not None, "every episode has its source"
            dealt = [way.entry.actor for way in journey.ways].count(CHANCE)
            self._deals = self.source.floats(DEAL, dealt)
        return journey.deal(self._deals)

    def _next_turn(self, actor: int | None) -> None:
        if actor is None or (self.max_cycles and out_of_cycles(self.episode, self.max_cycles)):
            self.over = True
            ended = self._blank.ended.copy()
            if actor is None:
                self.terminations = ended
            else:
                self.truncations = ended
            actor = 0
        self.agent_selection = self.agents[actor]
        if self.render_mode == "human":
            self.render()

    def _penalties(self, seat: int) -> Report:
        if self._pure is None or self.hook is not self._pure:
            return self.hook(self.episode, seat)
        return self._pure.of_journey(self.journey, seat)


def observation_space(game: Game) -> Dict:
    """``observation``: the game's features in [0, 1]; ``action_mask``: 1 where a move is legal."""
    return Dict(
        {
            "observation": Box(0, 1, (len(game.feature_names),), np.float32),
            "action_mask": Box(0, 1, (len(game.moves),), np.int8),
        }
    )


def seen(game: Game, features: Sequence[float], legal: Sequence[Move]) -> dict[str, NDArray[Any]]:
    """What `observation_space` holds: a seat's ``features`` and the mask of ``legal`` moves."""
    return {
        "observation": np.array(features, np.float32),
        "action_mask": np.array([move in legal for move in game.moves], np.int8),
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
