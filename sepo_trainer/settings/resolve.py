"""From the defaults of a game, a file and the command line to the settings of a run.

TOML on disk, ``--a.b value`` on the command line, and the last one wins: defaults, then a preset
(`paper` is the pipeline as published), then the file, then the command line. What is unknown or
impossible is refused, with the reason and the mend.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import reduce
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args, get_origin

import tomli_w
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sepo_envs.hints import did_you_mean
from sepo_trainer.settings.config import OF_A_COURSE, ConfigError, GameConfig, RunConfig


def read_toml(path: Path) -> RunConfig:
    """The settings in ``path`` over the defaults of its game.

    Raises:
        ConfigError: the file is missing or no TOML, or a setting is unknown or impossible.
    """
    return build(_read(path), source=str(path))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {path}. `python -m sepo_trainer config --game.name GAME > {path}` "
            "writes one."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error


def resolve(path: Path | None, arguments: Sequence[str], *, preset: str | None = None) -> RunConfig:
    """The defaults of the game, then the preset, then the file, then the command line.

    >>> resolve(None, ["--game.name", "split_negotiation"]).rollout.style
    'conversation'
    >>> resolve(None, ["--game.name", "split_negotiation"], preset="paper").rollout.style
    'fresh'

    Raises:
        ConfigError: there is no such preset, the file cannot be read, or a setting is unknown or
            impossible.
    """
    given = _merged(_read(path) if path else {}, _told(arguments))
    source = "command line" if arguments or path is None else str(path)
    return build(given, source=source, preset=preset)


def override(config: RunConfig, arguments: Sequence[str]) -> RunConfig:
    """``config`` with ``--section.setting value`` (or ``=value``) from the command line.

    Values are read as TOML where they are TOML, but for settings that hold text; dashes in names
    are underscores.

    >>> override(RunConfig(), ["--learning.clip", "0.1", "--name=trial"]).learning.clip
    0.1

    Raises:
        ConfigError: a setting is unknown, has no value, or an impossible one.
    """
    tree = _merged(config.model_dump(exclude_none=True), _told(arguments))
    return build(tree, source="command line")


def defaults(game: str, *, preset: str | None = None) -> dict[str, Any]:
    """What differs from the defaults of the classes when training on ``game``, as nested tables.

    Raises:
        ConfigError: there is no such preset.
    """
    return reduce(_merged, _layers(game, preset), {})


def _layers(game: str, preset: str | None) -> list[dict[str, Any]]:
    """The files that `defaults` lays one upon the other."""
    folder = files("sepo_trainer.settings") / "presets"
    places = [folder / f"{game}.toml"]
    if preset is not None:
        known = sorted(place.name for place in folder.iterdir() if place.is_dir())
        if preset not in known:
            raise ConfigError(f"there is no preset {preset!r}. Known: {', '.join(known)}.")
        places += [folder / preset / "all.toml", folder / preset / f"{game}.toml"]
    return [tomllib.loads(place.read_text(encoding="utf-8")) for place in places if place.is_file()]


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` upon ``under``, table by table; the options of a game are one value."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _merged(below, value) if both and below is not None else value
    return merged


def _told(arguments: Sequence[str]) -> dict[str, Any]:
    """``--a.b value`` as nested tables."""
    tree: dict[str, Any] = {}
    waiting = list(arguments)
    while waiting:
        flag, equals, text = waiting.pop(0).partition("=")
        if not flag.startswith("--"):
            raise ConfigError(
                f"command line: {flag!r} belongs to no setting. Settings are written --name value; "
                "--help lists them."
            )
        if not equals:
            if not waiting:
                raise ConfigError(f"command line: {flag} is followed by no value.")
            text = waiting.pop(0)
        *sections, leaf = flag.removeprefix("--").replace("-", "_").split(".")
        if not _is_section(sections):
            raise ConfigError(f"command line: {flag} names a setting inside a single value.")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        as_it_is = _holds_text(sections, leaf) and text != "None"
        node[leaf] = text if as_it_is else _toml_value(text)
    return tree


def _holds_text(sections: Sequence[str], leaf: str) -> bool:
    """Whether a setting is a name or a path, so that ``1`` or ``2026-01-31`` is one too."""
    field = getattr(_section(sections), "model_fields", {}).get(leaf)
    return field is not None and field.annotation in (str, str | None, Path, Path | None)


def _is_section(path: Sequence[str]) -> bool:
    """Whether settings stand in ``path``; what is unknown may be one, and is refused later."""
    found = _section(path)
    return found is None or get_origin(found) is dict or hasattr(found, "model_fields")


def _section(path: Sequence[str]) -> Any:
    """What a place in the tree holds; None where there is no such place."""
    section: Any = RunConfig
    for part in path:
        if get_origin(section) is dict:  # by any name, as the courses are
            section = get_args(section)[1]
            continue
        field = getattr(section, "model_fields", {}).get(part)
        section = field.annotation if field else None
    return section


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None if text == "None" else text


def build(tree: dict[str, Any], *, source: str, preset: str | None = None) -> RunConfig:
    """A configuration from nested tables over the defaults of its game, refusing what is unknown
    or impossible."""
    game = tree.get("game", {})
    name = game.get("name", GameConfig().name) if isinstance(game, dict) else None
    layers = [*(_layers(name, preset) if isinstance(name, str) else []), tree]
    whole = reduce(_merged, layers)
    courses = whole.get("courses")
    if isinstance(courses, dict):
        whole["courses"] = {
            game: _course(game, layers, preset=preset) if isinstance(given, dict) else given
            for game, given in courses.items()
        }
    try:
        return RunConfig.model_validate(whole)
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error)}") from error


def _course(
    game: str, layers: Sequence[Mapping[str, Any]], *, preset: str | None
) -> dict[str, Any]:
    """One game of a joint run: as it is alone, then as the run's ``layers`` have it; of each, what
    is said of all games and then what is said of this one."""
    found = _of_a_course(defaults(game, preset=preset))
    for layer in layers:
        found = _merged(found, _of_a_course(layer))
        found = _merged(found, layer.get("courses", {}).get(game, {}))
    return found


def _of_a_course(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's settings is a matter of each game."""
    found = {name: tree[name] for name in ("rollout", "objective") if name in tree}
    for section, names in {**OF_A_COURSE, "game": ("preset",)}.items():
        given = tree.get(section)
        if isinstance(given, dict):
            found |= {name: given[name] for name in names if name in given}
    return found


