"""Whole runs with adapters, as a user starts them: they learn, resume, and are what they leave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sepo_trainer.__main__ import main
from sepo_trainer.policy import adapter
from sepo_trainer.runs import session
from sepo_trainer.runs.session import reopen
from tests.sepo_trainer.adapted import logits

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)
"""PEFT asks transformers by the old name."""

ON_TOP = [*("--adapter.kind", "lora", "--adapter.rank", "4", "--adapter.alpha", "8")]
LORA = [*ON_TOP, *("--adapter.warm-rank", "8", "--adapter.warm-alpha", "16")]
WARM = [
    *("--warm-start.steps", "10", "--warm-start.episodes", "500"),
    *("--warm-start.learning-rate", "0.01"),
]
SHORT = [
    *("--learning.iterations", "6", "--checkpoint-every", "3", "--rollout.group-size", "2"),
    *("--learning.learning-rate", "0.003"),
]
VARIANTS = {
    "stacked": [
        *("--reference.kind", "refresh", "--reference.every", "2", "--reference.kl-move", "0.1"),
        *("--selfplay.kind", "snapshots", "--selfplay.every", "2", "--selfplay.keep", "2"),
        *("--learning.epochs", "2"),
    ],
    "merged": ["--adapter.warm", "merged", "--adapter.save-merged", "true"],
}


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """Pictures take longer than the runs, and `test_report` has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def runs(warm_model, tmp_path_factory) -> dict[str, Path]:
    """A finished run of each variant."""
    folders = {}
    for variant, settings in VARIANTS.items():
        folder = folders[variant] = tmp_path_factory.mktemp("adapted") / variant
        place = ["--runs", str(folder.parent), "--name", folder.name]
        model = ["--model.path", str(warm_model("fresh"))]
        assert main(["train", *place, *model, *LORA, *WARM, *SHORT, *settings]) == 0
    return folders


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("variant", VARIANTS)
def test_three_iterations_a_crash_and_three_more_are_six(runs, variant, tmp_path):
    unbroken, broken = runs[variant], tmp_path / "run"
    assert len({line["exploitability"] for line in lines(unbroken)}) == 6
    shutil.copytree(unbroken, broken)
    shutil.rmtree(broken / "checkpoints/000006")
    shutil.rmtree(broken / "model")
    (broken / "result.json").unlink()
    text = (broken / "metrics.jsonl").read_text().splitlines(keepends=True)
    (broken / "metrics.jsonl").write_text("".join(text[:5]))
    assert main(["train", "--resume", str(broken)]) == 0
    for name in ("metrics.jsonl", "model/adapter_model.safetensors", "model/adapter_config.json"):
        assert (broken / name).read_bytes() == (unbroken / name).read_bytes(), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_checkpoints_hold_adapters_and_no_weight_of_the_model_under_them(runs, variant):
    """By the shapes: a matrix of each has 4 or 8 rows or columns, the ranks."""
    folder = runs[variant] / "checkpoints/000006"
    names = {path.stem for path in folder.glob("*.safetensors")}
    expected = {"model", "warm", "optimizer", "reference"}
    if variant == "stacked":
        expected |= {"magnet", "snapshot-000002", "snapshot-000004"}
    assert names == expected
    for name in names:
        shapes = [weight.shape for weight in load_file(folder / f"{name}.safetensors").values()]
        assert all({4, 8} & {*shape} for shape in shapes if len(shape) == 2), name


def policy_of(folder: Path):
    _, run = reopen(folder)
    return run


def base_model(folder: Path):
    """The model under the adapter of ``folder``, as transformers alone loads it."""
    base = adapter.base_of(folder)
    return AutoModelForCausalLM.from_pretrained(base, local_files_only=True).eval()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_saved_adapter_is_the_policy_for_anyone_who_loads_it(runs, variant, warm_model):
    """With PEFT, on the model that the folder names."""
    run, model = policy_of(runs[variant]), runs[variant] / "model"
    here = {"stacked": warm_model("fresh"), "merged": model / "base"}[variant]
    assert adapter.base_of(model).resolve() == here.resolve()
    loaded = PeftModel.from_pretrained(base_model(model), str(model))
    torch.testing.assert_close(logits(loaded), logits(run.language.model), rtol=0, atol=1e-4)
    assert AutoTokenizer.from_pretrained(model).get_vocab() == run.language.tokenizer.get_vocab()
    assert loaded.peft_config["default"].r == {"stacked": 8 + 4, "merged": 4}[variant]


