"""The tables of benchmarks/README.md are what the records say."""

from __future__ import annotations

import pytest

from benchmarks import readme
from benchmarks.records import load_all, save

MARKERS = f"# Title\n\n{readme.BEGIN}\n{readme.END}\n\nMore prose.\n"


def test_the_tables_of_the_readme_are_as_the_records_are():
    readme.main(["--check"])


def test_every_stored_record_can_be_read():
    load_all()


@pytest.fixture
def folder(make_record, tmp_path):
    save(make_record(), results=tmp_path / "results")
    (tmp_path / "README.md").write_text(MARKERS)
    return tmp_path


def run(folder, *options):
    readme.main(
        ["--readme", str(folder / "README.md"), "--results", str(folder / "results"), *options]
    )


def test_a_stale_table_is_found_and_mended(folder, make_record, capsys):
    with pytest.raises(SystemExit) as ended:
        run(folder, "--check")
    assert ended.value.code == 1
    assert "Mend it with: python -m benchmarks.readme" in capsys.readouterr().err
    run(folder)
    run(folder, "--check")
    text = (folder / "README.md").read_text()
    assert text.startswith("# Title\n")
    assert text.endswith("More prose.\n")

    (folder / "README.md").write_text(text.replace("0.0200", "0.0100", 1))
    with pytest.raises(SystemExit):
        run(folder, "--check")


def test_a_row_tells_mean_interval_and_paired_difference(folder):
    """credited .01 .02 .03, shared .21 .42 .23: the difference is -.2, -.4, -.2."""
    run(folder)
    rows = (folder / "README.md").read_text().splitlines()
    (row,) = [row for row in rows if "| shared |" in row]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[3] == "0.2867 [0.2100, 0.4200]"
    assert cells[4] == "0.4200"
    assert cells[8] == "-0.2667 [-0.4000, -0.2000]"
    text = "\n".join(rows)
    assert "`python -m benchmarks.credit_ablation --seeds 3`" in text
    assert "learning.iterations = 7; seeds 0 to 2" in text


def test_a_picture_is_shown_where_there_is_one(folder):
    run(folder)
    assert "![" not in (folder / "README.md").read_text()
    (folder / "results" / "credit_ablation" / "default.svg").write_text("<svg/>")
    run(folder)
    assert "](results/credit_ablation/default.svg)" in (folder / "README.md").read_text()


def test_without_records_there_is_no_number(tmp_path):
    (tmp_path / "README.md").write_text(MARKERS)
    run(tmp_path)
    assert readme.NOTHING in (tmp_path / "README.md").read_text()