def explain(error: ValidationError) -> str:
    """The first thing wrong, as a person would say it."""
    first: ErrorDetails = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    # How deep settings stand; what follows in a place names a type.
    free = {("game", "options"): 3, ("objective", "budget"): 3, ("courses",): 4}
    deep = next((n for start, n in free.items() if tuple(place[: len(start)]) == start), 2)
    path = ".".join(place[:deep])
    if first["type"] == "extra_forbidden":
        fields = _section(place[:-1]).model_fields
        hint = did_you_mean(place[-1], fields) or f" Known: {', '.join(fields)}."
        return f"there is no setting {path!r}.{hint}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{path + '.' if path else ''}{message}"
    return f"{path} is {first['input']!r}, but: {message[0].lower()}{message[1:]}."


def to_toml(config: RunConfig) -> str:
    """The whole tree, defaults included, as `read_toml` takes it; what is empty is left out."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def differences(old: RunConfig, new: RunConfig) -> list[str]:
    """What two configurations disagree on, each as ``a.b: old -> new``.

    >>> differences(RunConfig(), RunConfig(seed=1))
    ['seed: 0 -> 1']
    """

    def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in tree.items():
            deeper = isinstance(value, dict) and prefix + key != "game.options"
            found |= flat(value, f"{prefix}{key}.") if deeper else {prefix + key: value}
        return found

    before, after = flat(old.model_dump(mode="json")), flat(new.model_dump(mode="json"))
    return [
        f"{key}: {value} -> {after[key]}" for key, value in before.items() if after[key] != value
    ]
