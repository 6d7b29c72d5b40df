"""Settings: defaults, then a file, then the command line; what is wrong is told and mended."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.settings.config import ConfigError, RunConfig
from sepo_trainer.settings.resolve import (
    build,
    defaults,
    differences,
    override,
    read_toml,
    resolve,
    to_toml,
)

trees = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**31 - 1),
        "name": st.text("abc-1", min_size=1, max_size=5),
        "game": st.fixed_dictionaries({}, optional={"options": st.just({"hands": 6})}),
        "objective": st.fixed_dictionaries(
            {},
            optional={
                "exploitability": st.floats(0, 1e3),
                "penalty_credit": st.sampled_from(["credited", "shared", "auxiliary"]),
            },
        ),
        "learning": st.fixed_dictionaries(
            {}, optional={"learning_rate": st.floats(1e-9, 1), "final_rate": st.floats(0, 1)}
        ),
        "rollout": st.fixed_dictionaries(
            {}, optional={"deals": st.one_of(st.just("all"), st.integers(1, 99))}
        ),
    },
)


@given(trees)
def test_settings_come_back_from_a_file_as_they_went_in(tmp_path_factory, tree):
    config = build(tree, source="test")
    path = tmp_path_factory.mktemp("toml") / "config.toml"
    path.write_text(to_toml(config))
    assert read_toml(path) == config
    assert differences(config, read_toml(path)) == []


@given(trees)
def test_settings_come_back_from_a_command_line_as_they_went_in(tree):
    arguments = []

    def write(node, prefix=""):
        for key, value in node.items():
            if isinstance(value, dict):
                write(value, f"{prefix}{key}.")
            else:
                arguments.extend([f"--{prefix}{key}".replace("_", "-"), str(value)])

    write(tree)
    assert override(RunConfig(), arguments) == build(tree, source="test")


def test_the_last_one_wins(tmp_path):
    """Defaults, file, command line, in that order."""
    default = RunConfig().learning
    path = tmp_path / "run.toml"
    path.write_text("[learning]\nclip = 0.3\nlearning_rate = 0.5\n")
    found = override(read_toml(path), ["--learning.clip", "0.4"]).learning
    assert found.clip == 0.4
    assert found.learning_rate == 0.5
    assert found.iterations == default.iterations
    assert (default.clip, default.learning_rate) != (0.4, 0.5)


REFUSED = {
    "[learning]\nlearning_rte = 1": "'learning.learning_rte'. Did you mean 'learning_rate'?",
    "sead = 1": "there is no setting 'sead'. Did you mean 'seed'?",
    "[rollouts]\ngroup_size = 4": "there is no setting 'rollouts'. Did you mean 'rollout'?",
    "[rollout]\ngroup_size = 1": "rollout.group_size is 1, but a group of one is its own baseline",
    "[rollout]\ntemperature = 0": "rollout.temperature is 0, but",
    "[rollout]\ntop_p = 0.9": "there is no setting 'rollout.top_p'",
    "[rollout]\ntop_k = 50": "there is no setting 'rollout.top_k'",
    "[rollout]\nrepetition_penalty = 1.1": "there is no setting 'rollout.repetition_penalty'",
    "[rollout]\ndeals = 0": "rollout.deals is 0, but",
    "[rollout]\ndeals = 'some'": "rollout.deals is 'some', but",
    "[rollout]\nown_deals = true": "own_deals is true, but rollout.deals of kuhn_poker is 'all'",
    "[learning]\noptimizer = 'sgd'": "learning.optimizer is 'sgd', but",
    "[learning]\noptimizer = 'muon'\n[model]\nsharded = true": "is 'muon': Muon needs each matrix",
    "[game]\noptions = {hands = [1]}": "game.options.hands is [1], but",
    "[rollout]\nmax_retries = -1": "rollout.max_retries is -1, but",
    "[learning]\niterations = 0": "learning.iterations is 0, but",
    "[learning]\nlearning_rate = -0.1": "learning.learning_rate is -0.1, but",
    "[learning]\nclip = 'wide'": "learning.clip is 'wide', but",
    "[learning]\nadvantage = 'mean'": "learning.advantage is 'mean', but",
    "[objective]\nexploitability = -1": "objective.exploitability is -1, but",
    "[objective]\nexploitability = nan": "objective.exploitability is nan, but",
    "[learning]\nlearning_rate = inf": "learning.learning_rate is inf, but",
    "[model]\nthinking = false": "thinking is False, but it is about a model from a folder",
    "[model]\ndtype = 'float16'": "model.dtype is 'float16', but",
    "[model]\ndevice = 'gpu'": "model.device is 'gpu', but",
    "[model]\nhidden = 50": "hidden is 50, which 4 heads cannot share in even parts",
    "[adapter]\nrank = 8": "adapter.rank is 8, but adapter.kind is 'none' and all weights learn",
    "[adapter]\nsave_merged = true": "adapter.save_merged is True, but adapter.kind is 'none'",
    "[sampler]\ncontext = 512": "context is 512, but the engine 'transformers' never reads it",
    "[sampler]\nmemory_share = 0.5": "memory_share is 0.5, but the engine 'transformers' never",
    "[sampler]\nengine = 'vllm'\nexchange = 'x'": "exchange is 'x', but there is no server",
    "[sampler]\nengine = 'vllm'\nserver = 'http://x'\nexchange = 'x'\nmemory_share = 0.5": (
        "memory_share is 0.5, but a server never reads it"
    ),
    "[sampler]\nengine = 'vllm'\nserver = 'http://x'\nexchange = 'x'\ncontext = 512": (
        "context is 512, but a server never reads it"
    ),
    "[sampler]\nengine = 'vllm'\ncontext = 32": (
        "rollout.max_new_tokens is 32, but sampler.context leaves the engine 32 tokens"
    ),
    "[game]\nname = 'joint'\n[sampler]\nengine = 'vllm'\ncontext = 512\n"
    "[courses.split_negotiation.rollout]\nmax_new_tokens = 600": (
        "rollout.max_new_tokens is 600, but sampler.context leaves the engine 512 tokens"
    ),
    "[learning]\nloss = 'gspo'": "learning.clip is 0.2, as for a token, but gspo bounds the mean",
    "[learning]\nloss = 'gspo'\nclip = 3e-4\nclip_high = 0.2": "learning.clip_high is 0.2, as for",
    "[learning]\nloss = 'cispo'": "but learning.clip_high is not set. Set it to 4",
    "[learning]\nloss = 'cispo'\nclip = 0.1\nclip_high = 4.0": (
        "learning.clip is 0.1, but cispo has no lower bound"
    ),
    "[objective]\nrisk_aversion = 5": (
        "objective.risk_aversion is 5.0, but objective.risk is 'mean', which has no such number, "
        "so it would do nothing. Set objective.risk to 'entropic' or 'variance', or leave"
    ),
    "[objective]\nrisk = 'worst_case'\nrisk_aversion = 5": "risk_aversion is 5.0, but",
    "[objective]\nexploiter_temperature = 0.5": "exploiter_temperature is 0.5, but objective.expl",
    "[objective.budget]\ndelay = 5": (
        "objective.budget.delay is 5, but objective.budget allows no harm by number"
    ),
    "[objective.budget]\nstep = 1.0": "objective.budget.step is 1.0, but objective.budget allows",
    "[game]\nname = 'joint'\n[courses.split_negotiation.objective.budget]\ncap = 3.0": (
        "cap is 3.0, but objective.budget allows no harm by number"
    ),
    "[selfplay]\nevery = 5": "selfplay.every is 5, but selfplay.kind is 'off', which takes no",
    "[selfplay]\nkind = 'latest'\nkeep = 5": "selfplay.keep is 5, but selfplay.kind is 'latest'",
    "[reference]\nevery = 5": "reference.every is 5, but reference.kind is 'fixed', which renews",
    "[reference]\nkind = 'off'": "reference.kind is 'off', but reference.kl_talk",
    "[reference]\nkind = 'refresh'": "but reference.kl_move is 0, so nothing pulls",
    "seed = -1": "seed is -1, but",
    "seed = 2147483648": "seed is 2147483648, but",
    "seed = 1.5": "seed is 1.5, but",
    "name = 'a/b'": "name is 'a/b', but it must be a single folder name",
    "name = ''": "name is '', but it must be a single folder name",
    "learning = 3": "learning is 3, but",
    "seed = ": "cannot be read as TOML",
}


@pytest.mark.parametrize(("text", "told"), REFUSED.items(), ids=list(REFUSED))
def test_what_is_unknown_or_impossible_is_refused_by_name(tmp_path, text, told):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert told in message
    assert "\n" not in message.strip() or "TOML" in message
    assert "pydantic" not in message


@pytest.mark.parametrize(
    "text",
    [
        "[adapter]\nkind = 'lora'\nrank = 8\nwarm = 'merged'",
        "[sampler]\nengine = 'vllm'\ncontext = 512\nmemory_share = 0.5",
        "[sampler]\nengine = 'vllm'\nserver = 'http://x'\nexchange = 'x'",
        "[learning]\nloss = 'gspo'\nclip = 3e-4\nclip_high = 4e-4",
        "[learning]\nloss = 'cispo'\nclip_high = 4.0",
        "[learning]\nloss = 'dapo'\nclip_high = 0.28",
    ],
)
def test_the_same_settings_are_taken_where_something_reads_them(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    config = read_toml(path)
    path.write_text(to_toml(config))
    assert read_toml(path) == config


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--learning.clp", "0.1"], "there is no setting 'learning.clp'. Did you mean 'clip'?"),
        (["--learning.clip"], "--learning.clip is followed by no value"),
        (["fast"], "'fast' belongs to no setting"),
        (["--seed.x", "1"], "--seed.x names a setting inside a single value"),
        (["--rollout.group-size", "1"], "rollout.group_size is 1, but a group of one"),
        (["--seed", "one"], "seed is 'one', but"),
        (["--", "1"], "command line"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments, told):
    with pytest.raises(ConfigError, match=r"^command line: ") as caught:
        override(RunConfig(), arguments)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["1", "2026-01-31", "1e3", "true", "[a]"])
def test_a_name_may_look_like_a_number_or_a_date(name):
    assert override(RunConfig(), ["--name", name, "--runs", name]).name == name


def test_an_optional_setting_can_be_emptied_again():
    config = build({"objective": {"exploitability": 2.0}, "name": "trial"}, source="test")
    emptied = override(config, ["--objective.exploitability", "None", "--name", "None"])
    assert emptied == RunConfig()


def test_a_file_that_is_not_there_can_be_written_as_it_says(tmp_path):
    with pytest.raises(ConfigError, match=r"no file .*run\.toml.*config --game\.name GAME > .*run"):
        read_toml(tmp_path / "run.toml")


def test_a_value_that_was_checked_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().learning.clip = -1.0


def test_differences_name_both_values():
    changed = build({"learning": {"clip": 0.1}, "runs": "/tmp/x"}, source="test")
    assert differences(RunConfig(), changed) == [
        "runs: runs -> /tmp/x",
        "learning.clip: 0.2 -> 0.1",
    ]
    assert isinstance(changed.runs, Path)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_game_trains_from_settings_of_its_own(name):
    """What its preset says holds unless the command line says otherwise; the rest is common."""
    config = resolve(None, ["--game.name", name])
    assert config == build({"game": {"name": name}} | defaults(name), source="test")
    common = RunConfig(game=config.game)
    changed = {line.split(":")[0] for line in differences(common, config)}
    preset = {f"{section}.{key}" for section, table in defaults(name).items() for key in table}
    assert changed <= preset
    assert (not preset) == (name == "kuhn_poker")


def test_the_command_line_wins_over_the_file_and_the_file_over_the_games_preset(tmp_path):
    preset = defaults("split_negotiation")["learning"]["iterations"]
    path = tmp_path / "run.toml"
    path.write_text('[game]\nname = "split_negotiation"\n[learning]\nclip = 0.3\n')
    assert read_toml(path) == resolve(path, [])
    plain, told = resolve(path, []), resolve(path, ["--learning.clip", "0.1"])
    assert (plain.learning.clip, plain.learning.iterations) == (0.3, preset)
    assert (told.learning.clip, told.learning.iterations) == (0.1, preset)
    path.write_text(path.read_text() + "iterations = 7\n")
    assert resolve(path, []).learning.iterations == 7


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_saved_configuration_is_read_as_it_was_whatever_the_presets_say_later(name, tmp_path):
    config = resolve(None, ["--game.name", name, "--learning.iterations", "3"])
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config))
    assert read_toml(path) == config
