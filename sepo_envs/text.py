"""Any game as a PettingZoo AEC environment that is played in text. Knows no game.

The observation is the newest prompt the agent has to read, ``{"text": ...}``; an action is the
model's whole reply. ``info["text"]`` holds the prompt too, and ``info["messages"]`` the whole chat
as ``{"role", "content"}`` dictionaries: with the ``conversation`` style only the chat is complete,
with ``fresh`` each prompt is complete in itself.

An unreadable reply changes nothing in the game and is asked again, with the reason; after
``max_retries`` further tries it is a FORFEIT and one foul (`sepo_envs.protocol`).
"""

from __future__ import annotations

from typing import Any, Final

from gymnasium.spaces import Dict, Text
from pettingzoo.utils.wrappers import BaseWrapper, OrderEnforcingWrapper

from sepo_envs.aec import GameEnv, refuse_unknown
from sepo_envs.catalogue import Domain, domain
from sepo_envs.game import FORFEIT
from sepo_envs.protocol import Style, Talk

PRINTABLE: Final = "".join(map(chr, range(32, 127))) + "\n"
LONGEST_PROMPT: Final = 8_000
LONGEST_SAMPLE: Final = 200
"""Characters in a sampled reply. A model's own reply may be longer and in any script."""
OVER: Final = "The game is over."


def prompt_space() -> Text:
    """Everything that a prompt can be: printable ASCII and line breaks."""
    return Text(LONGEST_PROMPT, min_length=0, charset=PRINTABLE)


def reply_space() -> Text:
    """What is sampled as a reply. The environments read any string, whether it is inside or not."""
    return Text(LONGEST_SAMPLE, min_length=0, charset=PRINTABLE)


def env(
    game: str | Domain, *, style: Style = "conversation", max_retries: int = 1, **options: Any
) -> OrderEnforcingWrapper:
    """`TextEnv` of a `GameEnv` behind PettingZoo's guard against calls out of order."""
    refuse_unknown(domain(game), options, env, GameEnv)
    table = GameEnv(game, **options)
    return OrderEnforcingWrapper(TextEnv(table, style=style, max_retries=max_retries))


def prompt(talk: Talk) -> str:
    """The newest message that the seat has read; empty before the first."""
    read = [message.content for message in talk.messages if message.role == "user"]
    return read[-1] if read else ""


def chat(talk: Talk) -> list[dict[str, str]]:
    """The conversation as chat templates want it, oldest message first."""
    return [message._asdict() for message in talk.messages]


def foul(talk: Talk, reply: str, table: GameEnv) -> str:
    """Why ``reply``, the last that the foul rule allowed, is a foul."""
    reason = getattr(table.words.parse(reply, table.episode.state, talk.seat), "reason", "")
    return f"unreadable at try {talk.tries} of {talk.tries}: {reason}"


class TextEnv(BaseWrapper):  # type: ignore[misc]
    """Lets the agents of a `GameEnv` read prompts and answer in text.

    Args:
        env: the structured environment; ``unwrapped`` still gives it, with its ``episode``.
        style: ``conversation``, one growing chat, or ``fresh``, one complete prompt per decision.
        max_retries: fresh tries after an unreadable reply, before it is a foul.
    """

    def __init__(
        self, env: GameEnv, *, style: Style = "conversation", max_retries: int = 1
    ) -> None:
        super().__init__(env)
        self.table = env
        seats = range(env.game.seats)
        self.silence = [Talk(env.words, seat, style, max_retries) for seat in seats]
        self.talks = self.silence[:]
        self.observation_spaces = {
            agent: Dict({"text": prompt_space()}) for agent in env.possible_agents
        }
        self.action_spaces = {agent: reply_space() for agent in env.possible_agents}

    def observation_space(self, agent: str) -> Dict:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Text:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        super().reset(seed=seed, options=options)
        self.talks = self.silence[:]
        self._ask()

    def step(self, action: str | None) -> None:
        """Read the reply ``action`` of the agent whose turn it is.

        Raises:
            TypeError: the reply is no string. A failed model call must not become a move.
        """
        agent = self.table.agent_selection
        if self.table.over:
            self.table.step(action)
            return
        if not isinstance(action, str):
            raise TypeError(f"a reply is a string, but {agent} answered {action!r}.")
        seat = self.table.possible_agents.index(agent)
        talk, move = self.talks[seat].reply(action, self.table.episode)
        self.talks[seat] = talk
        if move is None:
            self.table.stand_still()
            self._tell()
        else:
            self.table.play(move, foul=foul(talk, action, self.table) if move is FORFEIT else "")
            self._ask()

    def observe(self, agent: str) -> dict[str, str]:
        return {"text": self._text(self.table.possible_agents.index(agent))}

    def _ask(self) -> None:
        seat = self.table.episode.actor
        if seat is not None:
            self.talks[seat] = self.talks[seat].hear(self.table.episode)
        self._tell()

    def _tell(self) -> None:
        for agent, info in self.table.infos.items():
            seat = self.table.possible_agents.index(agent)
            info |= {"text": self._text(seat), "messages": chat(self.talks[seat])}

    def _text(self, seat: int) -> str:
        return OVER if self.table.episode.actor is None else prompt(self.talks[seat])
