"""Every setting of a run as one frozen tree: TOML on disk, ``--a.b value`` on the command line.

The last one wins: defaults, then the file, then the command line. What is unknown or impossible is
refused here, with the reason and the mend; nothing is filled in later. The defaults train the
embedded tiny model on Kuhn poker on a CPU.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ConfigError(ValueError):
    """A setting is unknown or impossible; the message says which, why and how to mend it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class GameConfig(_Section):
    name: str = "kuhn_poker"
    """The domain's catalogue name."""
    options: dict[str, int | float | str] = {}
    """Options of the rules; for Kuhn poker `hands`, the hands of a match."""


class ModelConfig(_Section):
    path: Path | None = None
    """A Hugging Face model folder; without one, a tiny Qwen3 decoder with random weights."""
    hidden: Positive = 128
    """Width of the tiny model."""
    layers: Positive = 2
    """Layers of the tiny model; 2 of width 128 are 0.5 M parameters."""
    heads: Positive = 4
    """Attention heads of the tiny model."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> ModelConfig:
        if self.hidden % (2 * self.heads):
            raise ValueError(
                f"hidden is {self.hidden}, which {self.heads} heads cannot share in even parts. "
                f"Use a multiple of {2 * self.heads}."
            )
        return self


class WarmStartConfig(_Section):
    steps: Annotated[int, Field(ge=0)] = 300
    """Supervised steps on expert traces before any game is played; 0 leaves the model as it is."""
    episodes: Positive = 10_000
    """Episodes that the demonstrators play to write the traces."""
    thoughts: bool = True
    """Demonstrators may say a reason before the move, which the policy then learns to do too."""
    batch: Positive = 256
    """Most distinct conversations (with fresh prompts: decisions) in one supervised step."""
    learning_rate: NotNegative = 3e-3
    """Peak; it rises over 20 steps and falls to 0 over the last 30 %."""


class RolloutConfig(_Section):
    group_size: int = 8
    """Episodes per (pool, opponent, deal, seat); each one's baseline is the others' mean."""
    deals: Positive | Literal["all"] = "all"
    """`all` plays every opening of the cards in every batch; a number draws that many."""
    style: Literal["conversation", "fresh"] = "fresh"
    """One growing chat per episode, or one complete prompt per decision."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Of the policy. Play, training and every exact number use this one."""
    max_new_tokens: Positive = 32
    """A reply that has not ended by then is cut off, and most likely unreadable."""
    max_retries: Annotated[int, Field(ge=0)] = 1
    """Further tries after an unreadable reply before the move is forfeited."""
    most_fouls: Share = 0.5
    """Forfeits per decision above which a run stops: it would learn from babble."""

    @model_validator(mode="after")
    def _a_group_needs_company(self) -> RolloutConfig:
        if self.group_size < 2:
            raise ValueError(
                f"group_size is {self.group_size}, but a group of one is its own baseline, so "
                "every advantage is zero. Use at least 2 (8 is usual)."
            )
        return self


class ObjectiveConfig(_Section):
    """J = u - lambda_e e - lambda_c c - lambda_x x; without a weight, the published one holds."""

    penalty_credit: Literal["credited", "shared", "auxiliary", "reward_only"] = "credited"
    """Where the penalties are charged; only `credited` follows the gradient of J."""
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """s, which multiplies payoffs; published for Kuhn poker: 1.5."""
    exploitability: NotNegative | None = None
    """lambda_e; published for Kuhn poker: 1.5. From 0.5 up the optimum of J is an equilibrium."""
    collusion: NotNegative | None = None
    """lambda_c; not defined in a zero-sum game."""
    externality: NotNegative | None = None
    """lambda_x; not defined in a zero-sum game."""
    foul_penalty: NotNegative = 0.5
    """Points off an episode's reward per forfeited move."""
    exploiter: Literal["best_response", "quantal", "average", "none"] = "best_response"
    """Who joins the exploit pool, worked out against the policy at every iteration: the best
    response, a quantal one, or the average of all best responses so far."""
    exploiter_temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """Of the quantal exploiter, in points."""


