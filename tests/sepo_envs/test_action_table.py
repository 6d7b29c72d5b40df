import pytest

from sepo_envs.exact import ActionTable


def test_a_row_that_single_precision_has_rounded_is_accepted():
    row = ActionTable({"J": {"pass": 0.1, "bet": 0.9 + 1e-7}})
    assert row["J"]["bet"] == 0.9 + 1e-7


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"pass": 0.5}, "sum to 0.5, not to 1"),
        ({}, "sum to 0, not to 1"),
        ({"pass": 1.5, "bet": -0.5}, "a probability is negative"),
        ({"pass": float("nan"), "bet": 1.0}, "sum to nan, not to 1"),
    ],
)
def test_a_row_that_is_no_distribution_is_refused_by_name(row, reason):
    with pytest.raises(ValueError, match=f"situation 'J'.*{reason}"):
        ActionTable({"J": row})


def test_probabilities_come_in_the_order_asked_for_and_an_unnamed_move_has_none():
    table = ActionTable({"J": {"bet": 1.0}})
    assert table.probabilities("J", ("pass", "bet")) == [0.0, 1.0]


def test_a_missing_situation_is_named_beside_those_that_are_there():
    table = ActionTable({"J": {"bet": 1.0}, "Q": {"bet": 1.0}})
    with pytest.raises(ValueError, match="nothing about situation 'K'; its 2 situations are J, Q"):
        table.probabilities("K", ("pass", "bet"))


def test_probability_on_an_illegal_move_is_refused_rather_than_lost():
    table = ActionTable({"J": {"bet": 0.5, "raise": 0.5}})
    with pytest.raises(ValueError, match=r"not legal there.*pass, bet\. Was the table made for"):
        table.probabilities("J", ("pass", "bet"))


def test_the_worst_read_situation_decides_what_may_be_called_exact():
    rows = {"J": {"bet": 1.0}, "Q": {"bet": 1.0}}
    assert ActionTable(rows, uncovered={"J": 0.01, "Q": 0.2}).most_uncovered == 0.2
