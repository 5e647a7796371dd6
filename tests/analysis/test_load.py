"""Tables of every kind in; exclusions by name; hypothesis on what a stranger's CSV may hold."""

import csv
import itertools
import json
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known import CHINCHILLA_COLUMNS, published
from table_rows import a_curve, a_row

from analysis import load, select
from analysis.load import columns, files
from scaling_laws import table as tables
from scaling_laws.config import ConfigError

ROWS = [
    {"run_id": "1e5", "status": "finished", "N": 1e6, "D": 2e8, "loss": 3.5, "kind": "a"},
    {"run_id": "b", "status": "diverged", "N": 2e6, "D": 2e8, "loss": None, "kind": "a"},
    {"run_id": "c", "status": "finished", "N": 4e6, "D": 2e8, "loss": 3.1, "kind": "b"},
    {"run_id": "d", "status": "finished", "N": 8e6, "D": 2e8, "loss": -1.0, "kind": "b"},
]
COLUMNS = "n_params=N, tokens=D"


def write(tmp_path, suffix, rows=ROWS):
    path = tmp_path / f"runs{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        lines = [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *lines]) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_runs(tmp_path, suffix):
    runs = load.load(write(tmp_path, suffix), COLUMNS)
    assert list(runs["run_id"]) == ["1e5", "c"]
    assert list(runs["n_params"]) == [1e6, 4e6]
    assert runs["flops"] == pytest.approx(6 * runs["n_params"] * runs["tokens"])
    assert runs.notes == (
        "flops are not in the table: C = 6 N D",
        "left out: loss is not a positive number in row 4 (first: -1)",
    )
    assert [(list(e.rows), e.names(), e.reason) for e in runs.excluded] == [
        ([2], ["b"], "status diverged"),
        ([4], ["d"], "loss is not a positive number"),
    ]


def test_tokens_follow_from_flops():
    runs = load.load(published("epoch_chinchilla/svg_extracted_data.csv"), CHINCHILLA_COLUMNS)
    assert len(runs) == 245
    assert 6 * runs["n_params"] * runs["tokens"] == pytest.approx(runs["flops"])
    assert "D = C / (6 N)" in runs.notes[0]


@pytest.mark.parametrize(
    ("columns", "where", "message"),
    [
        ("n_params=M,tokens=D", None, r"no column 'M'"),
        ("n_params=M,tokens=D", None, r"it has run_id, status, N, D, loss, kind \(columns: n_params=M\)"),
        ("n_params", None, "ours=theirs"),
        ("n_params=N,n_params=D", None, "'n_params' stands for 'N' and for 'D'"),
        ("tokens=D", None, "any two of n_params, tokens and flops"),
        (COLUMNS, "los < 3", "did you mean loss"),
        (COLUMNS, "loss <", "is not an expression"),
        (COLUMNS, "loss + 1", "yes-or-no"),
        (COLUMNS, "__import__('os').system('true') == 0", "not allowed"),
        (COLUMNS, "loss.__class__ == 1", "not allowed"),
        (COLUMNS, "kind < 3", "mixes text and numbers"),
        (COLUMNS, "loss > 100", "no usable row"),
        ("n_params=kind,tokens=D", None, "column 'n_params' holds text: row 1 is 'a'; allowed"),
    ],
)
def test_bad_requests_are_one_line(tmp_path, columns, where, message):
    with pytest.raises(ValueError, match=message) as caught:
        load.load(write(tmp_path, ".csv"), columns, where)
    assert isinstance(caught.value, load.DataError | ConfigError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"\n\n", "no rows"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n\n1\n", "line 4 has 1 fields; allowed: 2"),
        (b"a,b,a\n1,2,3\n", "'a' names two columns"),
        (b"a,b\n1,2\n1,\xff2\n", r"line 3 is not UTF-8 \(byte 0xff at 3\)"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1 is not UTF-8"),
        (b"n_params,tokens,loss\n1,2,3\n1,2,x y\n", "row 2 is 'x y'"),
        (b"n_params,tokens\n1,2\n", "no column 'loss'.*it has n_params, tokens, flops"),
    ],
)
def test_broken_csv_is_refused_by_its_line(tmp_path, content, message):
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(load.DataError, match=message) as caught:
        load.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no rows"),
        ('{"loss": 1}\n\n{"loss": \n', "line 3 is not JSON"),
        ("[1]\n", "line 1 is no JSON object"),
        ('{"loss": ' + "9" * 5000 + "}\n", "line 1 is not JSON"),
        ("[" * 100000, "line 1 is not JSON"),
    ],
)
def test_broken_jsonl_is_refused_by_its_line(tmp_path, content, message):
    path = tmp_path / "runs.jsonl"
    path.write_text(content)
    with pytest.raises(load.DataError, match=message):
        load.load(path)


