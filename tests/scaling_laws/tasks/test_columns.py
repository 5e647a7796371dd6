"""Columns as inputs: imputing, one-hot and standardising against pandas and scikit-learn."""

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError
from scaling_laws.tasks import columns
from scaling_laws.tasks.columns import Numbers, Words
from scaling_laws.tasks.csv_file import MISSING, Csv

VALUES = st.integers(-8_000_000, 8_000_000).map(lambda eighths: eighths / 8) | st.just(float("nan"))
CELLS = st.sampled_from(["1", "-2.5", "3e2", "0", "x", "y z", *sorted(MISSING)])


def table(*cells):
    rows = tuple((cell,) for cell in cells)
    return Csv("f.csv", ("a",), rows, tuple(range(2, len(rows) + 2)))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(VALUES, min_size=2, max_size=12), share=st.integers(1, 12), how=st.sampled_from(["median", "mean"])
)
def test_imputing_is_what_pandas_does_with_the_train_rows_alone(values, share, how):
    train = np.arange(min(share, len(values)))
    series = pandas.Series(values)
    seen = series.iloc[train]
    column = Numbers("a", np.array(values))
    if seen.isna().all() and series.isna().any():
        with pytest.raises(ConfigError, match="no value in the train split"):
            columns.imputed(column, train, how)
        return
    expected = series.fillna(getattr(seen, how)())
    found, note = columns.imputed(column, train, how)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)
    count = int(series.isna().sum())
    assert note == "" if not count else note.startswith(f"column 'a': {count} missing, each taken for ")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "b", "a", "é", "B"]), min_size=1, max_size=12))
def test_one_hot_is_what_pandas_does(words):
    found, levels = columns.one_hot(Words("a", tuple(words)))
    expected = pandas.get_dummies(pandas.Series(words), dtype=np.float32)
    assert levels == tuple(expected.columns)
    np.testing.assert_array_equal(found, expected.to_numpy())
    assert found.dtype == np.float32


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=10))
def test_a_column_is_numbers_where_pandas_says_so(cells):
    series = pandas.Series(cells).replace(sorted(MISSING), np.nan)
    values = pandas.to_numeric(series, errors="coerce")
    n_words = int((values.isna() & series.notna()).sum())
    if n_words and n_words <= int(values.notna().sum()):
        with pytest.raises(ConfigError, match="is not a number, as"):
            columns.typed(table(*cells), "a")
        return
    found = columns.typed(table(*cells), "a")
    assert isinstance(found, Words) == bool(n_words)
    expected = series.fillna("").to_numpy() if n_words else values.to_numpy(float)
    np.testing.assert_array_equal(np.array(found.values), expected)
    np.testing.assert_array_equal(found.missing, series.isna())


def test_a_bad_cell_is_named_with_line_column_and_what_the_others_are():
    with pytest.raises(ConfigError) as error:
        columns.typed(table("1", "2", "", "twelve", "4", "NA"), "a")
    assert str(error.value) == (
        "task.path: f.csv line 5, column 'a': 'twelve' is not a number, as 3 of the column's 4 cells are; allowed: a "
        "finite number, or empty, NA, N/A, nan, null or ? where it is missing"
    )
    assert columns.typed(table("1", "2", "", "twelve", "4", "NA"), "a", mixed=True).values == (
        "1", "2", "", "twelve", "4", "",
    )  # fmt: skip


def test_numbers_are_refused_for_a_single_word():
    with pytest.raises(ConfigError, match=r"line 3, column 'a': 'x' is not a number; allowed"):
        columns.numbers(table("1", "x", "x", "x"), "a")


def test_inputs_are_standardised_by_the_train_rows_as_scikit_learn_does():
    from sklearn.preprocessing import StandardScaler

    values = np.random.default_rng(0).normal(5e8, 3, 50)  # a large mean: float32 would lose the digits
    train = np.arange(30)
    found, _ = columns.encode([Numbers("a", values)], train, "median", True, "f")
    expected = StandardScaler().fit(values[train, None]).transform(values[:, None])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


