"""A run of two processes: each with an engine of its own, or both with one together."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SETTINGS = [
    *("--model.hidden", "64", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "2", "--warm-start.episodes", "20", "--learning.iterations", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--rollout.most-fouls", "1"),
    *("--sampler.engine", "vllm", "--sampler.context", "512"),
]


@pytest.mark.parametrize("together", [1, 2])
def test_two_processes_play_and_learn_through_vllm(together, tmp_path):
    place = ["--runs", str(tmp_path), "--name", "run"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "sepo_trainer", "train", *place, *SETTINGS),
            *("--sampler.tensor-parallel", str(together)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0, 1]
    assert all(0 < json.loads(line)["sampler_drift"] < 1e-5 for line in lines)
