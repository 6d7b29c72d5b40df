"""Ids for Gymnasium and PettingZoo, from the catalogue, and one function that makes any of them.

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

from typing import Any, Literal, TypeAlias, get_args

import gymnasium
import pettingzoo

from sepo_envs.catalogue import CATALOGUE, Domain
from sepo_envs.games.options import check_flag, check_whole
from sepo_envs.hints import did_you_mean

API: TypeAlias = Literal["aec", "parallel", "gymnasium", "vector"]


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


def make(
    name: str,
    *,
    opponent: Any = None,
    text: bool = False,
    api: API | None = None,
    preset: str = "default",
    **options: Any,
) -> Any:
    """The environment of one domain, through the API that fits what is asked for.

    | ``sepo_envs.make(...)`` | every seat is yours | you sit against an opponent |
    |---|---|---|
    | ``"kuhn_poker"`` | PettingZoo, turn by turn | |
    | ``"prisoners_dilemma", api="parallel"`` | PettingZoo, all at once | |
    | ``"kuhn_poker", opponent="nash"`` | | Gymnasium |
    | ``"kuhn_poker", opponent="nash", num_envs=1024`` | | Gymnasium, many tables at once |

    Args:
        name: a domain's name, or any id of `list_envs`, which also tells the API and whether to
            play in text.
        opponent: its name, or your own object with ``name`` and ``act``.
        text: in prompts and replies instead of numbers.
        api: ``aec``, ``parallel``, ``gymnasium`` or ``vector``, if not the one of the table.
        preset: of the rules' options, which ``options`` change further; ``paper`` is the game as
            arXiv 2605.30854 played it.
        options: of the rules, such as ``hands=6``, and of the environment, such as
            ``render_mode="ansi"``, ``seat=0`` or ``num_envs=8``.

    >>> table = make("kuhn_poker", hands=6)
    >>> tables = make("sepo/KuhnPoker-v0", opponent="nash", num_envs=1024)
    >>> make("khun_poker")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: there is no environment 'khun_poker'. Did you mean 'kuhn_poker'? Known: kuhn_...

    Raises:
        TypeError: there is no such option, or an opponent where every seat is yours.
        ValueError: there is no such environment, opponent, API or preset, or an option is
            impossible.
    """
    domain, id_api, id_text = _named(name)
    check_flag("text", text)
    if "game" in options:
        raise TypeError(
            f"{name!r} is the game already, so game={options['game']!r} would be a second. "
            "Leave it out, or make that one by its name."
        )
    wanted = "vector" if "num_envs" in options else "gymnasium" if opponent is not None else id_api
    api, text = api or wanted, text or id_text
    options = domain.preset(preset) | options
    if api not in get_args(API):
        raise ValueError(f"there is no API {api!r}; choose one of {', '.join(get_args(API))}.")
    if api == "vector":
        check_whole(
            "num_envs",
            options.get("num_envs", 1),
            least=1,
            because="there must be at least 1 table",
        )
    if api in ("gymnasium", "vector"):
        make_it = gymnasium.make if api == "gymnasium" else gymnasium.make_vec
        return make_it(gymnasium_ids(domain)[text], opponent=opponent, **options)
    if opponent is not None:
        raise TypeError(
            f'with api="{api}" every seat is yours, so there is no opponent. '
            'Leave it out, or use api="gymnasium" to sit in one seat.'
        )
    if api == "parallel" and (text or not domain.simultaneous):
        why = "in text seats speak in turn" if text else f"{domain.name} is played in turns"
        raise ValueError(f'{why}, so there is no parallel environment. Use api="aec".')
    return pettingzoo.make(api, pettingzoo_ids(domain)[text], **options)


def _named(name: str) -> tuple[Domain, API, bool]:
    """The domain that ``name`` means, the API its kind of id belongs to, and whether it is text."""
    known: dict[str, tuple[Domain, API, bool]] = {
        domain.name: (domain, "aec", False) for domain in CATALOGUE.values()
    }
    for domain in CATALOGUE.values():
        for text in (False, True):
            known[gymnasium_ids(domain)[text]] = (domain, "gymnasium", text)
            known[pettingzoo_ids(domain)[text]] = (domain, "aec", text)
    asked = str(name).removeprefix("sepo_envs:")
    if asked not in known:
        raise ValueError(
            f"there is no environment {name!r}.{did_you_mean(asked, known)} "
            f"Known: {', '.join(CATALOGUE)}; sepo_envs.list_envs() gives the ids."
        )
    return known[asked]
