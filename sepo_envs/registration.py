"""Ids for Gymnasium and PettingZoo, from the catalogue.

| API | structured | text |
|---|---|---|
| ``gymnasium.make`` | ``sepo_envs:sepo/KuhnPoker-v0`` | ``sepo_envs:sepo/KuhnPokerText-v0`` |
| ``pettingzoo.make("aec", ...)`` | ``sepo/kuhn_poker-v0`` | ``sepo/kuhn_poker_text-v0`` |
| ``pettingzoo.make("parallel", ...)`` | ``sepo/prisoners_dilemma-v0`` | |

The parallel API is for games in which the seats move at once; they have all four others as well.

Gymnasium imports the package itself when the id begins with ``sepo_envs:``; PettingZoo has no such
form, so ``import sepo_envs`` comes first.
"""

from __future__ import annotations

import gymnasium
import pettingzoo

from sepo_envs.catalogue import CATALOGUE, Domain


def gymnasium_ids(domain: Domain) -> tuple[str, str]:
    """The structured id and the text id.

    >>> gymnasium_ids(CATALOGUE["kuhn_poker"])
    ('sepo/KuhnPoker-v0', 'sepo/KuhnPokerText-v0')
    """
    return tuple(f"sepo/{domain.title}{kind}-v{domain.version}" for kind in ("", "Text"))  # type: ignore[return-value]


def pettingzoo_ids(domain: Domain) -> tuple[str, str]:
    """The structured id and the text id.

    >>> pettingzoo_ids(CATALOGUE["kuhn_poker"])
    ('sepo/kuhn_poker-v0', 'sepo/kuhn_poker_text-v0')
    """
    return tuple(f"sepo/{domain.name}{kind}-v{domain.version}" for kind in ("", "_text"))  # type: ignore[return-value]


def list_envs() -> dict[str, tuple[str, ...]]:
    """Every id that this package registers, by domain: Gymnasium's two, then PettingZoo's two.

    Where play is simultaneous, PettingZoo knows the first of its two in both of its APIs.

    >>> list_envs()["kuhn_poker"][0]
    'sepo/KuhnPoker-v0'
    """
    return {
        name: (*gymnasium_ids(domain), *pettingzoo_ids(domain))
        for name, domain in CATALOGUE.items()
    }


def register() -> None:
    """Register every id that is not registered yet, so that a second call does nothing."""
    for name, domain in CATALOGUE.items():
        structured, text = gymnasium_ids(domain)
        if structured not in gymnasium.registry:
            gymnasium.register(
                structured,
                "sepo_envs.single_agent:SingleAgentEnv",
                vector_entry_point="sepo_envs.vector:VectorGameEnv",
                kwargs={"game": name},
            )
        if text not in gymnasium.registry:
            gymnasium.register(
                text, "sepo_envs.single_agent:SingleAgentTextEnv", kwargs={"game": name}
            )
        for env_id, module in zip(pettingzoo_ids(domain), ("aec", "text"), strict=True):
            if env_id not in pettingzoo.aec_registry:
                pettingzoo.register("aec", env_id, f"sepo_envs.{module}:env", kwargs={"game": name})
        env_id, _ = pettingzoo_ids(domain)
        if domain.simultaneous and env_id not in pettingzoo.parallel_registry:
            pettingzoo.register(
                "parallel", env_id, "sepo_envs.parallel:parallel_env", kwargs={"game": name}
            )
