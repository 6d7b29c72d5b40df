"""Runs of two processes are the runs of one: same episodes, same gradients, same numbers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from sepo_trainer.processes import own_hand, player_of, shares
from sepo_trainer.samplers import choice, vllm
from sepo_trainer.settings.sampler import SamplerConfig
from tests.sepo_trainer import launched
from tests.sepo_trainer.real_models import FAMILIES
from tests.sepo_trainer.test_commands import told
from tests.sepo_trainer.test_resume import VARIANTS, assert_equal_runs, lines

TRAIN = [
    *("train", "--model.hidden", "32", "--model.layers", "1", "--model.heads", "2"),
    *("--warm-start.steps", "2", "--warm-start.episodes", "20", "--checkpoint-every", "2"),
    *("--rollout.group-size", "2", "--rollout.max-new-tokens", "4", "--rollout.most-fouls", "1"),
]
MEMORY = [*VARIANTS["all that has a memory"], "--learning.iterations", "4"]
BY_PLAY = [
    *("--game.name", "prisoners_dilemma", "--adapter.kind", "lora", "--rollout.deals", "1"),
    *("--learning.credit", "counterfactual", "--learning.minibatches", "2"),
    *("--learning.iterations", "2", "--learning.learning-rate", "1e-6"),
    *("--evaluation-episodes", "2"),
]
"""What is said is compared to the letter. A gradient that is nothing but its last digits still
moves a weight by all of the rate, as Adam divides by its size: so the rate is too small to change a
draw."""
SPLIT = [
    *("--reference.kind", "refresh", "--reference.every", "1", "--reference.kl-move", "0.1"),
    *("--learning.iterations", "4"),
    *("--learning.microbatch", "20", "--learning.epochs", "2"),
]
SHARDED = ["--model.sharded", "true"]
SHORT = ["--learning.iterations", "3"]


def command(name: str, *settings: str) -> list[str]:
    return [*TRAIN, "--runs", "runs", "--name", name, *settings]


JOBS = [
    *[[f"{kind} of {n}", "gradients", n, [kind]] for kind in ("none", "lora") for n in (1, 2)],
    *[[f"{kind} split", "gradients", 2, [kind, "split"]] for kind in ("none", "lora")],
    *[[f"memory-{n}", "train", n, command(f"memory-{n}", *MEMORY)] for n in (1, 2)],
    *[[f"play-{n}", "train", n, command(f"play-{n}", *BY_PLAY)] for n in (1, 2)],
    *[[f"families in {n}", "families", n, []] for n in (1, 2)],
    ["play-split", "train", 2, command("play-split", *BY_PLAY, *SHARDED)],
    ["split-1", "train", 1, command("split-1", *SPLIT)],
    ["split-2", "train", 2, command("split-2", *SPLIT, *SHARDED)],
    *[
        [job, job, 2, command(job, *SHORT)]
        for job in ("stopped", "failing", "killed", "apart", "drifting")
    ],
    ["misspelt", "train", 2, command("misspelt", "--learning.iteration", "3")],
]
"""Name, what happens, how many processes, their arguments."""

KEPT = {"kept while it plays", "kept while it learns", "kept of the reference"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
"""A minute of computing; but many processes, which a busy machine keeps waiting for one another."""


class Ended:
    """What processes have left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.codes: dict[str, list[int]] = {}

    def run(self, jobs: list) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", launched.__file__, str(self.folder), json.dumps(jobs)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        self.codes |= json.loads(done.stdout)

    def said(self, name: str) -> list[str]:
        """By each process, without the greeting of a run."""
        texts = [
            (self.folder / f"{name}.{n}.err").read_text() for n in range(len(self.codes[name]))
        ]
        return [
            "".join(line for line in text.splitlines(keepends=True) if "parameters, " not in line)
            for text in texts
        ]

    def notes(self, name: str) -> list[dict]:
        return [
            json.loads((self.folder / f"{name}.{n}.json").read_text())
            for n in range(len(self.codes[name]))
        ]


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> Ended:
    found = Ended(tmp_path_factory.mktemp("launched"))
    found.run(JOBS)
    return found


