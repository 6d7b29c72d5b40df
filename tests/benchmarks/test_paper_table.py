"""The paper's tables from the first training to the page, and from the records alone."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import pytest

from benchmarks import paper_page, paper_table
from benchmarks.command_line import BenchmarkError
from benchmarks.paper_tables import beside, reached
from benchmarks.records import RESULTS, load, measure, save

SPLIT, PLACE = "split_negotiation", Path("results/paper_table")
PLACES = ["--runs", "runs", "--results", "results"]
TWO = ["--games", f"{SPLIT},kuhn_poker", "--seeds", "3", *PLACES]


@pytest.fixture
def short(monkeypatch):
    """Each domain's own settings, but for its iterations."""
    whole = paper_table.settings

    def settings(game, *, quick):
        config = whole(game, quick=quick)
        learning = config.learning.model_copy(update={"iterations": 2})
        return config.model_copy(update={"learning": learning})

    monkeypatch.setattr(paper_table, "settings", settings)


def test_the_stored_tables_are_as_the_records_are():
    paper_table.main(["--check"])


def test_from_the_trainings_to_the_page(fake_trainer, short, capsys):
    """By hand: seed s starts at J = -.1 (1 + s), credited ends at .5, reward_only at 0, and the
    split game's J* is .975, so the way is 60/117.5 on average of .6/1.075, .7/1.175, .8/1.275."""
    paper_table.main(TWO)
    text = (PLACE / "tables.md").read_text()
    split, kuhn = text.index("## Split negotiation"), text.index("## Kuhn poker")
    assert split < kuhn, "in the order of the paper"
    rows = [line for line in text[split:kuhn].splitlines() if line.startswith("| credited (SEPO)")]
    printed, lacking = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    assert printed[:6] == ["credited (SEPO)", "0.000", "0.000", "0.000", "0.000", "+0.000"]
    assert lacking[3] == "59% [56%, 63%]"
    assert lacking[1] == "5.00+ [4.00, 6.00]", "a bound: it was not read out"
    paired = [line for line in text[split:kuhn].splitlines() if line.startswith("| reward_only")][1]
    assert "+0.500" in paired
    page = (PLACE / "page.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page
    assert 'src="' not in page
    assert "prefers-color-scheme: dark" in page

    paper_table.main([*TWO, "--check"])
    before = {log: log.stat().st_mtime_ns for log in Path("runs").rglob("*.log")}
    capsys.readouterr()
    paper_table.main(TWO)
    assert {log: log.stat().st_mtime_ns for log in Path("runs").rglob("*.log")} == before
    assert f"{SPLIT}: taken as recorded" in capsys.readouterr().out


def test_a_page_that_is_not_as_its_records_are_is_found_and_mended(fake_trainer, short, capsys):
    paper_table.main([*TWO[:1], "kuhn_poker", *TWO[2:]])
    for name in ("tables.md", "page.html", "kuhn_poker-curves.svg"):
        text = (PLACE / name).read_text()
        (PLACE / name).write_text(text + " ")
        with pytest.raises(SystemExit):
            paper_table.main([*PLACES, "--check"])
        assert f"{name} is not as the records are" in capsys.readouterr().err
        paper_table.main([*PLACES, "--write"])
        assert (PLACE / name).read_text() == text


def test_an_interrupted_study_goes_on_where_it_was(fake_trainer, short):
    (fake_trainer / "fail").touch()
    with pytest.raises(BenchmarkError, match="the disk is full"):
        paper_table.main(TWO)
    assert not Path("results").exists()
    (fake_trainer / "fail").unlink()
    paper_table.main(TWO)
    assert [log for log in Path("runs").rglob("*.log") if "--resume" in log.read_text()]
    assert load(Path("results/credit_ablation") / f"{SPLIT}.json").certificate.wall_seconds > 0


def test_what_was_reached_says_how_sure_it_is(make_record):
    """Of poker: what of a reply was not covered. Of a difference: its interval."""
    record = make_record(name="kuhn_poker")
    credited = record.measures["credited"]
    paired = {"held-out payoff": measure([0.1, -0.1, 0.3], "points per round")}

    def rows(uncovered):
        seen = credited | {"uncovered": measure([0.0, uncovered, 0.0], "probability")}
        measures = {"credited": seen, "credited - reward_only": paired}
        found = reached({"kuhn_poker": record.model_copy(update={"measures": measures})}).rows
        return {what: (value, met) for _, what, value, _, met in found}

    assert rows(0.02)["exploitability, median"] == ("0.0200 (not exact)", "no")
    assert rows(0.0005)["exploitability, median"] == ("0.0200", "no")
    held = rows(0.0)["held-out payoff less reward_only's, mean"]
    assert held == ("+0.100 [-0.100, +0.300]", "yes")


def test_a_record_of_other_settings_or_seeds_is_measured_anew(fake_trainer, short):
    paper_table.main(TWO)
    record = load(Path("results/credit_ablation") / f"{SPLIT}.json")
    config = paper_table.settings(SPLIT, quick=False)
    asked = paper_table.Given(paper_table.studied(SPLIT), (0, 1, 2))
    assert paper_table.fits(record, config, asked)
    assert not paper_table.fits(record, config, asked._replace(seeds=(0, 1)))
    assert not paper_table.fits(record, paper_table.settings("kuhn_poker", quick=False), asked)
    assert not paper_table.fits(record, config, asked._replace(arms=("credited", "credited-rae")))


def test_a_record_of_settings_that_the_game_no_more_has_is_measured_anew(
    fake_trainer, short, capsys
):
    poker = ["--games", "kuhn_poker", "--seeds", "2", *PLACES]
    paper_table.main(poker)
    path = Path("results/credit_ablation/kuhn_poker.json")
    record = load(path)
    older = {"settings": {"learning.clip": 0.3}, "config_digest": "0" * 64}
    save(record.model_copy(update=older), results=Path("results"))
    capsys.readouterr()
    paper_table.main(poker)
    told = "kuhn_poker: recorded with other settings or seeds, so it is measured anew"
    assert told in capsys.readouterr().out
    assert load(path).settings == record.settings


def test_a_record_of_more_seeds_is_written_over_only_when_asked(fake_trainer, short):
    paper_table.main(TWO)
    path = Path("results/credit_ablation/kuhn_poker.json")
    kept, logs = path.read_bytes(), set(Path("runs").rglob("*.log"))
    few = ["--games", "kuhn_poker", "--seeds", "2", *PLACES]
    for again in ([], ["--again"]):
        with pytest.raises(BenchmarkError, match=r"is of 3 seeds, and this .*--replace"):
            paper_table.main([*few, *again])
    assert path.read_bytes() == kept
    with pytest.raises(BenchmarkError, match=r"kuhn_poker\.json is of 3 seeds"):
        paper_table.main(["--games", "prisoners_dilemma,kuhn_poker", "--seeds", "2", *PLACES])
    assert set(Path("runs").rglob("*.log")) == logs, "it is known before hours are spent"
    paper_table.main([*few, "--replace"])
    assert load(path).seeds == (0, 1)


def test_a_record_that_lacks_an_arm_is_completed(fake_trainer, short, monkeypatch):
    """The arms that are there are not trained again, but for credited with the first seed."""
    few = ("credited", "reward_only")
    with monkeypatch.context() as before:
        before.setattr(paper_table, "studied", lambda game: few)
        paper_table.main(TWO)
    rmtree("runs")
    paper_table.main(TWO)
    record = load(Path("results/credit_ablation") / f"{SPLIT}.json")
    assert set(paper_table.studied(SPLIT)) <= set(record.measures)
    assert "credited-std" not in record.measures
    again = {log.stem for log in Path("runs").rglob("credited-?.log")}
    assert again == {"credited-0"}


def test_where_the_code_ends_elsewhere_all_arms_are_measured_anew(fake_trainer, short, capsys):
    paper_table.main(TWO)
    path = Path("results/credit_ablation") / f"{SPLIT}.json"
    record = load(path)
    moved = record.measures["credited"] | {"u": measure((9.0, 9.0, 9.0), "points per round")}
    stale = {"config_digest": "0" * 64, "measures": record.measures | {"credited": moved}}
    save(record.model_copy(update=stale), results=Path("results"))
    capsys.readouterr()
    paper_table.main(TWO)
    assert "u is (0.0,), not (9.0,)" in capsys.readouterr().out
    assert load(path).measures == record.measures


def test_how_exploitable_a_policy_is_says_whether_that_is_exact(make_record):
    """Three seeds that were read out; where one could only be bounded, all are, from below."""
    record = make_record(name="prisoners_dilemma")

    def cell(read_out, bounds, uncovered):
        found = record.measures["credited"] | {
            "exploitability of a match": measure(read_out, "points per episode"),
            "exploitability, at least": measure(bounds, "points per episode"),
            "uncovered": measure(uncovered, "probability"),
        }
        del found["exploitability"]
        measures = {"credited": found | {"objective": found["objective"]}}
        return beside(record.model_copy(update={"measures": measures})).rows[0][1]

    assert cell((1, 2, 3), (1, 2, 3), (0, 0, 0)) == "2.00 [1.00, 3.00]"
    assert cell((1, 2, 3), (0, 1, 2), (0, 0.2, 0)) == "2.00 [1.00, 3.00] (not exact)"
    assert cell((1, None, 3), (1, 1, 1), (0, None, 0)) == "1.00+"


def test_a_quick_trial_stays_apart_from_the_records(fake_trainer, capsys):
    with pytest.raises(BenchmarkError, match="have no place among those of benchmarks/results"):
        paper_table.main(["--quick", "--results", str(RESULTS)])
    paper_table.main(["--quick", "--games", SPLIT])
    record = load(Path("runs/quick/results/credit_ablation") / f"{SPLIT}.json")
    assert record.measures["credited"]["exploitability, at least"].values == (3.0,)
    assert "credited-0, split_negotiation: played out," in capsys.readouterr().out
    assert record.seeds == (0,)
    assert record.settings["learning.iterations"] == 2
    assert not Path("results").exists()


def test_the_tables_of_a_quick_trial_begin_by_saying_so(fake_trainer, short):
    warning = "This was a quick trial, far too short to learn anything: its numbers mean nothing."
    trial, place = ["--quick", "--games", "kuhn_poker"], Path("runs/quick/results/paper_table")
    paper_table.main(trial)
    title, first = (place / "tables.md").read_text().split("\n\n")[:2]
    assert (title, first) == (f"# {paper_page.TITLE}", f"**{warning}**")
    _, _, after = (place / "page.html").read_text().partition("</h1>")
    assert after.startswith(f"\n<p><strong>{warning}</strong></p>\n<p>")
    paper_table.main(["--results", "runs/quick/results", "--check"])

    paper_table.main([*TWO[:1], "kuhn_poker", *TWO[2:]])
    for name in ("tables.md", "page.html"):
        assert "trial" not in (PLACE / name).read_text()


def test_a_quick_trial_can_be_made_again_and_replaces_nothing_but_trials(fake_trainer, short):
    trial = ["--quick", "--games", "kuhn_poker"]
    paper_table.main([*trial, "--seeds", "2"])
    paper_table.main(trial)
    assert load(Path("runs/quick/results/credit_ablation/kuhn_poker.json")).seeds == (0,)

    paper_table.main(["--games", "kuhn_poker", "--seeds", "1", *PLACES])
    kept = Path("results/credit_ablation/kuhn_poker.json").read_bytes()
    with pytest.raises(BenchmarkError, match=r"is of other settings: .* --results .*--replace"):
        paper_table.main([*trial, *PLACES])
    assert Path("results/credit_ablation/kuhn_poker.json").read_bytes() == kept


def test_every_domain_and_the_joint_model_have_a_quick_setting():
    for game in paper_table.GAMES:
        config = paper_table.settings(game, quick=True)
        assert config.learning.iterations == 2
        rollouts = [config.alone(each).rollout for each in config.games]
        assert {(rollout.group_size, rollout.deals) for rollout in rollouts} == {(4, 1)}


@pytest.mark.parametrize("only", ["--write", "--check"])
def test_without_records_there_are_no_tables(only, tmp_path):
    with pytest.raises(BenchmarkError, match=r"holds none of .*kuhn_poker\.json, joint-prisoners"):
        paper_table.main([only, "--results", str(tmp_path)])
    assert not list(tmp_path.iterdir())
