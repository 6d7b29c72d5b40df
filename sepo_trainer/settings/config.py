"""Every setting of a run as one frozen tree. `sepo_trainer.settings.resolve` makes it.

What is impossible is refused here, with the reason and the mend; nothing is filled in later. The
defaults train the embedded tiny model on Kuhn poker on a CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sepo_trainer.settings.adapter import AdapterConfig
from sepo_trainer.settings.learning import Credit, LearningConfig
from sepo_trainer.settings.objective import ObjectiveConfig
from sepo_trainer.settings.records import HubConfig, KeepConfig, TrackingConfig
from sepo_trainer.settings.reference import ReferenceConfig
from sepo_trainer.settings.rollout import RolloutConfig
from sepo_trainer.settings.sampler import SamplerConfig
from sepo_trainer.settings.section import NotNegative, Positive, Section, Share


class ConfigError(ValueError):
    """A setting is unknown or impossible; the message says which, why and how to mend it."""


JOINT = "joint"
"""The name of a run that trains one policy on several games."""

Options = dict[str, int | float | str]


class GameConfig(Section):
    name: str = "kuhn_poker"
    """The domain's catalogue name; or `joint`, which trains one policy on all of `courses`."""
    options: Options = Field(default_factory=dict)
    """Options of the rules; for Kuhn poker `hands`, the hands of a match."""
    preset: Literal["default", "paper"] = "default"
    """`paper` is the game as arXiv 2605.30854 played it, its rules and its pools, which overlap."""


class ModelConfig(Section):
    path: Path | None = None
    """A Hugging Face model folder or a PEFT adapter's; without one, a tiny random Qwen3 decoder."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """Where weights are kept, as torch names it; `auto` is CUDA where there is any, but the CPU for
    the tiny model."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of a folder's weights; `auto` is bfloat16 on CUDA and float32 elsewhere. Without an adapter
    it has to be float32."""
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """Which implementation of transformers a folder's model takes; `auto` leaves it to the model.
    With `eager` and flash attention batches are read as plain rows, not as trees."""
    gradient_checkpointing: bool = False
    """Work layers out twice, so that memory need not hold what is in between."""
    thinking: bool | None = None
    """Whether the chat template is told to think first, as far as it knows `enable_thinking`."""
    sharded: bool = False
    """Split the weights over the processes of the run (FSDP2). They are gathered layer by layer to
    learn, and all of them to play."""
    trust_remote_code: bool = False
    """Run Python code that the folder brings along. Only for what you have read; whoever resumes,
    evaluates or plays the run has to say so again."""
    hidden: Positive = 128
    """Width of the tiny model."""
    layers: Positive = 2
    """Layers of the tiny model; 2 of width 128 are 0.5 M parameters."""
    heads: Positive = 4
    """Attention heads of the tiny model."""

    @model_validator(mode="after")
    def _the_tiny_model_is_what_it_is(self) -> ModelConfig:
        if self.path is None:  # but trust may be given to a run that is resumed, and has a path
            self.idle(
                *("dtype", "attention", "gradient_checkpointing", "thinking"),
                as_long_as="it is about a model from a folder and model.path names none",
                mend="Name one",
            )
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> ModelConfig:
        if self.hidden % (2 * self.heads):
            raise ValueError(
                f"hidden is {self.hidden}, which {self.heads} heads cannot share in even parts. "
                f"Use a multiple of {2 * self.heads}."
            )
        return self


class WarmStartConfig(Section):
    steps: Annotated[int, Field(ge=0)] = 300
    """Supervised steps on expert traces before any game is played; 0 leaves the model as it is."""
    episodes: Positive = 10_000
    """Episodes that the demonstrators play to write the traces."""
    thoughts: bool = True
    """Demonstrators may say a reason before the move, which the policy then learns to do too."""
    notes: bool = False
    """Demonstrators begin every reply by summing up what they have seen, and so does the policy, so
    that it moves by what it has just said. Of our games the auction has words for it."""
    batch: Positive = 256
    """Most distinct conversations (with fresh prompts: decisions) in one supervised step."""
    learning_rate: NotNegative = 3e-3
    """Peak; it rises over 20 steps and falls to 0 over the last 30 %."""


class CourseConfig(Section):
    """One game of a joint run. What is not set for it is as in the sections of the run, or else as
    the game has it when it is trained alone."""

    weight: NotNegative = 1.0
    """Of this game's clipped gradient, and of its traces; 0 leaves it out."""
    options: Options = Field(default_factory=dict)
    """Options of the rules."""
    preset: Literal["default", "paper"] = "default"
    """As in `game`."""
    episodes: Positive = WarmStartConfig.model_fields["episodes"].default
    """As in `warm_start`."""
    thoughts: bool = WarmStartConfig.model_fields["thoughts"].default
    """As in `warm_start`."""
    notes: bool = WarmStartConfig.model_fields["notes"].default
    """As in `warm_start`."""
    credit: Credit = LearningConfig.model_fields["credit"].default
    """As in `learning`."""
    entropy: NotNegative = LearningConfig.model_fields["entropy"].default
    """As in `learning`."""
    discount: Share = LearningConfig.model_fields["discount"].default
    """As in `learning`."""
    rollout: RolloutConfig = RolloutConfig()
    objective: ObjectiveConfig = ObjectiveConfig()