@settings(max_examples=40, deadline=None)
@given(
    train=st.lists(VALUES, min_size=2, max_size=6).filter(lambda values: not all(map(np.isnan, values))),
    others=st.lists(VALUES, min_size=1, max_size=6),
    how=st.sampled_from(["median", "mean", "zero"]),
)
def test_nothing_outside_the_train_rows_changes_their_inputs(train, others, how):
    def inputs(rest):
        return columns.encode([Numbers("a", np.array([*train, *rest]))], np.arange(len(train)), how, True, "f")[0]

    np.testing.assert_array_equal(inputs(others)[: len(train)], inputs([0.0])[: len(train)])


def test_a_constant_column_becomes_zeros_and_is_noted():
    found, notes = columns.encode(
        [Numbers("a", np.full(3, 0.1)), Words("w", ("x", "x", "x"))], np.arange(3), "mean", True, "f"
    )
    np.testing.assert_array_equal(found, [[0, 1]] * 3)
    assert notes == ["levels of words: 'w' 1", "columns that are constant: 'a', 'w'"]


def test_unscaled_inputs_are_as_they_are():
    found, notes = columns.encode([Numbers("a", np.array([1.5, np.nan, 4]))], np.array([0, 1]), "zero", False, "f")
    np.testing.assert_array_equal(found, [[1.5], [0], [4]])
    assert notes == ["column 'a': 1 missing, each taken for 0"]


def test_columns_stay_in_order_and_a_missing_word_is_a_level():
    parts = [Words("w", ("b", "", "b")), Numbers("a", np.array([1.0, 2, 3]))]
    found, notes = columns.encode(parts, np.arange(3), "median", False, "f")
    np.testing.assert_array_equal(found, [[0, 1, 1], [1, 0, 2], [0, 1, 3]])
    assert notes == ["column 'w': 1 missing, a level of its own", "levels of words: 'w' 2"]


@pytest.mark.parametrize("column", [Numbers("a", np.array([1, np.nan])), Words("a", ("x", ""))])
def test_missing_cells_are_refused_on_demand(column):
    with pytest.raises(ConfigError, match=r"task.impute: refuse; .* column 'a' has 1"):
        columns.encode([column], np.arange(2), "refuse", True, "f")


def test_free_text_and_identifiers_are_refused_all_at_once():
    free = [Words(f"t{k}", tuple(f"text {k} {row}" for row in range(9))) for k in range(10)]
    with pytest.raises(ConfigError) as error:
        columns.encode(free, np.arange(9), "median", True, "f")
    assert "columns 't0', 't1'" in str(error.value)
    assert "task.ignore=t0,t1,t2,t3,t4,t5,t6,t7,t8,t9 to leave out" in str(error.value)
    assert str(error.value).endswith("; task.name=labelled_text reads a column of text")


def test_a_thousand_levels_are_allowed_and_one_more_is_not():
    def words(n):
        return Words("a", tuple(f"w{k % n}" for k in range(2 * n)))

    assert columns.encode([words(1000)], np.arange(5), "median", True, "f")[0].shape == (2000, 1000)
    with pytest.raises(ConfigError, match="column 'a' holds more than 1000 different words"):
        columns.encode([words(1001)], np.arange(5), "median", True, "f")


def test_a_value_that_overflows_when_standardised_is_refused():
    with pytest.raises(ConfigError, match="column 'a' of f, standardised, has values that no float32 holds"):
        columns.encode([Numbers("a", np.array([0, 1e-9, 3e38]))], np.arange(2), "median", True, "f")


def test_digests_tell_rows_apart_by_value_whatever_other_rows_hold():
    numbers = Numbers("n", np.array([1.0, 1, 0, -0.0, np.nan, np.nan]))
    words = Words("w", ("a", "b", "a", "a", "a", "a"))
    found = [row.tobytes() for row in columns.row_digests([words, numbers], 6)]
    assert len(set(found)) == 4
    assert found[2] == found[3]
    assert found[4] == found[5]
    alone = columns.row_digests([Words("w", ("b",)), Numbers("n", np.array([1.0]))], 1)
    assert alone[0].tobytes() == found[1]
