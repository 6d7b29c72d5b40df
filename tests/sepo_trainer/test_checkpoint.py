"""Checkpoints: whole or not at all, and never of another model."""

import json
import subprocess

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sepo_trainer import checkpoint as checkpoints
from sepo_trainer.checkpoint import Checkpoint, CheckpointError
from sepo_trainer.learning.learner import Batch
from sepo_trainer.train import learnable
from tests.sepo_trainer.runs import gates, play, rows_played, run_with

SHAPE = {"hidden": 32, "layers": 1, "heads": 2}


def small(number: int = 3) -> Checkpoint:
    tensors = {
        "model": {"a": torch.arange(6.0).reshape(2, 3)},
        "optimizer": {"0.step": torch.tensor(5.0)},
    }
    state = {"baselines": {"seat 0/0": 0.1}, "past_responses": []}
    return Checkpoint(number, tensors, state, {"seed": 3})


def test_what_is_loaded_is_what_was_saved(tmp_path):
    path = checkpoints.save(tmp_path, small())
    found = checkpoints.load(path)
    assert (found.iteration, found.state) == (3, small().state)
    assert torch.equal(found.tensors["model"]["a"], small().tensors["model"]["a"])
    assert found.tensors["optimizer"]["0.step"] == 5.0


@pytest.mark.parametrize(
    ("last", "worth", "kept"),
    [
        (2, {}, [9, 12]),
        (1, {3: 0.5, 6: 0.4, 9: 0.3}, [3, 12]),
        (2, {3: -2.0, 6: -1.0, 9: -3.0}, [6, 9, 12]),
        (2, {3: 0.0, 6: 0.0, 7: 9.0}, [6, 9, 12]),  # of equals the later; 7 was never saved
        (1, {12: 1.0, 3: 0.0}, [12]),
        (9, {}, [3, 6, 9, 12]),
    ],
)
def test_the_newest_are_kept_and_the_best_and_nothing_else_stays(tmp_path, last, worth, kept):
    for number in (3, 12, 6, 9):
        checkpoints.save(tmp_path, small(number))
    checkpoints.prune(tmp_path, last=last, worth=worth)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n:06d}" for n in kept]
    for path in checkpoints.checkpoints(tmp_path):
        checkpoints.load(path)


def test_a_draft_that_a_kill_left_behind_is_no_checkpoint(tmp_path):
    checkpoints.save(tmp_path, small())
    (tmp_path / ".000006.4711").mkdir()
    assert [path.name for path in checkpoints.checkpoints(tmp_path)] == ["000003"]


def damage(path, how: str) -> None:
    tensors = path / "model.safetensors"
    state = path / "state.json"
    match how:
        case "shortened":
            tensors.write_bytes(tensors.read_bytes()[:-4])
        case "emptied":
            tensors.write_bytes(b"")
        case "altered":
            tensors.write_bytes(tensors.read_bytes()[:-1] + b"\x7f")
        case "tensors gone":
            tensors.unlink()
        case "state gone":
            state.unlink()
        case "state shortened":
            state.write_text(state.read_text()[:-9])
        case "state of another kind":
            state.write_text("[]")
        case "state altered":
            state.write_text(state.read_text().replace("0.1", "0.2"))
        case "a file added":
            (path / "reference.safetensors").write_bytes(tensors.read_bytes())
        case "checksums gone":
            (path / checkpoints.CHECKSUMS).unlink()
        case "checksums shortened":
            sums = path / checkpoints.CHECKSUMS
            sums.write_text(sums.read_text().splitlines(keepends=True)[0])


