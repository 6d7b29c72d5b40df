"""Agents that are asked in words: policies on this machine, endpoints, people.

    run:PATH[@last|best|N]    a training run, at its last or best checkpoint, or iteration N's; 0 is
                              the policy after the warm start
    hf:PATH                   a model folder of transformers, or of a PEFT adapter
    vllm:PATH                 the same, with vLLM writing the replies
    openai:MODEL@BASE_URL     whatever speaks the OpenAI chat API; its key is in the environment
    human                     whoever sits at the terminal

Each kind needs an extra of its own, which is imported only here and only when asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import TypeAdapter, ValidationError

from benchmarks.command_line import BenchmarkError
from opponents.matches import Player
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.exact.reading import Policy
from sepo_envs.hints import did_you_mean
from sepo_envs.human import Human

if TYPE_CHECKING:
    from opponents.endpoint import Settings
    from sepo_trainer.runs.players import LocalPolicy

TRAIN: Final = 'pip install "sepo[train]"'
DOMAIN: Final = "{domain}"
MODEL_FILES: Final = ("config.json", "adapter_config.json")
"""One of which a model's or an adapter's folder holds."""


class UnavailableError(BenchmarkError):
    """An agent in words cannot be had here; the message says why and how to mend it."""


@dataclass(frozen=True)
class Speaker:
    """An agent in words, however it is made."""

    name: str
    fingerprint: str
    about: str
    domains: tuple[str, ...]
    player: Callable[[str], Player]
    policy: Callable[[str], Policy | None] = field(default=lambda game: None)


@dataclass(frozen=True, slots=True)
class Ways:
    """How endpoints are asked, and where their replies are kept."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of `opponents.endpoint.Settings`, by name."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """``prompt`` and ``output``, US dollars per million tokens."""
    cache: Path | None = None


def speaker(kind: str, spec: str, ways: Ways) -> Speaker:
    """
    Raises:
        UnavailableError: it cannot be had.
    """
    place = spec.partition(":")[2]
    match kind:
        case "openai":
            return _endpoint(spec, ways)
        case "human":
            return Speaker(
                "human",
                sha256(b"human").hexdigest(),
                "a person at the terminal",
                tuple(CATALOGUE),
                lambda game: Human(domain(game).words(domain(game).make())),
            )
        case _:
            return _local(kind, place)


def name_of(kind: str, spec: str, ways: Ways) -> str:
    """What `speaker` would call it; loads no model.

    Raises:
        UnavailableError: it cannot be had, as far as can be told without.
    """
    place = spec.partition(":")[2]
    match kind:
        case "openai":
            return _endpoint(spec, ways).name
        case "human":
            return kind
        case _:
            _folders(kind, place)
            _check_trainer(kind, place)
            return _called(place)


def _called(place: str) -> str:
    return file_name(place.replace(DOMAIN, ""))


def _folders(kind: str, place: str) -> dict[str, str]:
    """By domain, the path of a policy on this machine, where there is one.

    Raises:
        UnavailableError: there is none anywhere, or a folder of another kind.
    """
    if not place:
        raise UnavailableError(f"{kind}: names no folder. Write {kind}:PATH.")
    paths = {game: place.replace(DOMAIN, game) for game in CATALOGUE}
    there = {
        game: path
        for game, path in paths.items()
        if Path(path.partition("@")[0] if kind == "run" else path).is_dir()
    }
    if not there:
        missing = Path(next(iter(paths.values())).partition("@")[0])
        beside = [path.name for path in missing.parent.glob("*/")]
        hint = did_you_mean(missing.name, beside)
        raise UnavailableError(
            f"{kind}:{place} names no folder: there is no {missing}.{hint} Train first, or mend "
            "the path."
        )
    for path in there.values():
        _check_kind(kind, path)
    return there


def _check_trainer(kind: str, place: str) -> None:
    """
    Raises:
        UnavailableError: what loads policies is not installed.
    """
    try:
        import sepo_trainer.runs.players  # noqa: F401, torch and transformers
    except ImportError as error:
        raise UnavailableError(
            f"{kind}:{place} needs the trainer, which cannot be imported ({error}). Run: {TRAIN}"
        ) from error


