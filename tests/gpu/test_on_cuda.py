"""What a CUDA device reads, writes and learns is what the CPU does."""

import json
from random import Random

import pytest
import torch
from safetensors.torch import load_file

from sepo_trainer.__main__ import main
from sepo_trainer.learning.measure import measure
from sepo_trainer.policy.forward import hidden_states
from sepo_trainer.records import Request
from sepo_trainer.samplers.transformers import TransformersSampler
from tests.sepo_trainer.real_models import FAMILIES, save

pytestmark = pytest.mark.gpu
DEVICE = "cuda"
SAME = 1e-4
"""Nats, in single precision."""


@pytest.fixture(autouse=True)
def _single_precision():
    """Convolutions take fewer bits by default."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def tokens(count: int) -> tuple[int, ...]:
    rng = Random(count)
    return tuple(rng.randrange(8, 1500) for _ in range(count))


def log_probs(model, rows) -> list[torch.Tensor]:
    seen = hidden_states(model, rows, pad_id=0)
    longest = max(len(rest) for _, rest in rows)
    ids = torch.tensor([(*rest, *(0,) * (longest - len(rest))) for _, rest in rows])
    found = measure(seen, ids[..., None].to(model.device)).logprobs[..., 0].cpu()
    return [row[: len(rest)] for row, (_, rest) in zip(found, rows, strict=True)]


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_it_reads_what_the_cpu_reads(name):
    make, _ = FAMILIES[name]
    rows = [(tokens(30), tokens(12)), (tokens(30), tokens(4)), (tokens(3), tokens(12))]
    here, there = log_probs(make(), rows), log_probs(make().to(DEVICE), rows)
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=SAME)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_the_cpu_agrees_how_likely_each_token_was_that_it_writes(name):
    make, _ = FAMILIES[name]
    drawn = TransformersSampler(make().to(DEVICE), end_ids=(), pad_id=0, max_new_tokens=8)
    asked = [Request(tokens(length), length) for length in (2, 9, 30, 30)]
    replies = drawn.generate(asked)
    rows = [(one.prompt_ids, reply.output_ids) for one, reply in zip(asked, replies, strict=True)]
    for reply, row in zip(replies, log_probs(make(), rows), strict=True):
        assert reply.logprobs == pytest.approx(row.tolist(), abs=SAME)


@pytest.mark.parametrize("name", ["gemma4", "qwen3"])
def test_a_run_learns_on_it(tmp_path, name):
    make, tokenizer = FAMILIES[name]
    folder = save(make(), tokenizer(), tmp_path / "model")
    told = {
        "--model.path": str(folder),
        "--model.device": DEVICE,
        "--model.dtype": "float32",
        "--runs": str(tmp_path),
        "--name": "run",
        "--rollout.group-size": "2",
        "--rollout.most-fouls": "1",
        "--learning.iterations": "2",
        "--warm-start.steps": "120",
        "--warm-start.batch": "32",
        "--warm-start.episodes": "500",
        "--warm-start.learning-rate": "0.01",
    }
    assert main(["train", *(word for pair in told.items() for word in pair)]) == 0
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["clipped_share"] for line in lines] == [0.0, 0.0]
    # From the warm start's end to the run's: what supervision moved does not count.
    before, after = (
        load_file(tmp_path / f"run/checkpoints/{number}/model.safetensors")
        for number in ("000000", "000002")
    )
    assert any(not torch.equal(weight, after[name]) for name, weight in before.items())