def test_each_adapter_is_saved_by_itself_too(runs):
    """The warm start's is the policy that learning began with."""
    run, model = policy_of(runs["stacked"]), runs["stacked"] / "model"
    warm = PeftModel.from_pretrained(base_model(model / "warm"), str(model / "warm"))
    with adapter.speaking(run.language.model, "warm"):
        torch.testing.assert_close(logits(warm), logits(run.language.model), rtol=0, atol=1e-4)
    policy = PeftModel.from_pretrained(base_model(model / "policy"), str(model / "policy"))
    with adapter.speaking(run.language.model, "policy"):
        torch.testing.assert_close(logits(policy), logits(run.language.model), rtol=0, atol=1e-4)


def test_on_request_the_policy_is_saved_as_a_model_without_adapters(runs):
    model = runs["merged"] / "model/merged"
    whole = AutoModelForCausalLM.from_pretrained(model, local_files_only=True)
    run = policy_of(runs["merged"])
    torch.testing.assert_close(logits(whole), logits(run.language.model), rtol=0, atol=1e-4)
    assert AutoTokenizer.from_pretrained(model).chat_template


def test_a_run_with_adapters_is_evaluated_like_any_other(runs, capsys):
    assert main(["evaluate", str(runs["stacked"]), "--episodes", "20"]) == 0
    assert "exploitability" in capsys.readouterr().out
    [path] = runs["stacked"].glob("evaluation-*-20-episodes.json")
    found = json.loads(path.read_text())
    assert found["exact"]
    result = json.loads((runs["stacked"] / "result.json").read_text())
    run = policy_of(runs["stacked"])
    assert run.course.stage.tree.exploitability(run.course.table()) == result["exploitability"]


@pytest.mark.parametrize("kind", ["lora", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_policy_can_be_trained_on_with_an_adapter_or_without(runs, tmp_path, variant, kind):
    """What was saved is then the warm start: the new run begins where the old one ended."""
    model = runs[variant] / "model"
    shape = ON_TOP if kind == "lora" else ["--adapter.kind", "none"]
    place = ["--runs", str(tmp_path), "--name", "on", "--model.path", str(model)]
    few = ["--warm-start.steps", "0", *SHORT, "--learning.iterations", "1"]
    assert main(["train", *place, *shape, *few]) == 0
    ended = json.loads((runs[variant] / "result.json").read_text())["exploitability"]
    assert lines(tmp_path / "on")[0]["exploitability"] == pytest.approx(ended, abs=1e-5)
    run = policy_of(tmp_path / "on")
    names = ("warm", "policy") if kind == "lora" else ()
    assert adapter.attached(run.language.model) == names
    assert (tmp_path / "on/model/adapter_config.json").exists() == (kind == "lora")
    assert (tmp_path / "on/model/model.safetensors").exists() == (kind == "none")


def test_the_warm_start_alone_writes_its_adapter_and_the_tiny_model_under_it(tmp_path):
    """The tiny model lies nowhere else, so it is written beside the adapter; and its place is
    remembered relative to that, so the folder can be moved."""
    to = tmp_path / "warm"
    few = ["--warm-start.steps", "2", "--warm-start.episodes", "50"]
    assert main(["warm-start", "--to", str(to), *LORA, *few]) == 0
    assert main(["warm-start", "--to", str(to), *LORA, *few]) == 0  # over an earlier one
    moved = shutil.move(to, tmp_path / "moved")
    settings = json.loads((moved / "adapter_config.json").read_text())
    assert (settings["base_model_name_or_path"], settings["r"]) == ("base", 8)
    assert adapter.base_of(moved) == moved / "base"
    PeftModel.from_pretrained(base_model(moved), str(moved))


def test_a_model_that_an_adapter_needs_and_that_is_not_there_is_named(runs, tmp_path, capsys):
    folder = shutil.copytree(runs["merged"] / "model", tmp_path / "model")
    shutil.rmtree(folder / "base")
    place = ["--runs", str(tmp_path / "runs"), "--model.path", str(folder)]
    assert main(["train", *place, *ON_TOP]) == 2
    said = capsys.readouterr().err
    assert "is for the model 'base', and there is no such folder" in said
    assert "base_model_name_or_path" in said
    assert not (tmp_path / "runs").exists()


def nudge(base: Path) -> None:
    """Another model of the same shape: one weight is the next number up."""
    weights = load_file(base / "model.safetensors")
    name = sorted(weights)[0]
    first = weights[name].view(-1)
    first[0] = torch.nextafter(first[0], torch.tensor(torch.inf))
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})


