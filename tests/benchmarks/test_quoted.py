"""What the prose quotes is what the records say."""

from __future__ import annotations

import re

import pytest

from benchmarks.command_line import BenchmarkError
from benchmarks.leaderboard.records import Exploitability, agent_path, load_agent, save_agent
from benchmarks.quoted import ALL, as_recorded, main, mistakes, pages
from benchmarks.records import RESULTS, save

SHARED = "credit_ablation/default | shared | exploitability"


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_every_number_that_a_page_quotes_is_its_records(page):
    assert mistakes(page.read_text(), RESULTS) == []


@pytest.fixture
def results(make_record, tmp_path):
    """shared: .21, .42, .23, so a mean of .2867 [.21, .42]; credited: a median of .02."""
    save(make_record(), results=tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "said",
    [
        f"ends at 0.287 <!-- = {SHARED} | mean --> on average",
        f"**+.29**<!-- = {SHARED} | mean -->",
        f"at 28.7% <!-- = {SHARED} | mean -->, 29 % <!-- = {SHARED} | mean --> in short",
        f"0.29 [0.21, 0.42] <!-- = {SHARED} | mean interval -->",
        f"0.21 <!-- = {SHARED} | first --> with its first seed",
        f"between 0.21 and 0.42 <!-- = {SHARED} | interval -->",
        "2% <!-- = credit_ablation/default | credited | exploitability | median -->",
        "-0.27 <!-- = credit_ablation/default | credited - shared | exploitability | mean -->",
    ],
)
def test_a_number_that_is_its_records_passes(results, said):
    assert mistakes(said, results) == []


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (f"0.286 <!-- = {SHARED} | mean -->", "0.286 is said to be credit_ablation/default"),
        (f"-0.287 <!-- = {SHARED} | mean -->", "-0.287 is said to be"),
        (f"0.287% <!-- = {SHARED} | mean -->", "0.287% is said to be"),
        (f"0.29 [0.21, 0.43] <!-- = {SHARED} | mean interval -->", "0.29 0.21 0.43 is said"),
        (f"0.42 <!-- = {SHARED} | interval -->", "0.42 is said to be"),
        (f"much <!-- = {SHARED} | mean -->", "no number is said to be"),
        (f"0.29 <!-- = {SHARED} | mode -->", "there is no 'mode'"),
        ("0.29 <!-- = credit_ablation/other | a | b | mean -->", "no record other.json"),
        ("0.29 <!-- = credit_ablation/default | a | b | mean -->", "has no 'a', but credited"),
        ("0.29 <!-- = credit_ablation/default -->", "write record | group | quantity"),
    ],
)
def test_a_number_that_is_not_its_records_is_told(results, said, complaint):
    [told] = mistakes(said, results)
    assert complaint in told


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("0.25 [0.20, 0.30] <!-- = {} | kuhn_poker | exploitability | mean interval -->", None),
        ("0.50 <!-- = {} | kuhn_poker | u | mean -->", None),
        ("0.26 <!-- = {} | kuhn_poker | exploitability | mean -->", "0.26 is said to be"),
        ("0.50 <!-- = {} | no_such | u | mean -->", "the row has no 'no_such', but kuhn_poker"),
        ("0.50 <!-- = {} | kuhn_poker | c | mean -->", "there is no such number"),
        ("0.50 <!-- = {} | kuhn_poker | u | median -->", "there is no such number"),
        ("0.50 <!-- = {} | kuhn_poker | u | interval -->", "there is no such number"),
        ("0.50 <!-- = {} | kuhn_poker | also | mean -->", "there is no such number"),
    ],
)
def test_a_row_of_the_leaderboard_can_be_quoted(results, said, complaint):
    """A bound of .25 [.2, .3]; u is .5 without an interval, and c is not defined."""
    row = load_agent(agent_path("random"))
    bound = Exploitability(value=0.25, low=0.2, high=0.3, kind="lower bound")
    changes = {"exploitability": bound, "u": (0.5, None, None), "c": "zero-sum"}
    score = row.domains["kuhn_poker"].model_copy(update=changes)
    somebody = row.agent.model_copy(update={"name": "somebody"})
    changed = {"agent": somebody, "domains": {"kuhn_poker": score}}
    save_agent(row.model_copy(update=changed), results / "leaderboard")
    told = mistakes(said.format("leaderboard/agents/somebody"), results)
    assert (complaint in told[0]) if complaint else not told


def test_a_page_may_ask_that_every_number_has_a_source(results):
    """Whole numbers, code and links are free; what another source has is said to be from there."""
    page = f"{ALL}\nFive seeds: 0.29 <!-- = {SHARED} | mean -->, not .77 <!-- from elsewhere -->"
    assert mistakes(f"{page}, `0.5` of [them](a/0.1.json) in 5 runs.", results) == []
    assert mistakes(f"{page}, and 0.5 besides.", results) == ["0.5 has no source."]
    early = page.replace("Five seeds:", "Of 90 %,")
    assert mistakes(early, results) == ["90 % has no source."]
    assert mistakes(early.replace(ALL, ""), results) == []


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("of 5 it is 0.4 [0.1, 0.2] <!-- = {} | mean interval -->", "of 5 it is 0.3 [0.2, 0.4]"),
        ("+1.25 <!-- = {} | mean -->", "+0.29"),
        ("**.251** <!-- = {} | mean -->", "**.287**"),
        ("12 % <!-- = {} | mean -->, 12% <!-- = {} | mean -->", "29 %, 29%"),
        ("12\n% <!-- = {} | mean -->", "29\n%"),
        ("0.10 <!-- from elsewhere --> 0.5 <!-- = {} | mean -->", "0.10 0.3"),
        ("`0.5` 0.5 <!-- = {} | mean --> and 0.5", "`0.5` 0.3 and 0.5"),
        ("0.5 <!-- = {} | interval -->", "0.5"),
        ("0.5 <!-- = {} | mode -->", "0.5"),
    ],
)
def test_numbers_are_put_in_as_the_ones_before_were_written(results, said, says):
    made = as_recorded(said.replace("{}", SHARED), results)
    assert re.sub(r" <!--.*?-->", "", made) == says
    assert re.findall("<!--.*?-->", made) == re.findall("<!--.*?-->", said.replace("{}", SHARED))


def test_a_number_below_zero_keeps_its_kind_of_minus(results):
    source = "<!-- = credit_ablation/default | credited - shared | exploitability | mean -->"
    assert as_recorded(f"+.99 {source}", results) == f"-.27 {source}"
    assert as_recorded(f"\N{MINUS SIGN}9.9 {source}", results) == f"\N{MINUS SIGN}0.3 {source}"


def test_pages_are_written_anew_when_asked(results, tmp_path, capsys):
    page = tmp_path / "page.md"
    wrong, right = (f"{ALL} {value} <!-- = {SHARED} | mean -->" for value in ("0.9", "0.3"))
    page.write_text(wrong)
    given = [str(page), "--results", str(results)]
    with pytest.raises(SystemExit, match=r"page\.md: 0\.9 is said to be"):
        main(given)
    assert page.read_text() == wrong
    main([*given, "--write"])
    assert page.read_text() == right
    assert "page.md is written anew" in capsys.readouterr().out
    main(given)
    with pytest.raises(BenchmarkError, match="there is no page"):
        main([str(tmp_path / "other.md")])