OF_A_COURSE = {
    "warm_start": ("episodes", "thoughts", "notes"),
    "learning": ("credit", "entropy", "discount"),
}
"""Settings of a section that each course has for itself, besides the whole of `rollout` and
`objective`."""


class SelfPlayConfig(Section):
    kind: Literal["off", "latest", "snapshots"] = "off"
    """Who joins the train pool: nobody, the policy as it stands, or as it was some iterations ago.
    `learning.advantage = "rae"` is the usual companion."""
    every: Positive = 25
    """Iterations between snapshots; the first is the warm start."""
    keep: Positive = 3
    """The newest that are met."""

    @model_validator(mode="after")
    def _what_is_kept_is_snapshots(self) -> SelfPlayConfig:
        if self.kind != "snapshots":
            self.idle(
                *("every", "keep"),
                as_long_as=f"selfplay.kind is {self.kind!r}, which takes no snapshots",
                mend="Set selfplay.kind to 'snapshots'",
            )
        return self


class RunConfig(Section):
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
    adapter: AdapterConfig = AdapterConfig()
    warm_start: WarmStartConfig = WarmStartConfig()
    rollout: RolloutConfig = RolloutConfig()
    sampler: SamplerConfig = SamplerConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    learning: LearningConfig = LearningConfig()
    reference: ReferenceConfig = ReferenceConfig()
    selfplay: SelfPlayConfig = SelfPlayConfig()
    keep: KeepConfig = KeepConfig()
    tracking: TrackingConfig = TrackingConfig()
    hub: HubConfig = HubConfig()
    courses: dict[str, CourseConfig] = Field(default_factory=dict)
    """The games of a joint run."""

    @property
    def games(self) -> tuple[str, ...]:
        """Those that are trained on.

        >>> RunConfig().games
        ('kuhn_poker',)
        """
        if self.game.name != JOINT:
            return (self.game.name,)
        return tuple(name for name, course in self.courses.items() if course.weight)

    def weight(self, game: str) -> float:
        """Of one of the games in the loss and among the traces."""
        return self.courses[game].weight if self.game.name == JOINT else 1.0

    def alone(self, game: str) -> RunConfig:
        """The settings of this run as they hold for one of its games."""
        if self.game.name != JOINT:
            return self
        course = self.courses[game]
        changed: dict[str, Any] = {
            "game": GameConfig(name=game, options=course.options, preset=course.preset),
            "rollout": course.rollout,
            "objective": course.objective,
            "courses": {},
        }
        for section, names in OF_A_COURSE.items():
            own = {name: getattr(course, name) for name in names}
            changed[section] = getattr(self, section).model_copy(update=own)
        return self.model_copy(update=changed)

    @model_validator(mode="after")
    def _courses_are_of_a_joint_run(self) -> RunConfig:
        joint = self.game.name == JOINT
        if self.courses and not joint:
            raise ValueError(
                f"courses are the games of a joint run, but game.name is {self.game.name!r}. "
                f"Set it to {JOINT!r}, or leave the courses out."
            )
        if joint and not self.games:
            raise ValueError("courses: a joint run needs a game whose weight is above 0.")
        temperatures = {self.courses[game].rollout.temperature for game in self.games if joint}
        if len(temperatures) > 1:
            raise ValueError(
                f"courses: one policy has one temperature, but these are {sorted(temperatures)}. "
                "Set rollout.temperature for all of them."
            )
        return self

    @model_validator(mode="after")
    def _a_reply_fits_into_the_engine(self) -> RunConfig:
        longest = max(self.alone(game).rollout.max_new_tokens for game in self.games)
        if self.sampler.in_this_process and longest >= self.sampler.context:
            raise ValueError(
                f"rollout.max_new_tokens is {longest}, but sampler.context leaves the engine "
                f"{self.sampler.context} tokens for a prompt and its reply together. Raise "
                "sampler.context, or let replies be shorter."
            )
        return self

    @model_validator(mode="after")
    def _gains_of_moves_are_centered_and_clipped_alike(self) -> RunConfig:
        for game in self.games:
            learning = self.alone(game).learning
            if learning.credit != "counterfactual":
                continue
            for name, found, needed in (
                ("advantage", learning.advantage, "centered"),
                ("loss", learning.loss, "clipped"),
            ):
                if found != needed:
                    raise ValueError(
                        f"learning.{name} is {found!r}, but {game} has the credit "
                        "'counterfactual', which weighs the gains of moves that were not made as "
                        f"{needed!r} weighs the others. Set learning.{name} to {needed!r}, or "
                        "learning.credit to 'turn', with a learning.discount of 1 if later rounds "
                        "matter."
                    )
        return self

    @model_validator(mode="after")
    def _every_part_of_a_batch_is_alike(self) -> RunConfig:
        count = self.learning.minibatches
        for game in self.games:
            played = self.alone(game).rollout
            size = played.group_size * (1 if played.deals == "all" else played.deals)
            if size % count:
                raise ValueError(
                    f"learning.minibatches is {count}, but in {game} {size} episodes with each "
                    "opponent in each seat (rollout.group_size, times rollout.deals if a number) "
                    f"are to be parted evenly. Set minibatches to a divisor of {size}."
                )
        return self

    @model_validator(mode="after")
    def _own_deals_are_drawn(self) -> RunConfig:
        for game in self.games:
            played = self.alone(game).rollout
            if played.own_deals and played.deals == "all":
                raise ValueError(
                    f"rollout.own_deals is true, but rollout.deals of {game} is 'all', so every "
                    "opponent meets all of them in any case. Set deals to a number, or own_deals "
                    f"to false; in a joint run under courses.{game}.rollout."
                )
        return self

    @model_validator(mode="after")
    def _what_is_split_stays_split(self) -> RunConfig:
        whole: dict[str, tuple[str, str, str, str]] = {
            "adapter.warm": (self.adapter.warm, "merged", "stacked", "merging takes whole weights"),
            "sampler.engine": (
                *(self.sampler.engine, "vllm", "transformers"),
                "vLLM has not been tried with that",
            ),
            "learning.optimizer": (
                *(self.learning.optimizer, "muon", "adamw"),
                "Muon needs each matrix whole",
            ),
        }
        if self.adapter.kind == "none":
            why = "each snapshot would be a whole model, which plays when others do not"
            whole["selfplay.kind"] = (self.selfplay.kind, "snapshots", "latest", why)
        for name, (found, refused, instead, why) in whole.items():
            if self.model.sharded and found == refused:
                raise ValueError(
                    f"model.sharded splits weights over processes, but {name} is {found!r}: {why}. "
                    f"Set {name} to {instead!r}, or leave model.sharded out."
                )
        return self

    @model_validator(mode="after")
    def _an_uploaded_adapter_names_its_model(self) -> RunConfig:
        adapted = self.adapter.kind != "none" and self.model.path is not None
        if self.hub.push_to_hub and adapted and self.hub.base is None:
            raise ValueError(
                "hub.push_to_hub would upload an adapter that says only where its model lies on "
                "this machine, so nobody else could load it. Set hub.base to what the Hub calls "
                "that model, as 'owner/name'."
            )
        return self

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
