"""The policy of a run: which weights learn, which are kept, and copies of it that never learn.

Either all weights of the model learn, or small adapters on frozen ones do: one in the warm start,
and then the policy's own on top of it. Then a copy of the policy is a copy of an adapter, and the
warm start, which is what the policy began with, is at hand without any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from sepo_trainer.checkpoint import restore_weights
from sepo_trainer.policy import adapter
from sepo_trainer.policy.base import weights_digest
from sepo_trainer.policy.split import is_split, twin
from sepo_trainer.seeding import seed

WARM, POLICY = "warm", "policy"
"""The adapters of the two stages."""
BASE = "base"
"""Where in its folder a saved policy has the model that its adapters lie on."""


class Frozen(Protocol):
    """A policy that never learns: the reference, the magnet, or a snapshot."""

    @property
    def model(self) -> PreTrainedModel:
        """It speaks as this policy inside `speaking`."""

    def speaking(self) -> AbstractContextManager[PreTrainedModel]:
        """The model, which inside this context and only there speaks as this policy."""

    def tensors(self) -> dict[str, Tensor]:
        """What is its own, and so has to be saved."""


class Policy(Protocol):
    """The model of a run, and what of it learns."""

    @property
    def model(self) -> PreTrainedModel:
        """It speaks as the policy, but inside of `Frozen.speaking`."""

    @property
    def lies_on(self) -> str | None:
        """The digest of weights from a folder that it needs and no checkpoint holds."""

    def learning(self) -> dict[str, Tensor]:
        """The parameters that an optimiser is to move."""

    def begin_learning(self) -> None:
        """The warm start is over."""

    def freeze(self, name: str) -> Frozen:
        """The policy as it stands, under a name of its own; an earlier one of that name is gone."""

    def restore_frozen(self, name: str, tensors: Mapping[str, Tensor], *, source: Path) -> Frozen:
        """What `freeze` gave and `Frozen.tensors` saved."""

    def forget(self, name: str) -> None:
        """A frozen one is not needed any more."""

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """What has learned, by file of a checkpoint."""

    def restore(self, tensors: Mapping[str, Mapping[str, Tensor]], *, source: Path) -> None:
        """Put back what `tensors` gave, after the warm start.

        Raises:
            CheckpointError: it is of another model.
        """

    def save(self, folder: Path) -> list[Path]:
        """Write the policy as it stands into ``folder``, for others to load; returns where a
        tokenizer belongs."""


@dataclass(frozen=True, slots=True)
class FrozenCopy:
    """A model with weights of its own."""

    model: PreTrainedModel

    def speaking(self) -> AbstractContextManager[PreTrainedModel]:
        return nullcontext(self.model)

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.model.named_parameters())


def frozen_copy(model: PreTrainedModel) -> FrozenCopy:
    """The same weights in a model of their own that never learns."""
    copy: PreTrainedModel = twin(model) if is_split(model) else deepcopy(model)
    copy.eval()
    copy.requires_grad_(False)
    return FrozenCopy(copy)


@dataclass(frozen=True, slots=True)
class AllWeights:
    """Every weight of the model learns, in both stages."""

    model: PreTrainedModel

    @property
    def lies_on(self) -> None:
        return None

    def learning(self) -> dict[str, Tensor]:
        return dict(self.model.named_parameters())

    def begin_learning(self) -> None:
        pass

    def freeze(self, name: str) -> FrozenCopy:
        return frozen_copy(self.model)

    def restore_frozen(
        self, name: str, tensors: Mapping[str, Tensor], *, source: Path
    ) -> FrozenCopy:
        copy = frozen_copy(self.model)
        restore_weights(copy.tensors(), tensors, source=source)
        return copy

    def forget(self, name: str) -> None:
        pass

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        return {"model": self.learning()}

    def restore(self, tensors: Mapping[str, Mapping[str, Tensor]], *, source: Path) -> None:
        restore_weights(self.learning(), tensors["model"], source=source)

    def save(self, folder: Path) -> list[Path]:
        self.model.save_pretrained(folder, state_dict=adapter.plain_weights(self.model))
        return [folder]


@dataclass(frozen=True, slots=True)
class FrozenAdapters:
    """The policy's own model, with other adapters switched on."""

    model: PreTrainedModel
    names: tuple[str, ...]
    own: str | None
    """Which of them is a copy; without one it is what the policy began with."""

    @contextmanager
    def speaking(self) -> Iterator[PreTrainedModel]:
        with adapter.speaking(self.model, *self.names):
            yield self.model

    def tensors(self) -> dict[str, Tensor]:
        return {} if self.own is None else adapter.tensors(self.model, self.own)


