"""Any game as a PettingZoo AEC environment that is played in text. Knows no game.

The observation is the newest prompt the agent has to read, ``{"text": ...}``; an action is the
model's whole reply. ``info["text"]`` holds the prompt too, and ``info["messages"]`` the whole chat
as ``{"role", "content"}`` dictionaries: with the ``conversation`` style only the chat is complete,
with ``fresh`` each prompt is complete in itself.

An unreadable reply changes nothing in the game and is asked again, with the reason; after
``max_retries`` further tries it is a FORFEIT and one foul (`sepo_envs.protocol`).
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final, cast

from gymnasium.spaces import Dict, Text

from sepo_envs.aec import GameEnv
from sepo_envs.catalogue import Domain, domain
from sepo_envs.game import FORFEIT, State, Words
from sepo_envs.options import refuse_unknown
from sepo_envs.protocol import Message, Style, Talk, silence

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


def env(game: str | Domain, **options: Any) -> TextEnv:
    """`TextEnv`, under the name that PettingZoo's modules use."""
    return TextEnv(game, **options)


def prompt(talk: Talk) -> str:
    """The newest message that the seat has read; empty before the first."""
    for message in reversed(talk.messages):
        if message.role == "user":
            return message.content
    return ""


@lru_cache(maxsize=1024)
def _voice(words: Hashable, style: Style) -> object:
    return object()


def voice(words: Words, style: Style) -> object | None:
    """Stands for what is told at a moment: equal words in one style tell the same, no others.

    None for words that are not compared by value, which nobody can share.
    """
    by_value = isinstance(words, Hashable) and type(words).__eq__ is not object.__eq__
    return _voice(cast(Hashable, words), style) if by_value else None


class Chat:
    """A talk as chat templates want it, kept as the talk grows: a list of dictionaries."""

    def __init__(self) -> None:
        self.opening: Message | None = None
        self.told: list[dict[str, str]] = []

    def of(self, talk: Talk) -> list[dict[str, str]]:
        """The conversation, oldest message first, in a list of the caller's own.

        One that opens with another message than the last did is another conversation.
        """
        messages = talk.messages
        if messages and messages[0] is not self.opening:
            self.opening, self.told = messages[0], []
        for role, content in messages[len(self.told) :]:
            self.told.append({"role": role, "content": content})
        return self.told[:] if messages else []


def foul(talk: Talk, reply: str, state: State) -> str:
    """Why ``reply``, the last that the foul rule allowed in ``state``, is a foul."""
    reason = getattr(talk.words.parse(reply, state, talk.seat), "reason", "")
    return f"unreadable at try {talk.tries} of {talk.tries}: {reason}"


class TextEnv(GameEnv):
    """A `GameEnv` whose agents read prompts and answer in text.

    Args:
        style: ``conversation``, one growing chat, or ``fresh``, one complete prompt per decision.
        max_retries: fresh tries after an unreadable reply, before it is a foul.
        game, options: as for `GameEnv`.
    """

    def __init__(
        self,
        game: str | Domain,
        *,
        style: Style = "conversation",
        max_retries: int = 1,
        **options: Any,
    ) -> None:
        refuse_unknown(domain(game), options, TextEnv, GameEnv)
        super().__init__(game, **options)
        self.silence = silence(self.words, self.game.seats, style=style, max_retries=max_retries)
        self.talks = list(self.silence)
        self.chats = [Chat() for _ in self.silence]
        self._voice = voice(self.words, style)
        self.observation_spaces = {
            agent: Dict({"text": prompt_space()}) for agent in self.possible_agents
        }
        self.action_spaces = {agent: reply_space() for agent in self.possible_agents}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        super().reset(seed=seed, options=options)
        self.talks = list(self.silence)
        self._prompts = dict.fromkeys(self.possible_agents, "")
        self._ask()

    def step(self, action: str | None) -> None:
        """Read the reply ``action`` of the agent whose turn it is.

        Raises:
            TypeError: the reply is no string. A failed model call must not become a move.
        """
        moment = self.moment
        if self.over:
            super().step(action)
            return
        if not isinstance(action, str):
            raise TypeError(f"a reply is a string, but {self.agent_selection} answered {action!r}.")
        seat = cast(int, moment.actor)
        talk, move = self.talks[seat].reply(action, moment)
        self.talks[seat] = talk
        if move is None:
            self._show(seat)
            self._ask_again()
        else:
            self.play(move, foul=foul(talk, action, moment.state) if move is FORFEIT else "")
            self._ask()

    def observe(self, agent: str) -> dict[str, str]:
        return {"text": self._text(agent)}

    def info(self, agent: str) -> dict[str, Any]:
        info, seat = super().info(agent), self.possible_agents.index(agent)
        info["text"] = self._text(agent)
        info["messages"] = self.chats[seat].of(self.talks[seat])
        return info

    def _ask(self) -> None:
        """Put the question to the seat that is to move."""
        moment, seat = self.moment, self.moment.actor
        if seat is not None:
            talk, known = self.talks[seat], self._voice
            told = talk.told(moment) if known is None else moment.recall(known, talk.told, moment)
            self.talks[seat] = talk.hear(moment, told=told)
            self._show(seat)

    def _show(self, seat: int) -> None:
        """Make the question that the seat's talk ends with its observation."""
        self._prompts[self.possible_agents[seat]] = self.talks[seat].messages[-1].content

    def _text(self, agent: str) -> str:
        return OVER if self.moment.actor is None else self._prompts[agent]

    def _ask_again(self) -> None:
        """A step in which nothing happens in the game: the agent stays on turn."""
        self._calls += 1
        self._clear_rewards()
        self._cumulative_rewards[self.agent_selection] = 0.0
        if self.render_mode == "human":
            self.render()
