"""What the packages promise by name, and what a bare ``import`` may not drag in."""

from __future__ import annotations

import subprocess
import sys

import pytest

import opponents
import sepo_envs


def test_sepo_envs_exports_what_it_documents() -> None:
    assert set(sepo_envs.__all__) == {
        "AECPenaltyReward",
        "Board",
        "CATALOGUE",
        "Domain",
        "Episode",
        "PenaltyHook",
        "PenaltyReward",
        "begin",
        "domain",
        "dumps",
        "list_envs",
        "make",
        "restore",
    }
    assert all(hasattr(sepo_envs, name) for name in sepo_envs.__all__)


def test_opponents_exports_what_it_documents() -> None:
    assert set(opponents.__all__) == {
        "Adaptive",
        "Opponent",
        "OpponentError",
        "Pool",
        "check_disjoint",
        "from_table",
    }
    assert all(hasattr(opponents, name) for name in opponents.__all__)


EXTRAS = (
    "PIL axelrod httpx matplotlib open_spiel pydantic pyspiel rich scipy torch transformers tyro "
    "vllm"
)


@pytest.mark.parametrize(
    "statement",
    [
        "import sepo_envs",
        "import opponents.kuhn_poker",
        "import opponents.matches",
        "import gymnasium; gymnasium.make('sepo_envs:sepo/KuhnPoker-v0', opponent='nash').reset()",
    ],
)
def test_the_base_install_is_enough_for(statement: str) -> None:
    """In a fresh interpreter that cannot import any extra."""
    forbid = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS.split()}))"
    run = subprocess.run(
        [sys.executable, "-c", f"{forbid}; {statement}"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