def test_json_numbers_of_any_size_and_rows_of_any_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 2)
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"x": 1}}\n{{"y": true}}\n\n{{"x": 1{"0" * 400}, "z": {{"a": [1]}}}}\n{{"x": -1{"0" * 400}}}\n')
    runs = load.load(path, needs=())
    assert np.array_equal(runs["x"], [1, np.nan, np.inf, -np.inf], equal_nan=True)
    assert np.array_equal(runs["y"], [np.nan, 1, np.nan, np.nan], equal_nan=True)
    assert list(runs["z"]) == ["", "", "{'a': [1]}", ""]


def test_a_gap_in_the_third_of_n_d_and_c_costs_its_row_alone(tmp_path):
    path = tmp_path / "runs.csv"
    for values, kept, note in (
        ("nan,-1,inf,6e9", 1, "flops is not a positive number in rows 1-3"),
        (",,,", 4, "C = 6 N D"),
    ):
        rows = [f"1000,1000000,3.{i},{value}" for i, value in enumerate(values.split(","))]
        path.write_text("\n".join(["n_params,tokens,loss,flops", *rows]))
        runs = load.load(path)
        assert len(runs) == kept
        assert note in runs.notes[-1]
    path.write_text("n_params,tokens,loss,flops\n1,2,3,much\n")
    with pytest.raises(load.DataError, match="column 'flops' holds text: row 1 is 'much'"):
        load.load(path)


