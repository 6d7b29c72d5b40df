"""What the trainer's tests share: models after a short warm start, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from sepo_trainer.__main__ import main

torch.set_num_threads(1)  # as a run's configuration does: fastest for a tiny model


@pytest.fixture(scope="session")
def warm_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``warm_model(style)``: the folder of a tiny model after 40 supervised steps in one style.

    More than nine in ten replies can be read, so fouls occur, and its moves are far from settled.
    """

    @cache
    def folder(style: str) -> Path:
        to = tmp_path_factory.mktemp("models") / style
        steps = ["--warm-start.steps", "40", "--warm-start.episodes", "2000"]
        assert main(["warm-start", "--to", str(to), "--rollout.style", style, *steps]) == 0
        return to

    return folder