def _local(kind: str, place: str) -> Speaker:
    """A policy on this machine; one for each domain where the path says so."""
    there = _folders(kind, place)
    _check_trainer(kind, place)
    from sepo_trainer.runs import players

    @cache
    def loaded(path: str) -> LocalPolicy:
        try:
            if kind == "run":
                folder, _, at = path.partition("@")
                return players.policy_of_run(Path(folder), at=at or "last")
            engine: players.Engine = "vllm" if kind == "vllm" else "transformers"
            return players.policy_of_folder(Path(path), engine=engine)
        except (ValueError, OSError, ImportError) as error:
            raise UnavailableError(f"{kind}:{path} cannot be had: {error}") from error

    marks = dict.fromkeys(loaded(path).fingerprint for path in there.values())
    one = len(marks) == 1
    return Speaker(
        _called(place),
        next(iter(marks)) if one else sha256("\n".join(marks).encode()).hexdigest(),
        f"{kind}:{place}",
        tuple(game for game, path in there.items() if game in loaded(path).domains),
        lambda game: loaded(there[game]).player(game),
        lambda game: loaded(there[game]).table(game),
    )


def _check_kind(kind: str, path: str) -> None:
    """
    Raises:
        UnavailableError: the folder is none of ``kind``, but of another.
    """
    folder = Path(path.partition("@")[0] if kind == "run" else path)
    is_run = (folder / "config.toml").is_file()
    is_model = any((folder / name).is_file() for name in MODEL_FILES)
    if kind == "run" and is_model and not is_run:
        raise UnavailableError(f"{folder} is a model folder and no run: write hf:{folder}.")
    if kind != "run" and is_run and not is_model:
        raise UnavailableError(f"{folder} is a training run and no model: write run:{folder}.")
    if not is_run and not is_model:
        lacks = "config.toml" if kind == "run" else " or ".join(MODEL_FILES)
        what = "training run" if kind == "run" else "model or adapter"
        raise UnavailableError(f"{folder} is no {what}: it holds no {lacks}.")


def _endpoint(spec: str, ways: Ways) -> Speaker:
    from opponents.endpoint import CacheError, Endpoint, ReplyCache, split_spec

    try:
        settings = _settings(ways)
        model, url = split_spec(spec)
        kept = None if ways.cache is None else ReplyCache(ways.cache)
        endpoint = Endpoint(model, url, settings, cache=kept)
    except (ValueError, CacheError, ImportError) as error:
        raise UnavailableError(f"{spec} cannot be had: {error}") from error
    return Speaker(
        file_name(model),
        sha256(f"{spec}\n{_asked(settings)}".encode()).hexdigest(),
        f"{model} at {url}, {_asked(settings)}",
        tuple(CATALOGUE),
        lambda game: endpoint,
    )


def _settings(ways: Ways) -> Settings:
    """
    Raises:
        ValueError: there is no such setting, or a value that it cannot have.
    """
    from opponents.endpoint import Prices, Settings

    kinds = get_type_hints(Settings)
    del kinds["prices"]
    for name, value in ways.settings.items():
        if name not in kinds:
            hint = did_you_mean(name, kinds)
            raise ValueError(
                f"endpoints have no setting {name!r}.{hint} They have {', '.join(kinds)}."
            )
        try:
            TypeAdapter(kinds[name]).validate_python(value, strict=True)
        except ValidationError as error:
            wanted = error.errors()[0]["msg"].replace("Input", "it")
            raise ValueError(f"{name} is {value!r}, but {wanted}.") from None
    given: dict[str, Any] = {"prices": Prices(**ways.prices)} if ways.prices else {}
    return Settings(**ways.settings, **given)


def _asked(settings: Settings) -> str:
    """Those of the settings that change replies."""
    told = ("temperature", "max_tokens", "extra", "style")
    return ", ".join(f"{name} {getattr(settings, name)!r}" for name in told)


def file_name(text: str) -> str:
    """A name that a file can have.

    >>> file_name("runs/kuhn_poker-1@best"), file_name("Qwen/Qwen3-8B")
    ('kuhn_poker-1-best', 'Qwen3-8B')
    """
    last = text.rstrip("/").rpartition("/")[2].strip("-.{}")
    return "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in last) or "policy"
