"""Any game as a Gymnasium environment: one agent against one opponent. Knows no game.

The agent sits in one seat; the opponent moves for the others, inside ``reset`` and ``step``. The
structured environment is canonical, and the text one is played in prompts and replies.

>>> class Checker:
...     name = "checker"
...     def act(self, observation, legal, rng):
...         return legal[0]
>>> table = SingleAgentEnv("kuhn_poker", opponent=Checker(), seat=0)
>>> observation, info = table.reset(seed=1)
>>> *_, reward, terminated, truncated, info = table.step(1)  # a bet, and Checker folds
>>> reward, terminated, info["returns"]
(1.0, True, {'player_0': 1.0, 'player_1': -1.0})
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from sepo_envs.actions import not_legal, read_action
from sepo_envs.aec import RENDER_MODES, Frame, GameEnv, observation_space
from sepo_envs.catalogue import Domain, domain
from sepo_envs.draws import SEATING, Source, seat_stream
from sepo_envs.episode import Episode
from sepo_envs.find_opponent import Named, Opponent, find_opponent, played_by
from sepo_envs.game import FORFEIT, Forfeit, Game, Move
from sepo_envs.options import refuse_unknown
from sepo_envs.protocol import Chat, Style, asked, checked
from sepo_envs.text import OVER, foul, prompt_space, reply_space

Observation: TypeAlias = dict[str, NDArray[Any]]
Step: TypeAlias = tuple[Observation, float, bool, bool, dict[str, Any]]

NO_TURN: Final = (
    "the opponent ended the record's episode before it was the agent's turn. "
    "Give a record with more of the game left, or another seat."
)


class SingleAgentEnv(gymnasium.Env[Observation, Any]):
    """A seat at the table.

    Args:
        game: a domain's name in the catalogue, or a domain of your own.
        opponent: its name (entry-point group ``sepo.opponents``), or any object with ``name`` and
            ``act(observation, legal, rng)``. What it raises is raised here.
        seat: the agent's seat; None draws it anew at every reset.
        render_mode, options: as for `GameEnv`, with ``max_cycles``, ``profile`` and ``hook``.

    Chance draws from the stream ``deal``, the opponent at seat k from ``seat k``, a drawn seat from
    ``seating`` (`sepo_envs.draws`), so that none of them hangs on what the agent does.

    Rewards are the agent's points of each round, paid at the first step by which the round has
    settled. An illegal action is a forfeit and one foul, as in `GameEnv`.

    Infos: ``seat``, ``opponent`` and ``action_mask``; ``foul`` after one; at the end ``returns``,
    ``fouls`` and ``penalties``.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 1}  # noqa: RUF012

    def __init__(
        self,
        game: str | Domain,
        *,
        opponent: Opponent | str | None = None,
        seat: int | None = None,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        refuse_unknown(domain(game), options, SingleAgentEnv, GameEnv)
        self.table = GameEnv(game, render_mode=render_mode, **options)
        found = Named.find(self.domain.name, opponent) if isinstance(opponent, str) else None
        self.opponent = found.opponent if found else find_opponent(self.domain.name, opponent)
        self._named = found
        self.fixed_seat = checked_seat(seat, self.game)
        self.seat = self.fixed_seat or 0
        self.render_mode = render_mode
        self.observation_space = observation_space(self.game)  # type: ignore[assignment]
        self.action_space = Discrete(len(self.game.moves))

    def __getstate__(self) -> dict[str, Any]:
        """An opponent that was given by its name is pickled as that."""
        named = self._named is not None and self._named.opponent is self.opponent
        return self.__dict__ | ({"opponent": None} if named else {"_named": None})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self._named is not None:
            self.opponent = self._named.opponent

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

    @property
    def agent(self) -> str:
        """The agent's name in ``returns`` and ``fouls``."""
        return self.table.possible_agents[self.seat]

    @property
    def source(self) -> Source | None:
        """Where the episode's draws come from: its seed, and which episode since."""
        return self.table.source

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """As `GameEnv.reset`, with the opponent's moves up to the agent's first turn.

        Raises:
            TypeError, ValueError: as `GameEnv.reset`, or the agent has no turn left.
        """
        self.table.reset(seed=seed, options=options)
        source, episode = self.table.source, self.episode
        assert source is not None, "a reset table knows its source"
        super().reset(seed=source.seed if source.episode == 0 else None)
        drawn = int(source.draws(SEATING).random() * self.game.seats)
        self.seat = drawn if self.fixed_seat is None else self.fixed_seat
        moved = [entry.actor for entry in episode.entries]
        self._draws = [
            source.draws(seat_stream(seat), moved.count(seat)) for seat in range(self.game.seats)
        ]
        self.paid = len(self.table.journey.rounds)
        self._let_opponent_move()
        if self.table.over:
            raise ValueError(NO_TURN)
        return self.table.observe(self.agent), self._info()

    def step(self, action: Any) -> Step:
        move = read_action(action, self.game.moves, self.table.journey.place.legal)
        return self.play(move, foul=not_legal(action) if move is FORFEIT else "")

    def play(self, move: Move | Forfeit, *, foul: str) -> Step:
        """`step` with a move of the game, or with a FORFEIT for the reason ``foul``.

        Raises:
            RuntimeError: the episode is over, or its opponent failed to move.
        """
        self.check_turn()
        self.table.play(move, foul=foul)
        self._let_opponent_move()
        rounds = self.table.journey.rounds
        reward = float(sum(points[self.seat] for points in rounds[self.paid :]))
        self.paid = len(rounds)
        return (
            self.table.observe(self.agent),
            reward,
            self.table.terminations[self.agent],
            self.table.truncations[self.agent],
            self._info(),
        )

    def check_turn(self) -> None:
        """Refuse an action that would be taken for somebody else's move.

        Raises:
            RuntimeError: it is not the agent's turn.
        """
        if self.table.journey.place.actor != self.seat or self.table.over:
            raise RuntimeError(
                "it is not the agent's turn: the episode is over, or the opponent failed to move. "
                "Call reset before the next step."
            )

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal now, as sb3-contrib's MaskablePPO asks for it."""
        masks: NDArray[np.bool_] = self.table.observe(self.agent)["action_mask"].astype(np.bool_)
        return masks

    def render(self) -> Frame | None:
        return self.table.render()

    def _let_opponent_move(self) -> None:
        while not self.table.over and (mover := self.table.journey.place.actor) != self.seat:
            assert mover is not None, "somebody is to move until the table is over"
            legal = self.table.journey.place.legal
            seen = self.game.observe(self.table.journey.state, mover)
            move = self.opponent.act(seen, legal, self._draws[mover])
            self.table.play(played_by(self.opponent, move, legal))

    def _info(self) -> dict[str, Any]:
        return {
            "seat": self.seat,
            "opponent": self.opponent.name,
            "action_mask": self.table.observe(self.agent)["action_mask"],
            **self.table.info(self.agent),
        }


def checked_seat(seat: Any, game: Game) -> int | None:
    """``seat``, if it is None or at the table.

    Raises:
        ValueError: it is neither.
    """
    whole = isinstance(seat, int | np.integer) and not isinstance(seat, bool)
    if seat is not None and not (whole and seat in range(game.seats)):
        raise ValueError(
            f"seat is {seat!r}, but {game.name} has seats 0 to {game.seats - 1}. "
            "Use None to draw one at every reset."
        )
    return None if seat is None else int(seat)


class SingleAgentTextEnv(gymnasium.Env[str, str]):
    """`SingleAgentEnv` in prompts and replies; seeds deal the same hands in both.

    Args:
        style: ``conversation``, one growing chat, or ``fresh``, one complete prompt per decision.
        max_retries: fresh tries after an unreadable reply, before it is a foul. Such a try is a
            step with reward 0 in which nothing happens in the game.
        game, options: as for `SingleAgentEnv`.

    Infos hold, beside those of `SingleAgentEnv`, the prompt as ``text`` and the whole chat as
    ``messages``. Asynchronous vector environments must be made with
    ``vector_kwargs={"shared_memory": False}``: Gymnasium's shared memory loses text.
    """

    metadata = SingleAgentEnv.metadata

    def __init__(
        self,
        game: str | Domain,
        *,
        style: Style = "conversation",
        max_retries: int = 1,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        refuse_unknown(domain(game), options, SingleAgentTextEnv, SingleAgentEnv, GameEnv)
        self.inner = SingleAgentEnv(game, render_mode=render_mode, **options)
        self.style, self.max_retries = checked(style, max_retries)
        self.chat = Chat(self.max_retries)
        self.render_mode = render_mode
        self.observation_space = prompt_space()
        self.action_space = reply_space()

    @property
    def domain(self) -> Domain:
        return self.inner.domain

    @property
    def game(self) -> Game:
        return self.inner.game

    @property
    def episode(self) -> Episode:
        """Everything that has happened since the last reset."""
        return self.inner.episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        _, info = self.inner.reset(seed=seed, options=options)
        super().reset(seed=self.inner.np_random_seed if seed is not None else None)
        self.chat.start()
        self._ask()
        return self._text(), self._told(info)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Read the reply ``action``.

        Raises:
            TypeError: the reply is no string. A failed model call must not become a move.
        """
        if not isinstance(action, str):
            raise TypeError(f"a reply is a string, but the agent answered {action!r}.")
        self.inner.check_turn()
        move = self.chat.reply(action)
        if move is None:
            info = self.inner._info()
            return self._text(), 0.0, False, False, self._told(info)
        reason = foul(self.chat, action) if move is FORFEIT else ""
        _, reward, terminated, truncated, info = self.inner.play(move, foul=reason)
        if not (terminated or truncated):
            self._ask()
        return self._text(), reward, terminated, truncated, self._told(info)

    def render(self) -> Frame | None:
        return self.inner.render()

    def _ask(self) -> None:
        """Put the question to the agent."""
        table = self.inner.table
        self.chat.hear(asked(table.words, table.journey, self.inner.seat, self.style))

    def _text(self) -> str:
        return OVER if self.inner.table.journey.place.actor is None else self.chat.prompt

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "text": self._text(), "messages": self.chat.messages[:]}
