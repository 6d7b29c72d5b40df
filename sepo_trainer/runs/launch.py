"""What the processes of a run must have in common before they begin, and what one alone needs."""

from __future__ import annotations

import platform
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from sepo_trainer.processes import check_alike
from sepo_trainer.settings.config import RunConfig
from sepo_trainer.settings.resolve import to_toml
from sepo_trainer.settings.sampler import SamplerConfig

OURS = ("sepo_envs", "opponents", "sepo_trainer")
THEIRS = ("numpy", "torch", "transformers")
"""Packages whose version may change a result."""


def check_launch(config: RunConfig) -> None:
    """Refuse a launch whose processes would not do the same; that they have the same weights is
    seen when these are first published.

    Raises:
        ApartError: they differ in settings or code.
    """
    mend = "Start all of them by the same command, from equal installations."
    check_alike("their settings", lambda: to_toml(config), mend=mend)
    check_alike("the code that they run", code_digest, mend=mend)


def code_digest() -> str:
    """Of every Python file of ours, and of the versions that they run on."""
    digest = sha256(platform.python_version().encode())
    for name in THEIRS:
        digest.update(f"{name} {version(name)}".encode())
    for package in OURS:
        found = find_spec(package)
        for folder in found.submodule_search_locations or () if found else ():
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def in_one_process(config: RunConfig, engine: Literal["transformers", "vllm"]) -> RunConfig:
    """As a single process plays with the run's policy, all of whose weights it has.

    Args:
        engine: who writes the replies; as the run's own settings say where it is theirs.
    """
    model = config.model.model_copy(update={"sharded": False})
    sampler = config.sampler.model_copy(update={"tensor_parallel": 1})
    if sampler.engine != engine:
        sampler = SamplerConfig(engine=engine)
    return config.model_copy(update={"model": model, "sampler": sampler})