@dataclass(slots=True)
class Adapted:
    """Adapters learn, and the weights under them stay as they are: in the warm start one of its
    own, then the policy's on top of it.

    Args:
        model: it carries no adapter.
        rank, alpha: of the policy's adapter.
        merged: merge the warm start's, in fp32, instead of stacking the policy's on it.
        base: path of the folder that ``model`` is from; None where it is from none.
        save_merged: write a model with everything merged, too.
        lies_on: digest of the weights in ``base``.
    """

    model: PreTrainedModel
    rank: int
    alpha: int
    run_seed: int
    merged: bool = False
    base: Path | None = None
    save_merged: bool = False
    lies_on: str | None = None
    _merged: dict[str, Tensor] = field(default_factory=dict)
    """The warm start's adapter, after it has been merged."""

    def begin_warm_start(self, warm: Path | tuple[int, int]) -> None:
        """Attach the warm start's adapter.

        Args:
            warm: the PEFT folder of an earlier one, or the rank and alpha of a new one.

        Raises:
            ValueError: the folder cannot be loaded.
        """
        if isinstance(warm, Path):
            adapter.attach_saved(self.model, WARM, warm)
        else:
            self._attach(WARM, *warm)
        adapter.speak(self.model, WARM)
        adapter.learn(self.model, WARM)

    def learning(self) -> dict[str, Tensor]:
        [name] = adapter.learning(self.model)
        return adapter.tensors(self.model, name)

    def begin_learning(self) -> None:
        if adapter.adds_nothing(self.model, WARM):
            adapter.detach(self.model, WARM)
        elif self.merged:
            found = adapter.tensors(self.model, WARM).items()
            self._merged = {key: weight.detach().clone() for key, weight in found}
            adapter.merge(self.model, WARM)
        self._attach(POLICY, self.rank, self.alpha)
        adapter.speak(self.model, *self._beginning, POLICY)
        adapter.learn(self.model, POLICY)

    @property
    def _beginning(self) -> tuple[str, ...]:
        """The adapters that the policy's lies on."""
        return (WARM,) if WARM in adapter.attached(self.model) else ()

    def freeze(self, name: str) -> FrozenAdapters:
        if adapter.adds_nothing(self.model, POLICY):
            return FrozenAdapters(self.model, self._beginning, None)
        frozen = self._frozen(name)
        with torch.no_grad():
            for key, weight in adapter.tensors(self.model, POLICY).items():
                frozen.tensors()[key].copy_(weight)
        return frozen

    def restore_frozen(
        self, name: str, tensors: Mapping[str, Tensor], *, source: Path
    ) -> FrozenAdapters:
        if not tensors:
            return FrozenAdapters(self.model, self._beginning, None)
        frozen = self._frozen(name)
        restore_weights(frozen.tensors(), tensors, source=source)
        return frozen

    def _frozen(self, name: str) -> FrozenAdapters:
        if name not in adapter.attached(self.model):
            self._attach(name, self.rank, self.alpha)
        return FrozenAdapters(self.model, (*self._beginning, name), name)

    def _attach(self, name: str, rank: int, alpha: int) -> None:
        drawn = seed(self.run_seed, "weights", group=f"adapter {name}")
        adapter.attach(self.model, name, rank=rank, alpha=alpha, weights_seed=drawn)

    def forget(self, name: str) -> None:
        adapter.detach(self.model, name)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        beginning = {name: adapter.tensors(self.model, name) for name in self._beginning}
        merged = {WARM: self._merged} if self._merged else {}
        return {"model": adapter.tensors(self.model, POLICY)} | beginning | merged

    def restore(self, tensors: Mapping[str, Mapping[str, Tensor]], *, source: Path) -> None:
        assert POLICY not in adapter.attached(self.model), "a run is restored before it begins"
        if WARM in tensors:
            restore_weights(adapter.tensors(self.model, WARM), tensors[WARM], source=source)
        self.begin_learning()
        restore_weights(adapter.tensors(self.model, POLICY), tensors["model"], source=source)

    def save(self, folder: Path) -> list[Path]:
        """One adapter that is all those that have learned, and each of them in a folder of its own;
        and the model under them, unless it lies elsewhere just so."""
        spoken = adapter.speaks_with(self.model)
        learned = [name for name in spoken if not adapter.adds_nothing(self.model, name)]
        names = tuple(learned or [POLICY])
        whole: dict[str, tuple[str, ...]] = {}  # models by folder, and what is merged into each
        elsewhere = None if self._merged else self.base
        if elsewhere is None:
            whole[BASE] = ()
        if self.save_merged:
            whole["merged"] = names
        for place, merged in whole.items():
            weights = adapter.plain_weights(self.model, *merged)
            self.model.save_pretrained(folder / place, state_dict=weights)
        digest = weights_digest(folder / BASE) if elsewhere is None else self.lies_on
        for place, mine in {"": names, **{name: (name,) for name in names}}.items():
            base = elsewhere or Path("../" if place else "", BASE)
            adapter.save_adapter(self.model, folder / place, *mine, base=str(base), digest=digest)
        return [folder, *(folder / place for place in whole)]
