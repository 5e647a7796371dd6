"""Reading CSV files: against the standard library's own writer and reader, and pandas."""

import csv
import io

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError
from scaling_laws.tasks import csv_file

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=8)
NAMES = st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), min_size=2, max_size=4, unique=True)


def written(folder, header, rows, end="\r\n", quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows])
    place = folder / "table.csv"
    place.write_bytes(text.getvalue().encode())
    return place


@st.composite
def tables(draw):
    header = draw(NAMES)
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header)), min_size=1, max_size=5))
    return header, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("csv")


# with other line ends the standard writer quotes no cell for the line ends of another kind in it
WAYS = [(end, csv.QUOTE_ALL) for end in ("\n", "\r\n", "\r")] + [("\r\n", csv.QUOTE_MINIMAL)]


@settings(max_examples=50, deadline=None)
@given(table=tables(), way=st.sampled_from(WAYS))
def test_what_the_standard_writer_writes_is_read_back_stripped(folder, table, way):
    header, rows = table
    found = csv_file.read(str(written(folder, header, rows, *way)))
    assert found.header == tuple(header)
    assert found.rows == tuple(tuple(cell.strip() for cell in row) for row in rows)


@settings(max_examples=50, deadline=None)
@given(table=tables())
def test_lines_are_those_on_which_the_rows_begin(folder, table):
    header, rows = table
    place = written(folder, header, rows, "\n", csv.QUOTE_ALL)
    before = [io.StringIO(newline="") for _ in rows]
    for k, text in enumerate(before):
        csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([header, *rows[:k]])
    expected = [len(io.StringIO(text.getvalue() + ".", newline="").readlines()) for text in before]
    assert list(csv_file.read(str(place)).lines) == expected


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=60) | st.text('ab,"\n\r;1. \0\ufeffé', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(folder, raw):
    place = folder / "any.csv"
    place.write_bytes(raw)
    found = refusal = None
    try:
        found = csv_file.read(str(place))
    except ConfigError as error:
        refusal = str(error)
    if found:
        assert {len(row) for row in found.rows} == {len(set(found.header))}
        assert len(found.rows) == len(found.lines)
    else:
        assert refusal.startswith(f"task.path: {place} ")
        assert "\n" not in refusal


def test_mark_at_the_start_blank_lines_and_white_space_do_not_count(tmp_path):
    place = tmp_path / "a.csv"
    place.write_bytes(b'\xef\xbb\xbf\n a , b \n\n 1,"x, ""y"" "\n   \n2, "z"\n')
    found = csv_file.read(str(place))
    assert found.header == ("a", "b")
    assert found.rows == (("1", 'x, "y"'), ("2", "z"))
    assert found.lines == (4, 6)
    expected = pandas.read_csv(place, skipinitialspace=True, encoding="utf-8-sig", dtype=str, skip_blank_lines=True)
    assert expected.columns[0].strip() == "a"
    assert expected.iloc[0].tolist() == ["1", 'x, "y" ']


def test_an_empty_quoted_cell_is_a_row_of_a_table_with_one_column(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text('a\n1\n""\n\n3\n')
    found = csv_file.read(str(place))
    assert (found.rows, found.lines) == ((("1",), ("",), ("3",)), (2, 3, 5))


def test_a_header_that_counts_is_a_header(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text("0,1,2\n5,6,7\n")
    assert csv_file.read(str(place)).header == ("0", "1", "2")


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_reads_as_pythons_own_repr_says(value):
    assert csv_file.number(repr(value)) == value
    assert csv_file.number(f"{value:e}") == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    "cell",
    ["", "1_000", "1,000", "0x10", "inf", "-inf", "nan", "1e39", "1e400", "one", "١", "1 2", "--1", "1.2.3", "1e"],
)
def test_what_is_no_finite_number_is_none(cell):
    assert csv_file.number(cell) is None


def test_the_largest_number_is_what_float32_holds():
    assert csv_file.number("3.4e38") == 3.4e38
    assert 3.4e38 < float(np.finfo(np.float32).max) < 3.5e38
    assert csv_file.number("3.5e38") is None


def test_long_cells_and_long_lists_are_shown_short_and_on_one_line():
    assert csv_file.shown("a\nb") == r"'a\nb'"
    assert len(csv_file.shown("x" * 1000)) == csv_file.SHOWN + 2
    assert csv_file.listed([f"c{k}" for k in range(20)], 2) == "'c0', 'c1', ... (20 in all)"