@given(st.lists(st.integers(1, 1000), max_size=40), st.integers(1, 8))
def test_shares_are_all_of_it_once_in_order_and_none_costs_much_more(costs, parts):
    found = shares(costs, parts)
    assert [number for share in found for number in share] == list(range(len(costs)))
    assert len(found) == parts
    fair = sum(costs) / parts
    assert all(sum(costs[n] for n in share) <= fair + max(costs, default=0) for share in found)


@given(st.integers(1, 8), st.integers(1, 12))
def test_a_deal_gives_every_process_as_many_and_both_seats(players, rounds):
    dealt = [player_of(number, of=players) for number in range(2 * players * rounds)]
    assert all(dealt.count(player) == 2 * rounds for player in range(players))
    if players == 2:
        seats = {
            player: {n % 2 for n in range(len(dealt)) if dealt[n] == player} for player in dealt
        }
        assert all(met == {0, 1} for met in seats.values())


@pytest.mark.parametrize("way", ["of 2", "split"])
@pytest.mark.parametrize("kind", ["none", "lora"])
def test_two_processes_give_the_gradients_of_one(ended, kind, way):
    """Of each loss with KL and entropy, of a row that only one of them reads, and of imitation;
    with all weights in both of them, or some in each, which are then worked out twice as well."""
    one = load_file(ended.folder / f"{kind} of 1.0.safetensors")
    assert {*launched.LOSSES, "one row", "warm start"} <= one.keys()
    for number in (0, 1):
        found = load_file(ended.folder / f"{kind} {way}.{number}.safetensors")
        for name in one.keys() - KEPT:
            gradient = one[name]
            assert gradient.norm() > 1e-3
            assert (found[name] - gradient).norm() < 1e-6 * gradient.norm(), name


@pytest.mark.parametrize("kind", ["none", "lora"])
def test_split_weights_are_half_in_each_process_while_it_learns_and_whole_while_it_plays(
    ended, kind
):
    for number in (0, 1):
        found = load_file(ended.folder / f"{kind} split.{number}.safetensors")
        assert found["kept while it plays"] == 1
        most = 0.5 if kind == "none" else 0.65  # adapters are whole in both
        assert 0.45 < found["kept while it learns"] <= most
        if kind == "none":  # else an adapter is the reference
            assert 0.45 < found["kept of the reference"] <= 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_models_as_people_have_them_are_split_to_the_same_gradients_and_weights(ended, family):
    """Also where layers share what they hold, keep a state, or have weights that never learn."""
    one = load_file(ended.folder / "families in 1.0.safetensors")
    names = {f"{family}: {what}" for what in ("none", "lora", "copy", "weights of none")}
    assert names <= one.keys()
    for number in (0, 1):
        found = load_file(ended.folder / f"families in 2.{number}.safetensors")
        for name in (name for name in one if name.startswith(f"{family}:")):
            assert one[name].norm() > 1e-3
            assert (found[name] - one[name]).norm() < 1e-6 * one[name].norm(), name


