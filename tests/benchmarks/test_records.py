"""A record comes back as it was stored, and a file that is not one is refused with its reason."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from benchmarks.records import Curve, RecordError, difference, load, load_all, measure, save


def test_a_record_comes_back_as_it_was_stored(make_record, tmp_path):
    curve = Curve(columns=("iteration", "J"), seeds={"0": ((0, 0.2), (1, 0.1))})
    record = make_record(curves={"shared": curve}, notes=("a note",))
    path = save(record, results=tmp_path)
    assert path == tmp_path / "credit_ablation" / "default.json"
    assert load(path) == record
    assert load_all(tmp_path) == [record]
    text = path.read_text()
    save(load(path), results=tmp_path)
    assert path.read_text() == text


def test_the_file_is_for_people_too(make_record, tmp_path):
    """Fields in their order, lists of numbers in one line."""
    text = save(make_record(), results=tmp_path).read_text()
    assert text.splitlines()[1:4] == [
        ' "schema_version": 1,',
        ' "benchmark": "credit_ablation",',
        ' "name": "default",',
    ]
    assert '    "values": [0.01, 0.02, 0.03],' in text.splitlines()
    assert ' "seeds": [0, 1, 2],' in text.splitlines()


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("schema_version",), 2, "has schema_version 2, and this code reads 1"),
        (("colour",), "red", "there is no field 'colour' in a record"),
        (("seeds",), [0, 0, 1], "names one twice"),
        (("seeds",), [0, 1], "has 3 values for 2 seeds"),
        (("config_digest",), "abc", "config_digest is 'abc', but"),
        (("name",), "../x", "name is '../x', but"),
        (("certificate", "commit"), "HEAD", "certificate.commit is 'HEAD', but"),
        (("certificate", "date"), "yesterday", "certificate.date is 'yesterday', but"),
        (("certificate", "hardware", "cores"), 0, "certificate.hardware.cores is 0, but"),
        (
            ("measures", "credited", "exploitability", "mean"),
            0.001,
            "`mean` is 0.001, but of the values it is 0.02. Was the file edited?",
        ),
        (
            ("measures", "credited", "exploitability", "interval", "low"),
            0.025,
            "the interval does not hold the mean",
        ),
        (
            ("measures", "credited", "exploitability", "interval"),
            None,
            "needs either an interval or",
        ),
        (
            ("measures", "credited", "exploitability", "values"),
            [0.01, 0.02, None],
            "`missing` is 'none', and the values say otherwise",
        ),
    ],
)
def test_a_malformed_record_is_refused_with_the_reason(make_record, tmp_path, place, value, said):
    path = save(make_record(), results=tmp_path)
    tree = json.loads(path.read_text())
    node = tree
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    path.write_text(json.dumps(tree))
    with pytest.raises(RecordError) as refusal:
        load(path)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_missing_field_and_a_broken_file_are_named(make_record, tmp_path):
    path = save(make_record(), results=tmp_path)
    tree = json.loads(path.read_text())
    del tree["certificate"]["command"]
    path.write_text(json.dumps(tree))
    with pytest.raises(RecordError, match=r"the field 'certificate\.command' is missing"):
        load(path)
    path.write_text("{")
    with pytest.raises(RecordError, match=r"cannot be read as a record.*or restore the file"):
        load(path)


def test_a_record_in_the_wrong_place_is_refused(make_record, tmp_path):
    path = save(make_record(), results=tmp_path)
    with pytest.raises(RecordError, match=r"it is credit_ablation/default\.json. Move it there"):
        load(path.rename(path.with_name("better.json")))


def test_what_was_not_reached_counts_as_later_than_the_rest():
    reached = measure([7.0, None, 9.0], "seconds", missing="not reached")
    assert (reached.median, reached.low, reached.high) == (9.0, 7.0, None)
    assert reached.mean is None
    assert reached.interval is None
    mostly_not = measure([7.0, None, None], "seconds", missing="not reached")
    assert mostly_not.median is None


def test_what_was_not_measured_has_no_summary():
    unknown = measure([7.0, None, 9.0], "MiB")
    assert (unknown.missing, unknown.mean, unknown.median) == ("not measured", None, None)


def test_differences_are_paired_by_seed():
    """Two arms that differ by 1 for every seed differ by 1 for certain, however seeds vary."""
    mine, theirs = measure([1, 5, 9], "points"), measure([2, 6, 10], "points")
    paired = difference(mine, theirs)
    assert (paired.values, paired.mean) == ((-1, -1, -1), -1)
    assert paired.no_interval == "all 3 values are equal"
    with pytest.raises(ValueError, match="cannot be paired"):
        difference(mine, measure([1, 2], "points"))
    with pytest.raises(ValueError, match="points over seeds cannot be paired with seconds"):
        difference(mine, measure([1, 2, 3], "seconds"))


def test_a_number_that_is_no_number_is_no_result():
    with pytest.raises((ValidationError, ValueError)):
        measure([0.1, float("nan"), 0.2], "points")