@pytest.mark.parametrize(
    "how",
    [
        *("shortened", "emptied", "altered", "tensors gone"),
        *("state gone", "state shortened", "state of another kind", "state altered"),
        *("a file added", "checksums gone", "checksums shortened"),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_a_way_out(tmp_path, how):
    path = checkpoints.save(tmp_path, small())
    damage(path, how)
    with pytest.raises(CheckpointError, match=r"000003.*[Dd]elete this folder to go on"):
        checkpoints.load(path)


@settings(max_examples=40)
@given(st.data())
def test_no_flipped_bit_goes_unnoticed(tmp_path_factory, data):
    path = checkpoints.save(tmp_path_factory.mktemp("bits"), small())
    file = data.draw(st.sampled_from(sorted(path.iterdir())))
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"[Dd]elete this folder to go on"):
        checkpoints.load(path)


def test_sha256sum_agrees_with_a_checkpoints_checksums(tmp_path):
    path = checkpoints.save(tmp_path, small())
    command = ["sha256sum", "--strict", "--check", checkpoints.CHECKSUMS]
    told = subprocess.run(command, cwd=path, capture_output=True, text=True, check=True).stdout
    names = {"model.safetensors", "optimizer.safetensors", "state.json"}
    assert set(told.splitlines()) == {f"{name}: OK" for name in names}


def test_a_checkpoint_of_a_later_format_is_not_guessed_at(tmp_path):
    path = checkpoints.save(tmp_path, small())
    record = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(record | {"format": 6}))
    checkpoints.seal(path)
    with pytest.raises(CheckpointError, match=r"has checkpoint format 6.*this version reads 5"):
        checkpoints.load(path)


def test_a_checkpoint_of_the_first_format_is_told_by_it(tmp_path):
    """It had no checksums."""
    path = checkpoints.save(tmp_path, small())
    record = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps(record | {"format": 1, "files": {}}))
    (path / checkpoints.CHECKSUMS).unlink()
    with pytest.raises(CheckpointError, match=r"has checkpoint format 1.*this version reads 5"):
        checkpoints.load(path)


@pytest.mark.parametrize("shape", [SHAPE | {"hidden": 64}, SHAPE | {"layers": 2}])
def test_a_checkpoint_of_another_model_is_refused_before_anything_changes(tmp_path, shape):
    foreign = run_with(shape).checkpoint()
    run = run_with(SHAPE)
    before = [weight.clone() for weight in run.language.model.parameters()]
    with pytest.raises(CheckpointError, match="is of another model"):
        run.restore(foreign, source=tmp_path / "000003")
    after = run.language.model.parameters()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


SETTINGS = {
    "learning": {"advantage": "rae"},
    "objective": {"exploiter": "average"},
    "rollout": {"max_new_tokens": 4},
}


def test_a_restored_run_is_where_the_saved_one_was(tmp_path):
    """Weights, reference, Adam's moments, baselines, margins, past responses, the next batch."""
    run = run_with(SHAPE, **SETTINGS)
    for iteration in (1, 2):
        groups, scores = play(run)
        run.course.remember(run.course.table())
        rows, _ = learnable(run.course, groups, gates(scores))
        run.course.standing.notice(scores)
        run.learner.update([Batch(rows, run.course.pull(iteration))], learning_rate=1e-3)
        run.iteration = iteration
    assert run.course.standing.baselines
    assert len(run.course.standing.past_responses) == 2
    assert len(set(run.course.standing.margins.values())) > 1
    path = checkpoints.save(tmp_path, run.checkpoint())

    fresh = run_with(SHAPE, **SETTINGS)
    fresh.restore(checkpoints.load(path), source=path)
    assert fresh.iteration == fresh.course.sampler.version == 2
    assert fresh.course.standing.baselines == run.course.standing.baselines
    assert fresh.course.standing.margins == run.course.standing.margins
    assert [t.rows for t in fresh.course.standing.past_responses] == [
        t.rows for t in run.course.standing.past_responses
    ]
    for one, other in (
        (fresh.language.model, run.language.model),
        (fresh.learner.reference.model, run.learner.reference.model),
    ):
        for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    moments = [checkpoints.optimizer_tensors(each.learner.optimizer) for each in (fresh, run)]
    assert moments[0].keys() == moments[1].keys() != set()
    assert all(torch.equal(moments[0][key], moments[1][key]) for key in moments[0])
    assert any(key.endswith("exp_avg_sq") for key in moments[0])

    results = []
    for each in (fresh, run):
        _, rows = rows_played(each)
        each.learner.update([Batch(rows, each.course.pull(2))], learning_rate=1e-3)
        results.append([weight.clone() for weight in each.language.model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