def test_a_run_does_not_go_on_with_another_model_of_the_same_shape_under_its_adapters(
    warm_model, tmp_path, capsys
):
    base = shutil.copytree(warm_model("fresh"), tmp_path / "base")
    place = ["--runs", str(tmp_path), "--name", "run", "--model.path", str(base)]
    assert main(["train", *place, *LORA, *WARM, *SHORT]) == 0
    kept = shutil.copytree(base, tmp_path / "kept")
    nudge(base)
    for command in (["train", "--resume"], ["evaluate"]):
        assert main([*command, str(tmp_path / "run")]) == 2
        said = capsys.readouterr().err
        assert f"were trained on other weights than those under {base} now" in said
        assert "Put the model back" in said
    shutil.rmtree(base)
    kept.rename(base)
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("kind", ["lora", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_adapter_is_put_on_no_other_weights_than_its_own(
    runs, warm_model, tmp_path, capsys, variant, kind
):
    """Its base is a folder elsewhere, or after merging one of its own."""
    model = shutil.copytree(runs[variant] / "model", tmp_path / "model")
    if variant == "stacked":
        base = shutil.copytree(warm_model("fresh"), tmp_path / "base")
        settings = json.loads((model / "adapter_config.json").read_text())
        settings["base_model_name_or_path"] = str(base)
        (model / "adapter_config.json").write_text(json.dumps(settings))
    else:
        base = model / "base"
    shape = ON_TOP if kind == "lora" else []
    place = ["--runs", str(tmp_path), "--name", "on", "--model.path", str(model), *shape]
    few = ["--warm-start.steps", "0", *SHORT, "--learning.iterations", "1"]
    nudge(base)
    assert main(["train", *place, *few]) == 2
    said = capsys.readouterr().err
    assert f"was trained on other weights than lie in {base} now" in said
    assert not (tmp_path / "on").exists()


def test_the_warm_starts_shape_is_refused_where_the_model_is_an_adapter_with_its_own(
    runs, tmp_path, capsys
):
    place = ["--runs", str(tmp_path), "--model.path", str(runs["stacked"] / "model")]
    assert main(["train", *place, *LORA]) == 2
    assert "Leave adapter.warm_rank out" in capsys.readouterr().err


def test_all_weights_in_half_precision_are_refused_and_adapters_on_them_are_not(
    warm_model, tmp_path, capsys
):
    """AdamW's step at 2e-5 is less than half a digit of nearly every weight in bfloat16."""
    place = ["--runs", str(tmp_path), "--name", "half", "--model.path", str(warm_model("fresh"))]
    half = [*place, "--model.dtype", "bfloat16", "--warm-start.steps", "0"]
    few = ["--learning.iterations", "1", "--rollout.group-size", "2"]
    assert main(["train", *half, *few]) == 2
    said = capsys.readouterr().err
    assert "all weights of" in said
    assert "Set model.dtype to 'float32', or adapter.kind to 'lora'" in said
    assert not (tmp_path / "half").exists()
    assert main(["train", *half, *few, *LORA]) == 0


@pytest.mark.slow
def test_through_adapters_it_goes_near_the_equilibrium_too(warm_model, tmp_path):
    """One seed measured .160 after the warm start and .029 after these 25 iterations."""
    place = ["--runs", str(tmp_path), "--name", "lora", "--model.path", str(warm_model("fresh"))]
    settings = [
        *("--adapter.kind", "lora", "--warm-start.steps", "100", "--warm-start.episodes", "2000"),
        *("--warm-start.learning-rate", "0.01", "--learning.learning-rate", "0.003"),
    ]
    assert main(["train", *place, *settings, "--learning.iterations", "25"]) == 0
    before, result = (
        lines(tmp_path / "lora")[0],
        json.loads((tmp_path / "lora/result.json").read_text()),
    )
    assert before["exploitability"] > 0.12
    assert result["exploitability"] < 0.06
    assert sum(line["foul_rate"] for line in lines(tmp_path / "lora")) / 25 < 0.02