def test_rows_beyond_what_a_fit_can_square_are_left_out(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("n_params,tokens,loss\n1e-320,1e9,3\n1e6,1e308,3\n1e6,1e9,3\n1e90,1e90,3\n")
    runs = load.load(path)
    assert runs.notes[1:] == (
        "left out: n_params is not within 1e-100 and 1e+100 in row 1 (first: 9.99989e-321)",
        "left out: tokens is not within 1e-100 and 1e+100 in row 2 (first: 1e+308)",
        "left out: flops is not within 1e-100 and 1e+100 in row 4 (first: 6e+180)",
    )
    assert len(runs) == 1


def test_tables_that_never_end_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    (tmp_path / "wide.csv").write_text("a" + "," * files.MOST_COLUMNS + "\n")
    said = {"pipe.csv": "neither a file", "zero.jsonl": "neither a file", "wide.csv": "20001 columns"}
    for name, message in said.items():
        with pytest.raises(load.DataError, match=message):
            load.load(tmp_path / name)


def test_moments_that_python_cannot_hold_are_text(tmp_path):
    kinds = {"a": pa.date32(), "b": pa.timestamp("us"), "c": pa.time64("ns")}
    far = {"a": pa.array([2**31 - 1], kinds["a"]), "b": pa.array([2**62], kinds["b"]), "c": pa.array([1], kinds["c"])}
    pq.write_table(pa.table(far), tmp_path / "x.parquet")
    runs = load.load(tmp_path / "x.parquet", needs=())
    assert [runs[name].dtype.kind for name in far] == ["U"] * 3
    assert runs["c"][0] == "00:00:00.000000001"


def test_broken_parquet_is_refused(tmp_path):
    (tmp_path / "runs.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(load.DataError, match=r"runs\.parquet: not a readable parquet"):
        load.load(tmp_path / "runs.parquet")


def test_how_a_csv_is_written_does_not_matter(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(
        b'\xef\xbb\xbf"n_params",tokens,loss,note,\r\n"1e6", 2e8 ,+3.5,"a, ""b""\nc",x\r\n\r\n'
        b"2e6,NA,3,,y\r\n4e6,2e8,inf,nan,z"
    )
    runs = load.load(path)
    assert (len(runs), runs["n_params"][0], runs["tokens"][0], runs["loss"][0]) == (1, 1e6, 2e8, 3.5)
    assert (runs["note"][0], runs["column 5"][0]) == ('a, "b"\nc', "x")
    assert [(e.reason, list(e.rows)) for e in runs.excluded] == [
        ("tokens is not a positive number", [2]),
        ("loss is not a positive number", [3]),
    ]


def column_of(path, text, needs=()):
    path.write_text("x,kind\n" + "".join(f"{word},k\n" for word in text))
    return load.load(path, needs=needs)["x"]


def test_what_is_a_number_and_what_is_text(tmp_path):
    path = tmp_path / "x.csv"
    numbers = column_of(path, ["1", "", "NA", "n/a", "null", "None", "nan", "-Infinity", "+.5", " 7 "])
    assert np.array_equal(numbers, [1, *[np.nan] * 6, -np.inf, 0.5, 7], equal_nan=True)
    for words in (["1_000", "2"], ["０", "1"], ["0x10", "1"], ["none", "none"], ["NA", "None"], ["True", "False"]):
        assert list(column_of(path, words)) == words
    assert column_of(path, ["", ""]).dtype.kind == "f"


WORDS = st.one_of(
    st.floats().map(repr),
    st.sampled_from(["NA", "none", "", "1_0", "nan", "+1", " 2 ", "0x1", "inf", "1e400", "\t3", "１"]),
    st.text(st.characters(codec="utf-8"), max_size=6),
)


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_any_column_reads_alike_from_csv_jsonl_and_parquet(tmp_path_factory, words):
    """Arrow's parser, json and Arrow's columns, one rule of what is a number."""
    folder = tmp_path_factory.mktemp("same")
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["x", "rest"], *([word, "r"] for word in words)])
    (folder / "t.jsonl").write_text("\n".join(json.dumps({"x": word, "rest": "r"}) for word in words))
    pq.write_table(pa.table({"x": words, "rest": ["r"] * len(words)}), folder / "t.parquet")
    read = [load.load(folder / f"t{suffix}", needs=())["x"] for suffix in (".csv", ".jsonl", ".parquet")]
    for column in read:
        if column.dtype.kind == "f":
            numbers = [np.nan if word.strip().lower() in columns.MISSING else float(word) for word in words]
            assert np.array_equal(column, numbers, equal_nan=True)
        else:
            assert column.tolist() == [word.rstrip("\0") for word in words]
    assert len({column.dtype.kind for column in read}) == 1


@given(st.lists(st.one_of(st.floats(), st.none()), min_size=1, max_size=8))
def test_numbers_with_gaps_read_alike(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("same")
    (folder / "t.csv").write_text("x,rest\n" + "".join(f"{'' if v is None else repr(v)},r\n" for v in values))
    (folder / "t.jsonl").write_text("\n".join(json.dumps({"x": v, "rest": "r"}) for v in values))
    pq.write_table(pa.table({"x": pa.array(values, pa.float64()), "rest": ["r"] * len(values)}), folder / "t.parquet")
    expected = np.array([np.nan if v is None else v for v in values])
    for suffix in (".csv", ".jsonl", ".parquet"):
        assert np.array_equal(load.load(folder / f"t{suffix}", needs=())["x"], expected, equal_nan=True)


def test_a_record_longer_than_a_block_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BLOCK", 64)
    path = tmp_path / "runs.csv"
    path.write_text(f"n_params,tokens,loss,config\n1,2,3,{'x' * 500}\n4,5,6,y\n")
    assert list(load.load(path)["config"]) == ["x" * 500, "y"]


def test_wide_texts_take_no_field_of_the_widest(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "WIDE", 100)
    path = tmp_path / "runs.csv"
    path.write_text("n_params,tokens,loss,config\n" + "".join(f"{k},2,3,{'x' * k}\n" for k in range(1, 40)))
    runs = load.load(path, where="config != 'xx'")
    assert runs["config"].dtype == object
    assert runs["config"][1] == "xxx"


def test_a_law_of_other_columns_needs_neither_n_nor_d(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("x,y,loss\n1,2,3\n2,,3\n0,1,3\n4,1,0\n")
    assert list(load.load(path, needs=("x", "loss"))["x"]) == [1, 2]
    runs = load.load(path, needs=("y", "loss"), nonnegative=("x",))
    assert list(runs["x"]) == [1, 0]
    with pytest.raises(load.DataError, match="any two of n_params, tokens and flops"):
        load.load(path, needs=("n_params", "loss"))
    path.write_text("n_params,loss\n1,3\n2,2\n")
    assert "flops" not in load.load(path, needs=("n_params", "loss"))


def test_third_of_n_d_and_c_follows(tmp_path):
    n, d, c = np.array([1e6, 2e6]), np.array([3e8, 5e8]), np.array([1.8e15, 6e15])
    full = {"n_params": n, "tokens": d, "flops": c, "loss": np.array([3.0, 2.0])}
    for missing in ("n_params", "tokens", "flops"):
        runs = load.runs_from({name: values for name, values in full.items() if name != missing})
        assert runs[missing] == pytest.approx(full[missing], rel=1e-12)
        assert len(runs.notes) == 1
        assert missing.split("_")[0] in runs.notes[0]


def test_text_in_rows_that_failed_is_no_matter(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("n_params,tokens,loss,status\n1,2,3,finished\n1,2,boom,crashed\n1,2,2,\n")
    runs = load.load(path)
    assert runs["loss"].tolist() == [3.0]
    assert runs.excluded_counts() == {"status crashed": 1, "status missing": 1}


def test_a_table_may_have_a_column_called_row(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("row,n_params,tokens,loss\nx,1,2,3\ny,1,2,3\n")
    runs = load.load(path, where="table_row == 'y'")
    assert runs.names() == ("row 2",)
    assert "table_row" in runs.notes[0]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([3], "row 3"),
        ([3, 17, 18, 19], "rows 3, 17-19"),
        ([19, 3, 18, 17], "rows 3, 17-19"),
        ([1, 3, 5, 7, 8], "rows 1, 3 and 3 more"),
    ],
)
def test_row_lists(rows, text):
    assert load.row_list(np.array(rows), shown=2) == text


@given(st.sets(st.integers(1, 60), min_size=1))
def test_row_spans_cover_exactly_the_rows(rows):
    spans = load.row_spans(np.array(list(rows)))
    assert sorted(rows) == [row for first, last in spans for row in range(first, last + 1)]
    assert all(late[0] > early[1] + 1 for early, late in itertools.pairwise(spans))


def test_files_that_are_not_there_or_of_no_kind(tmp_path):
    with pytest.raises(load.DataError, match="no such file"):
        load.load(tmp_path / "nothing.csv")
    (tmp_path / "runs.xls").write_text("x")
    with pytest.raises(load.DataError, match="allowed"):
        load.load(tmp_path / "runs.xls")


@given(st.lists(st.tuples(*[st.floats(1e-3, 1e30)] * 3), min_size=1, max_size=8))
def test_numbers_survive_a_csv(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "runs.csv"
    path.write_text("n_params,tokens,loss\n" + "".join(f"{n!r},{d!r},{loss!r}\n" for n, d, loss in rows))
    runs = load.load(path)
    assert [tuple(row) for row in zip(runs["n_params"], runs["tokens"], runs["loss"], strict=True)] == rows


def sweep_rows(**changes):
    columns = {
        "n_params": np.full(4, 1e5),
        "tokens": np.full(4, 1e7),
        "width": np.full(4, 16.0),
        "depth": np.full(4, 2.0),
        "budget": np.full(4, 6e12),
        "seed": np.array([0.0, 0.0, 0.0, 1.0]),
        "learning_rate": np.array([1e-3, 2e-3, 4e-3, 1e-3]),
        "loss": np.array([3.0, 2.5, 2.7, 2.9]),
        "purpose": np.array(["lr_check", "grid", "lr_check", "extra_seed"]),
    }
    return load.runs_from(columns | changes)


def test_the_best_learning_rate_of_each_seed_stays():
    runs = load.best_rate(sweep_rows())
    assert list(runs["loss"]) == [2.5, 2.9]
    assert {item.reason for item in runs.excluded} == {"not the best learning rate"}
    for name in ("depth", "base_width", "base_depth"):
        assert len(load.best_rate(sweep_rows(**{name: np.array([1.0, 2.0, 3.0, 4.0])}))) == 4


def test_repeated_tokens_are_no_worse_rate_than_fresh_ones():
    """The second run reads a tenth of its tokens ten times: it stands for itself, not for a badly chosen rate."""
    again = np.array([1e7, 1e6, 1e7, 1e7])
    assert list(load.best_rate(sweep_rows(unique_tokens=again))["loss"]) == [2.5, 2.7, 2.9]
    fresh = np.array([1e7, 1.001e7, 1e7, 1e7])  # whole steps: of what is read once the number tells nothing
    assert list(load.best_rate(sweep_rows(tokens=fresh, unique_tokens=fresh))["loss"]) == [2.5, 2.9]


def test_missing_budgets_do_not_split_a_group():
    assert len(load.best_rate(sweep_rows(budget=np.full(4, np.nan)))) == 2


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3, st.floats(1, 2)), min_size=1, max_size=30))
def test_best_rate_is_the_minimum_of_each_group(rows):
    width, depth, seed, loss = (np.array(values, dtype=float) for values in zip(*rows, strict=True))
    ones = np.ones(len(rows))
    names = {"n_params": ones, "tokens": ones, "learning_rate": ones, "loss": loss}
    runs = load.runs_from({"width": width, "depth": depth, "seed": seed, **names})
    best = {}
    for key, value in zip(zip(width, depth, seed, strict=True), loss, strict=True):
        best[key] = min(value, best.get(key, np.inf))
    kept = load.best_rate(runs)
    found = zip(kept["width"], kept["depth"], kept["seed"], strict=True)
    assert dict(zip(found, kept["loss"], strict=True)) == best
    assert len(kept) == len(best)
    assert kept.n_excluded == len(rows) - len(best)


def test_forecasts_are_set_apart():
    purpose = np.array(["grid", "forecast", "grid", "grid"])
    fitted, forecast = select.split_forecasts(sweep_rows(purpose=purpose))
    assert (len(fitted), len(forecast)) == (3, 1)
    assert fitted.excluded[-1].reason == "a forecast, held out"
    assert select.split_forecasts(sweep_rows())[1] is None


@pytest.mark.parametrize(("holdout", "left"), [("4", 2), ("budgets=1", 3), ("budgets=3", 1), ("16", 1)])
def test_the_largest_budgets_are_held_out(holdout, left):
    runs = sweep_rows(budget=np.array([1e12, 4e12, 8e12, 16e12]))
    fitted, held = select.split_holdout(runs, holdout)
    assert len(fitted) == left
    assert len(held) == 4 - left
    assert fitted["budget"].max() < held["budget"].min()


@pytest.mark.parametrize("holdout", ["1", "0", "x", "budgets=4", "budgets=0.5", "100", "shapes=2", "nan", "inf"])
def test_holdouts_that_leave_nothing_are_refused(holdout):
    with pytest.raises(ConfigError, match="allowed"):
        select.split_holdout(sweep_rows(budget=np.array([1e12, 4e12, 8e12, 16e12])), holdout)


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_pickles_and_archives_are_refused_unread(tmp_path):
    from scaling_laws.tasks import corpus

    sprung, folder = tmp_path / "sprung", tmp_path / "given"
    folder.mkdir()
    pickled = pickle.dumps(Trap(sprung))
    for name in ("runs.pkl", "runs.csv", "runs.jsonl", "runs.parquet", "runs.txt"):
        (folder / name).write_bytes(pickled)
    np.save(folder / "runs.npy", np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    (tmp_path / "inner").write_text("n_params,tokens,loss\n1,2,3\n")
    with zipfile.ZipFile(folder / "runs.zip", "w") as archive:
        archive.write(tmp_path / "inner", "../escaped.csv")
    with tarfile.open(folder / "runs.tar", "w") as archive:
        archive.add(tmp_path / "inner", "../escaped.csv")
    before = sorted(tmp_path.rglob("*"))
    for path in sorted(folder.iterdir()):
        with pytest.raises(load.DataError, match=path.name):
            load.load(path)
        with pytest.raises(ConfigError, match=path.name):
            corpus.read(str(path))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../../outside/x", "/etc/x", "..", "a/../../b", ""])
def test_a_run_id_is_a_name_and_never_a_place(tmp_path, name):
    workdir, outside = tmp_path / "a" / "workdir", tmp_path / "outside"
    (outside / "x" / "step_000000000001").mkdir(parents=True)
    with tables.Journal(workdir) as journal:
        journal.append(a_row(run_id=name), a_curve())
    tables.compact(workdir)
    assert load.load(workdir).names() == (name,)
    assert set(load.load_curves(workdir)["run_id"]) == {name}
    assert {path.name for path in tmp_path.iterdir()} == {"a", "outside"}
    assert [path.name for path in outside.rglob("*")] == ["x", "step_000000000001"]
    written = {"journal.jsonl", "journal.lock", "runs.parquet", "curves.parquet"}
    assert {path.name for path in workdir.iterdir()} == written
