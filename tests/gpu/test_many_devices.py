"""Two processes with a CUDA device each stay one run, with whole weights and with split ones.

The run itself looks after every update whether their weights are still the same, and whether what
the sampler wrote is what the learner reads.
"""

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.sepo_trainer.real_models import FAMILIES, save

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices"),
]
SETTINGS = [
    *("--warm-start.steps", "5", "--warm-start.episodes", "20"),
    *("--rollout.group-size", "2", "--rollout.most-fouls", "1", "--rollout.max-new-tokens", "8"),
    *("--learning.iterations", "2", "--model.gradient-checkpointing", "true"),
]
KINDS = {
    "adapters in half precision": ["--adapter.kind", "lora"],
    "all weights in single precision": ["--model.dtype", "float32"],
}


@pytest.mark.parametrize("sharded", ["false", "true"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_devices_train_one_policy(kind, sharded, tmp_path):
    make, write = FAMILIES["qwen3"]
    save(make(), write(), tmp_path / "model")
    place = ["--runs", str(tmp_path), "--name", "run", "--model.path", str(tmp_path / "model")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "sepo_trainer", "train", *place, *SETTINGS),
            *(*KINDS[kind], "--model.sharded", sharded),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [0, 1]
