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

from sepo_envs.aec import GameEnv
from sepo_envs.atlas import atlas
from sepo_envs.catalogue import Domain, domain
from sepo_envs.game import FORFEIT
from sepo_envs.options import refuse_unknown
from sepo_envs.protocol import Chat, Style, checked

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


def foul(chat: Chat, reply: str) -> str:
    """Why ``reply``, the last of all tries at the question, is a foul."""
    assert chat.question is not None, "only an answer is a foul"
    reason = getattr(chat.question.read[reply], "reason", "")
    return f"unreadable at try {chat.tries} of {chat.tries}: {reason}"


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
        style, self.max_retries = checked(style, max_retries)
        super().__init__(game, **options)
        self.atlas = atlas(self.game, self.words, style)
        self.observation_spaces = {
            agent: Dict({"text": prompt_space()}) for agent in self.possible_agents
        }
        self.action_spaces = {agent: reply_space() for agent in self.possible_agents}
        self.chats = {agent: Chat(max_retries) for agent in self.possible_agents}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        super().reset(seed, options)
        for chat in self.chats.values():
            chat.start()
        self._ask()

    def step(self, action: str | None) -> None:
        """Read the reply ``action`` of the agent whose turn it is.

        Raises:
            TypeError: the reply is no string. A failed model call must not become a move.
        """
        if self.over:
            super().step(action)
            return
        if not isinstance(action, str):
            raise TypeError(f"a reply is a string, but {self.agent_selection} answered {action!r}.")
        chat = self.chats[self.agent_selection]
        move = chat.reply(action)
        if move is None:
            self._ask_again()
        else:
            self.play(move, foul(chat, action) if move is FORFEIT else "")
            self._ask()

    def observe(self, agent: str) -> dict[str, str]:
        _, chat = self.journey.place, self.chats[agent]  # the first raises before the first reset
        return {"text": chat.prompt}

    def info(self, agent: str) -> dict[str, Any]:
        info = super().info(agent) if self.over else self._infos[agent]
        chat = self.chats[agent]
        info["text"] = chat.prompt
        info["messages"] = chat.messages.copy()
        return info

    def _ask(self) -> None:
        """Put the question to the seat that is to move; at the end tell everybody."""
        place = self.journey.place
        if place.actor is None:
            for chat in self.chats.values():
                chat.prompt = OVER
        else:
            question = place.question or self.atlas.ask(self.journey)
            self.chats[self.possible_agents[place.actor]].hear(question)

    def _ask_again(self) -> None:
        """A step in which nothing happens in the game: the agent stays on turn."""
        self._calls += 1
        self._clear_rewards()
        self._cumulative_rewards[self.agent_selection] = 0.0
        if self.render_mode == "human":
            self.render()