@pytest.mark.parametrize("way", ["of 2", "split"])
@pytest.mark.parametrize("kind", ["none", "lora"])
def test_each_of_them_played_and_read_its_share(ended, kind, way):
    [whole] = ended.notes(f"{kind} of 1")
    halves = ended.notes(f"{kind} {way}")
    assert [note["played"] for note in halves] == [[whole["played"][0] // 2]] * 2
    many, *_ = whole["read"]
    assert [sum(note["read"][0] for note in halves), min(note["read"][0] for note in halves)] == [
        many,
        pytest.approx(many / 2, rel=0.2),
    ]
    lonely = [note["read"].count(1) for note in halves]
    # One reads it; the other one nothing, or the same to no effect where they have to keep step.
    idle = whole["read"].count(1) if way == "split" else 0
    assert sorted(lonely) == [idle, whole["read"].count(1)]


@pytest.mark.parametrize(
    ("alone", "name"),
    [
        ("memory-1", "memory-2"),
        ("play-1", "play-2"),
        ("play-1", "play-split"),
        ("split-1", "split-2"),
    ],
)
def test_a_run_of_two_processes_is_that_of_one(ended, alone, name):
    assert ended.codes[alone] == [0]
    assert ended.codes[name] == [0, 0]
    one, two = (ended.folder / "runs" / each for each in (alone, name))
    for line, other in zip(lines(one), lines(two), strict=True):
        assert close(line, other)
    texts = sorted(path.name for path in (one / "transcripts").iterdir())
    assert texts
    for text in texts:
        assert (one / "transcripts" / text).read_text() == (two / "transcripts" / text).read_text()
    assert {p.name for p in one.iterdir()} == {p.name for p in two.iterdir()}
    assert [sum(note["played"]) for note in ended.notes(name)] == [
        pytest.approx(sum(ended.notes(alone)[0]["played"]) / 2, rel=0.1)
    ] * 2
    assert ended.said(name)[1] == ""


def close(one: object, other: object) -> bool:
    """Equal, but for the last digits of numbers that are not whole."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(close(one[k], other[k]) for k in one)
        case float(), float():
            return other == pytest.approx(one, rel=1e-3, abs=1e-6)
    return one == other


def half_done(ended: Ended, name: str, to: str) -> str:
    """The run of two processes as it was at its checkpoint after two iterations."""
    finished, folder = ended.folder / "runs" / name, ended.folder / "runs" / to
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "checkpoints/000004")
    shutil.rmtree(folder / "model")
    (folder / "result.json").unlink()
    return str(folder)


def test_a_run_goes_on_with_as_many_processes_to_the_byte_and_with_fewer_but_for_the_last_digits(
    ended,
):
    ways = {"memory-2": [], "split-2": ["--model.sharded", "false"]}
    again = {
        (name, n): [
            "train",
            "--resume",
            half_done(ended, name, f"{name} on {n}"),
            *(alone * (n == 1)),
        ]
        for name, alone in ways.items()
        for n in (2, 1)
    }
    ended.run([[f"{name} on {n}", "train", n, told] for (name, n), told in again.items()])
    for name in ways:
        assert [ended.codes[f"{name} on {n}"] for n in (2, 1)] == [[0, 0], [0]]
        assert_equal_runs(ended.folder / f"runs/{name} on 2", ended.folder / "runs" / name)
        found, whole = (lines(ended.folder / "runs" / each) for each in (f"{name} on 1", name))
        assert found[:2] == whole[:2]
        assert found[2:] != whole[2:]
        assert all(close(*pair) for pair in zip(found, whole, strict=True))


def test_if_one_is_asked_to_stop_all_end_after_the_same_iteration_and_one_says_so(ended):
    assert ended.codes["stopped"] == [130, 130]
    main, other = ended.said("stopped")
    assert main == (
        "sepo_trainer: stopped after iteration 2, and saved. Go on with: "
        "torchrun --nproc-per-node 2 -m sepo_trainer train --resume runs/stopped\n"
    )
    assert other == ""
    assert len(lines(ended.folder / "runs/stopped")) == 2
    assert (ended.folder / "runs/stopped/checkpoints/000002").is_dir()


def test_if_one_fails_it_says_why_and_all_end(ended):
    assert ended.codes["failing"] == [2, 2]
    main, other = ended.said("failing")
    assert main == ""
    assert other.startswith("sepo_trainer: process 1 of 2: writing failed: No space left on device")


def test_if_one_is_killed_the_others_end_and_one_says_so(ended):
    assert ended.codes["killed"] == [2, -9]
    main, _ = ended.said("killed")
    assert main.startswith("sepo_trainer: another process of this run has ended without a word")
    assert main.endswith("go on with --resume.\n")


def test_processes_that_were_started_otherwise_are_refused(ended):
    assert ended.codes["apart"] == [2, 2]
    main, other = ended.said("apart")
    assert main == (
        "sepo_trainer: the processes of this run do not agree on their settings: process 1 has "
        "another than process 0. Start all of them by the same command, from equal installations.\n"
    )
    assert other == ""
    assert not (ended.folder / "runs/apart").exists()


def test_weights_that_come_apart_by_a_millionth_are_noticed_before_they_play(ended):
    assert ended.codes["drifting"] == [2, 2]
    main, other = ended.said("drifting")
    assert "do not agree on what was learned before iteration 1: process 1 has" in main
    assert other == ""


def test_what_is_wrong_for_all_is_said_once(ended):
    assert ended.codes["misspelt"] == [2, 2]
    main, other = ended.said("misspelt")
    assert "Did you mean 'iterations'?" in main
    assert other == ""


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
    "accelerate launch": [
        *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
        *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
        *("--main_process_port", "0"),
    ],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_starts_it(launcher, tmp_path):
    settings = ["--runs", str(tmp_path), "--name", "run", "--learning.iterations", "1"]
    start = [*LAUNCHERS[launcher], "-m", "sepo_trainer", *TRAIN, *settings]
    done = subprocess.run(
        [sys.executable, "-m", *start],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "seed 0, 2 processes, into" in done.stdout
    assert (tmp_path / "run/report.html").is_file()


@pytest.mark.parametrize(
    ("also", "reason"),
    [
        (["--adapter.kind", "lora", "--adapter.warm", "merged"], "Set adapter.warm to 'stacked'"),
        (["--sampler.engine", "vllm"], "Set sampler.engine to 'transformers'"),
        (["--selfplay.kind", "snapshots"], "Set selfplay.kind to 'latest'"),
        ([], "this is the only one. Start several"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_reason(also, reason, capsys, tmp_path):
    runs = ["--runs", str(tmp_path / "runs")]
    assert reason in told(capsys, "train", *runs, *SHARDED, *also)
    assert not (tmp_path / "runs").exists()


def test_what_runs_in_one_process_is_not_started_in_several(capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = told(capsys, "demonstrations", "--to", "nowhere")
    assert "demonstrations runs in one process, but a launcher has started 2." in said


def test_processes_that_cannot_share_engines_evenly_are_refused(monkeypatch):
    together = SamplerConfig(engine="vllm", tensor_parallel=2)
    with pytest.raises(ValueError, match=r"2, but the run has 1 process, which cannot form teams"):
        choice._engine(together)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ValueError, match=r"the run has 3 processes, .* a number that divides"):
        choice._engine(together)


def test_an_engine_is_told_which_processes_hold_it(monkeypatch):
    """Without a launcher vLLM would start processes of its own; within one it must not."""
    more = {"context": 64, "memory_share": 0.4, "rank": 0}
    shared = {"distributed_executor_backend", "tensor_parallel_size"}
    assert not shared & vllm.arguments("cuda", **more, tensor_parallel=1).keys()
    monkeypatch.setenv("WORLD_SIZE", "4")
    told_it = vllm.arguments("cuda", **more, tensor_parallel=2)
    assert [told_it[name] for name in sorted(shared)] == ["external_launcher", 2]


def test_processes_with_one_sampler_play_the_same_hand(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    hands = []
    for number in "0123":
        monkeypatch.setenv("RANK", number)
        hands.append(own_hand(range(5), team=2))
    assert hands == [[0, 3, 4], [0, 3, 4], [1, 2], [1, 2]]


def test_options_of_a_launcher_that_would_not_be_heeded_are_refused(capsys, monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "ACCELERATE_USE_DEEPSPEED": "true"}.items():
        monkeypatch.setenv(name, value)
    assert "leave --use_deepspeed out" in told(capsys, "train")