class LearningConfig(_Section):
    iterations: Positive = 300
    """GRPO steps; each plays every group once."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 6e-4
    """At the first iteration."""
    final_rate: Share = 0.01
    """The share of it that is left at the last iteration; linear in between."""
    advantage: Literal["centered", "std", "rae"] = "centered"
    """Leave-one-out mean; divided by the group's deviation; or less a running mean of the role."""
    clip: Annotated[float, Field(gt=0)] = 0.2
    """How far a token's probability ratio may move in one iteration."""
    epochs: Positive = 1
    """Updates per batch of episodes."""
    credit: Literal["turn", "episode"] = "turn"
    """A reply is credited with the rounds from its own onwards, or with the whole episode."""
    entropy: NotNegative = 0.0
    """Bonus per nat of entropy on the move's tokens, falling in a line to 0 at the end."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    microbatch: Positive = 256
    """Most distinct sequences in one forward pass; it changes memory and speed, not the result."""


class ReferenceConfig(_Section):
    kind: Literal["fixed", "refresh", "off"] = "fixed"
    """The policy is held to the warm start, to itself some iterations ago, or to nothing."""
    every: Positive = 50
    """Iterations after which `refresh` makes the policy the reference."""
    kl_talk: NotNegative = 10.0
    """Weight per nat of KL on what is said around the move. It holds the format together."""
    kl_move: NotNegative = 0.0
    """Weight per nat of KL on the move itself; a fixed reference then bars the equilibrium."""


class RunConfig(_Section):
    """One training run. Written as it was resolved to the run's `config.toml`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Every random draw of the run is a hash of this and of its own address."""
    name: str | None = None
    """Folder under `runs`; without one, the game and the next free number."""
    runs: Path = Path("runs")
    """Where run folders are kept."""
    threads: Positive = 1
    """Of torch. One is fastest for the tiny model; results depend on it in the last digit."""
    evaluation_episodes: Positive = 400
    """Against each opponent, by the final policy of a game that cannot be read out."""
    checkpoint_every: Positive = 25
    """Iterations between checkpoints; a crash loses at most these."""
    game: GameConfig = GameConfig()
    model: ModelConfig = ModelConfig()
    warm_start: WarmStartConfig = WarmStartConfig()
    rollout: RolloutConfig = RolloutConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    learning: LearningConfig = LearningConfig()
    reference: ReferenceConfig = ReferenceConfig()

    @model_validator(mode="after")
    def _a_name_is_one_folder(self) -> RunConfig:
        name = self.name
        unfit = name in ("", "..") or (name or "x") != Path(name or "x").name
        if unfit or not (name or "").isprintable():
            raise ValueError(
                f"name is {self.name!r}, but it must be a single folder name without '/'; "
                "put the path into `runs`."
            )
        return self

    @model_validator(mode="after")
    def _a_magnet_needs_a_reference(self) -> RunConfig:
        if self.reference.kind == "off" and (self.reference.kl_talk or self.reference.kl_move):
            raise ValueError(
                "reference.kind is 'off', but reference.kl_talk or reference.kl_move is above 0. "
                "Set both to 0, or choose the kind 'fixed' or 'refresh'."
            )
        return self


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
            f"there is no file {path}. `python -m sepo_trainer config > {path}` writes one."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error


def resolve(path: Path | None, arguments: Sequence[str]) -> RunConfig:
    """The defaults of the game, then the file, then the command line.

    >>> resolve(None, ["--game.name", "split_negotiation"]).rollout.style
    'conversation'

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or impossible.
    """
    given = _merged(_read(path) if path else {}, _told(arguments))
    return build(given, source="command line" if arguments or path is None else str(path))


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


def defaults(game: str) -> dict[str, Any]:
    """What differs from the defaults of the classes when training on ``game``, as nested tables."""
    file = files("sepo_trainer") / "presets" / f"{game}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


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
        field = getattr(section, "model_fields", {}).get(part)
        section = field.annotation if field else None
    return section


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None if text == "None" else text


def build(tree: dict[str, Any], *, source: str) -> RunConfig:
    """A configuration from nested tables over the defaults of its game, refusing what is unknown
    or impossible."""
    game = tree.get("game")
    name = game.get("name") if isinstance(game, dict) else None
    below = defaults(name) if isinstance(name, str) else {}
    try:
        return RunConfig.model_validate(_merged(below, tree))
    except ValidationError as error:
        raise ConfigError(f"{source}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """The first thing wrong, as a person would say it."""
    first: ErrorDetails = error.errors()[0]
    deep = 3 if first["loc"][:2] == ("game", "options") else 2  # what follows names a type
    path = ".".join(str(part) for part in first["loc"][:deep])
    if first["type"] == "extra_forbidden":
        section: type[BaseModel] = RunConfig
        for part in first["loc"][:-1]:
            inner = section.model_fields[str(part)].annotation
            section = cast(type[BaseModel], inner)
        near = get_close_matches(str(first["loc"][-1]), section.model_fields, n=1)
        known = (
            f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(section.model_fields)}."
        )
        return f"there is no setting {path!r}. {known}"
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
