"""Any simultaneous game as a PettingZoo parallel environment. Knows no game.

The turn-based `GameEnv` inside takes the actions seat by seat and keeps the books, so that both
APIs play the same game by the same seed; none of it is seen before every seat has chosen.

>>> table = ParallelGameEnv("prisoners_dilemma", rounds=1)
>>> observations, infos = table.reset(seed=0)
>>> *_, rewards, terminations, truncations, infos = table.step({"player_0": 0, "player_1": 1})
>>> rewards, table.agents
({'player_0': 0.0, 'player_1': 5.0}, [])
"""

from __future__ import annotations

from typing import Any, TypeAlias

from gymnasium.spaces import Box, Dict, Space
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from sepo_envs.aec import Frame, GameEnv, checked_render_mode, rendered, seen
from sepo_envs.catalogue import Domain, domain
from sepo_envs.episode import Episode
from sepo_envs.game import Game
from sepo_envs.options import refuse_unknown

Observations: TypeAlias = dict[str, dict[str, NDArray[Any]]]
Infos: TypeAlias = dict[str, dict[str, Any]]
Step: TypeAlias = tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]


def parallel_env(game: str | Domain, **options: Any) -> ParallelGameEnv:
    """`ParallelGameEnv`, under the name that PettingZoo's modules use; it needs no guards."""
    return ParallelGameEnv(game, **options)


class ParallelGameEnv(ParallelEnv):  # type: ignore[misc]
    """The environment of one domain in which the seats move at once.

    Args:
        game: a domain's name in the catalogue, or a domain of your own.
        render_mode: ``ansi`` returns the open table as text, ``human`` prints it after each turn,
            ``rgb_array`` draws it.
        options: ``max_cycles``, ``profile``, ``hook`` and the rules' options, as for `GameEnv`.

    Spaces, rewards and infos are those of `GameEnv`, and so is what an illegal action costs: it is
    a FORFEIT and one foul. At a turn on which a game does not ask every seat, the others' masks are
    all zeros and their actions do not count.

    Raises:
        ValueError: the domain's seats take turns.
    """

    def __init__(
        self, game: str | Domain, *, render_mode: str | None = None, **options: Any
    ) -> None:
        refuse_unknown(domain(game), options, ParallelGameEnv, GameEnv)
        self.table = GameEnv(game, **options)
        if not self.domain.simultaneous:
            raise ValueError(
                f"{self.domain.name} is played in turns, and has no parallel environment. "
                f'Use pettingzoo.make("aec", "sepo/{self.domain.name}-v{self.domain.version}").'
            )
        self.render_mode = checked_render_mode(render_mode)
        self.metadata = self.table.metadata
        self.possible_agents = self.table.possible_agents
        self.observation_spaces = self.table.observation_spaces
        self.action_spaces = self.table.action_spaces
        self.state_space: Box = self.table.state_space
        self.agents: list[str] = []

    @property
    def domain(self) -> Domain:
        return self.table.domain

    @property
    def game(self) -> Game:
        return self.table.game

    @property
    def episode(self) -> Episode:
        """Everything that has happened since the last reset."""
        return self.table.episode

    def observation_space(self, agent: str) -> Dict:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Deal a new episode, or go on from ``options["episode"]``, a record of `Episode.save`.

        Raises:
            ValueError: the record is of another game, was tampered with, is over, or was saved in
                the middle of a turn.
        """
        self.table.reset(seed=seed, options=options)
        if self.table.journey.place.pending:
            raise ValueError(
                "the record ends in the middle of a simultaneous turn. "
                "Go on with it in the turn-based environment, or save between turns."
            )
        self.agents = self.possible_agents[:]
        self._show_to_human()
        return self._observations(), self._infos()

    def step(self, actions: dict[str, Any]) -> Step:
        """One turn: the action of every agent.

        Raises:
            ValueError: the actions are not of exactly the agents in play; a missing one is a slip
                of the caller, where an illegal one is a foul of the agent.
        """
        if set(actions) != set(self.agents):
            raise ValueError(
                f"actions came for {sorted(actions)}, but {self.agents or 'nobody'} is in play. "
                + ("Give one for each." if self.agents else "Reset first.")
            )
        if not self.agents:
            return {}, {}, {}, {}, {}
        for seat in self.game.actors(self.table.journey.state):
            self.table.step(actions[self.agents[seat]])
        step = (
            self._observations(),
            dict(self.table.rewards),
            dict(self.table.terminations),
            dict(self.table.truncations),
            self._infos(),
        )
        if self.table.over:
            self.agents = []
        self._show_to_human()
        return step

    def state(self) -> NDArray[Any]:
        """Every seat's features one after the other, for a critic that sees all."""
        return self.table.state()

    def render(self) -> Frame | None:
        return rendered(self.table, self.render_mode)

    def close(self) -> None:
        """Nothing to release."""

    def _observations(self) -> Observations:
        game, journey = self.game, self.table.journey
        return {
            agent: seen(game, journey.features[seat], game.legal_moves(journey.state, seat))
            for seat, agent in enumerate(self.possible_agents)
        }

    def _infos(self) -> Infos:
        return {agent: dict(info) for agent, info in self.table.infos.items()}

    def _show_to_human(self) -> None:
        if self.render_mode == "human":
            self.render()
