"""A thousand seats at a thousand tables as one Gymnasium vector environment. Knows no game.

``gymnasium.make_vec("sepo_envs:sepo/KuhnPoker-v0", num_envs=1024, opponent="nash")`` makes one. It
plays on a `Board`, so a situation is looked at once however many tables come to it, and its every
observation, reward, end and info is that of ``vectorization_mode="sync"`` for the same seeds.

>>> tables = VectorGameEnv("kuhn_poker", num_envs=3, opponent="nash", seat=0)
>>> observations, infos = tables.reset(seed=1)
>>> observations["observation"].shape, infos["action_mask"].tolist()
((3, 9), [[1, 1], [1, 1], [1, 1]])
>>> _, rewards, terminations, _, infos = tables.step(np.array([0, 1, 7]))
>>> infos["foul"].tolist()
[None, None, 'action np.int64(7) is not legal here']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import randbits
from typing import Any, TypeAlias, cast

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

from sepo_envs.actions import action_number, not_legal
from sepo_envs.aec import GameEnv
from sepo_envs.batch import Board
from sepo_envs.catalogue import Domain, domain
from sepo_envs.choices import Askable
from sepo_envs.draws import SEATING, checked_seed, keys, offset, uniforms
from sepo_envs.episode import Episode, begin
from sepo_envs.find_opponent import Opponent
from sepo_envs.game import CHANCE
from sepo_envs.games.options import check_whole
from sepo_envs.opening import opening
from sepo_envs.options import refuse_unknown
from sepo_envs.sights import Bools, Ints, Sights
from sepo_envs.single_agent import NO_TURN, SingleAgentEnv

Observations: TypeAlias = dict[str, NDArray[Any]]
Infos: TypeAlias = dict[str, Any]
Step: TypeAlias = tuple[Observations, NDArray[np.float64], Bools, Bools, Infos]


class VectorGameEnv(VectorEnv[Observations, Any, NDArray[Any]]):
    """``num_envs`` independent `SingleAgentEnv` that move together.

    Args:
        num_envs: how many tables, at least 1.
        opponent: its name, or an opponent with ``probabilities`` (`sepo_envs.choices.Askable`).
        autoreset_mode: a table that is over is reset by the next step, whose action for it does not
            count. Gymnasium's other modes are those of ``vectorization_mode="sync"`` alone.
        most_nodes: situations to remember at once.
        game, seat, max_cycles, profile, hook, options: as for `SingleAgentEnv`.

    Raises:
        TypeError: the opponent cannot be asked for probabilities.
        ValueError: another autoreset mode, a render mode or no whole number of tables is asked for.
    """

    def __init__(
        self,
        game: str | Domain,
        *,
        num_envs: int = 1,
        opponent: Opponent | str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        most_nodes: int = 500_000,
        **options: Any,
    ) -> None:
        refuse_unknown(domain(game), options, VectorGameEnv, SingleAgentEnv, GameEnv)
        num_envs = check_whole(
            "num_envs", num_envs, least=1, because="there must be at least 1 table"
        )
        sync = 'vectorization_mode="sync"'
        if AutoresetMode(autoreset_mode) is not AutoresetMode.NEXT_STEP:
            raise ValueError(
                f"autoreset_mode is {autoreset_mode}, but batched tables reset at the next step. "
                f'For another mode use {sync}, vector_kwargs={{"autoreset_mode": ...}}.'
            )
        if render_mode is not None:
            raise ValueError(f"batched tables show nothing. To render, use {sync}.")
        self.one = SingleAgentEnv(game, opponent=opponent, **options)
        if not callable(getattr(self.one.opponent, "probabilities", None)):
            raise TypeError(
                f"opponent {self.one.opponent.name!r} has no probabilities(observation, legal), so "
                f"it cannot be played in batches. Use {sync}, which only asks it to act."
            )
        self.num_envs = num_envs
        self.metadata = {**self.one.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = self.one.observation_space
        self.single_action_space = self.one.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.board = Board(self.one.game, most_nodes=most_nodes)
        self.sights = Sights(self.one.table, self.board)
        self._seed = np.zeros(num_envs, np.uint64)
        self._number = np.full(num_envs, -1)
        """Which episode since the seed was given; -1 before the first."""
        self._draws = np.zeros(num_envs, np.uint64)
        self._node = np.zeros(num_envs, np.int64)
        self._seat = np.zeros(num_envs, np.int64)
        self._paid = np.zeros(num_envs, np.int64)
        """How many rounds each agent was paid for."""
        self._over = np.zeros(num_envs, np.bool_)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """Each table's seed."""
        return tuple(self._seed.tolist())

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Everything that has happened at each table since its last reset."""
        return tuple(map(self.board.episode, self._node.tolist()))

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, Infos]:
        """Deal at every table; with one ``seed``, table i gets ``seed + i``.

        ``options`` are those of `SingleAgentEnv.reset`, and ``reset_mask``, ``(num_envs,)`` bool,
        which tables to reset; the others stay as they are.

        Raises:
            TypeError, ValueError: as `SingleAgentEnv.reset`, or the mask or the list of seeds does
                not fit the tables.
        """
        start = opening(self.one.table.atlas, options).episode
        which = self._masked((options or {}).get("reset_mask"))
        for table, given in zip(which.tolist(), self._seeds(seed, which), strict=True):
            if given is not None or self._number[table] < 0:
                self._seed[table] = randbits(63) if given is None else checked_seed(given)
                self._number[table] = 0
            else:
                self._number[table] += 1
        self._deal(which, start)
        return self._observations(), self._infos(which)

    def step(self, actions: Any) -> Step:
        """One action for each table.

        Raises:
            ResetNeeded: nothing was dealt yet.
            ValueError: there is not one action per table, or they are in no flat array.
        """
        if (self._number < 0).any():
            raise ResetNeeded("nothing has been dealt yet. Call reset before step.")
        if isinstance(actions, np.ndarray) and actions.ndim != 1:
            raise ValueError(
                f"actions have the shape {actions.shape}, but one number for each table is wanted: "
                f"the shape ({self.num_envs},)."
            )
        if not isinstance(actions, np.ndarray) or actions.dtype.kind not in "iu":
            actions = list(iterate(self.action_space, actions))
        if len(actions) != self.num_envs:
            raise ValueError(f"{len(actions)} actions for {self.num_envs} tables: give one each.")
        if self.board.full:
            self._forget()
        again, acting = np.flatnonzero(self._over), np.flatnonzero(~self._over)
        fouls = self._act(acting, actions)
        rewards = np.zeros(self.num_envs)
        rewards[acting] = self._pay(acting)
        self._number[again] += 1
        self._deal(again, begin(self.one.game))
        sight = self.sights.of(self._node, self._seat)
        terminated, truncated = self.sights.terminated[sight], self.sights.truncated[sight]
        self._over = terminated | truncated
        infos = self._infos(np.arange(self.num_envs))
        return self._observations(), rewards, terminated, truncated, self._with(infos, fouls)

    def _masked(self, mask: Any) -> Ints:
        """Which tables to reset."""
        if mask is None:
            return np.arange(self.num_envs)
        fits = (
            isinstance(mask, np.ndarray) and mask.dtype == bool and mask.shape == (self.num_envs,)
        )
        if not fits or not mask.any():
            raise ValueError(
                f"reset_mask is {mask!r}, but an array of {self.num_envs} bools is wanted, of "
                "which one at least is True."
            )
        return np.flatnonzero(mask)

    def _seeds(self, seed: Any, which: Ints) -> list[Any]:
        """The seed of each table of ``which``; None goes on to its next episode."""
        if seed is None:
            return [None] * len(which)
        if np.ndim(seed) == 0:
            return [checked_seed(seed) + table for table in which.tolist()]
        if len(seed) != self.num_envs:
            raise ValueError(f"{len(seed)} seeds for {self.num_envs} tables: give one for each.")
        return [seed[table] for table in which.tolist()]

    def _deal(self, which: Ints, start: Episode) -> None:
        """Begin an episode at each table of ``which`` and lead it to the agent's first turn."""
        if not len(which):
            return
        self._over[which] = False
        game, draws = self.one.game, keys(self._seed[which], self._number[which])
        drawn = uniforms(draws + np.uint64(offset(SEATING)), 0) * game.seats
        fixed = self.one.fixed_seat
        self._draws[which] = draws
        self._seat[which] = drawn.astype(np.int64) if fixed is None else fixed
        self._node[which] = self.board.find(start)
        self._advance(which, dealing=True)
        dealt, where = np.unique(self._node[which], return_inverse=True)
        rounds = [len(game.payoffs(self.board.episode(node).state)) for node in dealt.tolist()]
        self._paid[which] = np.array(rounds)[where]
        self._advance(which)
        if self.sights.ended(self._node[which]).any():
            raise ValueError(NO_TURN)

    def _advance(self, which: Ints, *, dealing: bool = False) -> None:
        """Let chance, and unless only ``dealing`` the opponents, move up to the agents' turn."""
        opponents = [cast(Askable, self.one.opponent)] * self.one.game.seats
        while len(which):
            actor = self.board.actors(self._node[which])
            moves = actor == CHANCE if dealing else actor != self._seat[which]
            which = which[moves & ~self.sights.ended(self._node[which])]
            node = self._node[which]
            rows = self.board.rows(opponents, node)
            self._node[which] = self.board.follow(node, rows, self._draws[which])

    def _act(self, acting: Ints, actions: Any) -> dict[int, str]:
        """Let the agents at the tables ``acting`` move, and be answered. Returns the fouls."""
        sight = self.sights.of(self._node[acting], self._seat[acting])
        most = len(self.one.game.moves)
        if isinstance(actions, np.ndarray):
            number = actions[acting].astype(np.int64)
        else:
            given = [action_number(actions[table]) for table in acting.tolist()]
            number = np.array([each if 0 <= each < most else -1 for each in given], np.int64)
        forfeit = self.sights.forfeit[sight]
        inside = (number >= 0) & (number < most)
        slot = np.where(inside, self.sights.slot[sight, np.where(inside, number, 0)], forfeit)
        self._node[acting] = self.board.children(self._node[acting], slot)
        self._advance(acting)
        return {table: not_legal(actions[table]) for table in acting[slot == forfeit].tolist()}

    def _pay(self, acting: Ints) -> NDArray[np.float64]:
        """The points of the rounds that have settled since each agent was paid last."""
        sight, paid = self.sights.of(self._node[acting], self._seat[acting]), self._paid[acting]
        settled, points = self.sights.settled[sight], np.zeros(len(acting))
        for more in range(int((settled - paid).max(initial=0))):
            due = paid + more < settled
            points[due] += self.sights.points[sight[due], paid[due] + more]
        self._paid[acting] = settled
        return points

    def _observations(self) -> Observations:
        sight = self.sights.of(self._node, self._seat)
        return {
            "observation": self.sights.features[sight],
            "action_mask": self.sights.mask[sight],
        }

    def _infos(self, which: Ints) -> Infos:
        """What `SingleAgentEnv` tells at the tables ``which``, as Gymnasium collects it."""
        sight = self.sights.of(self._node[which], self._seat[which])
        names = np.full(len(which), self.one.opponent.name, object)
        infos = {
            **self._column("seat", which, self._seat[which]),
            **self._column("opponent", which, names),
            **self._column("action_mask", which, self.sights.mask[sight]),
        }
        over = self.sights.terminated[sight] | self.sights.truncated[sight]
        ends, where = np.unique(sight[over], return_inverse=True)
        return infos | self._columns([self.sights.told(end) for end in ends], which[over], where)

    def _with(self, infos: Infos, fouls: dict[int, str]) -> Infos:
        reasons = np.array(list(fouls.values()), object)
        return infos | (self._column("foul", np.array([*fouls]), reasons) if fouls else {})

    def _column(self, key: str, which: Ints, values: NDArray[Any]) -> Infos:
        """``values`` for the tables ``which`` in an array for all tables, and its mask."""
        column = np.zeros((self.num_envs, *values.shape[1:]), values.dtype)
        if values.dtype == object:
            column[:] = None
        column[which] = values
        return {key: column, f"_{key}": self._mask(which)}

    def _columns(self, told: Sequence[Mapping[str, Any]], which: Ints, where: Ints) -> Infos:
        """`VectorEnv._add_info` for many tables that are told few things.

        Table ``which[k]`` is told ``told[where[k]]``. As there, the first table that is told a key
        decides the type of its array.
        """
        columns: Infos = {}
        for key in dict.fromkeys(key for each in told for key in each):
            has = np.array([key in each for each in told])[where]
            values = [each.get(key) for each in told]
            first = values[where[has][0]]
            if isinstance(first, dict):
                inner = self._columns([value or {} for value in values], which[has], where[has])
                columns |= {key: inner, f"_{key}": self._mask(which[has])}
            else:
                number = isinstance(first, bool | int | float | np.number)
                small = np.empty(len(values), type(first) if number else object)
                small[:] = [0 if number and key not in each else each.get(key) for each in told]
                columns |= self._column(key, which[has], small[where[has]])
        return columns

    def _mask(self, which: Ints) -> Bools:
        mask = np.zeros(self.num_envs, np.bool_)
        mask[which] = True
        return mask

    def _forget(self) -> None:
        """Keep nothing on the board but the running episodes."""
        running = self.episodes
        self.board.forget()
        self.sights = Sights(self.one.table, self.board)
        self._node = np.array([self.board.find(episode) for episode in running])
