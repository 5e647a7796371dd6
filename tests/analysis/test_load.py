"""Tables of every kind in; exclusions by name; hypothesis on what a stranger's CSV may hold."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known import CHINCHILLA_COLUMNS, published

from analysis import load, select
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
    assert runs.notes == ("flops are not in the table: C = 6 N D",)
    assert [(e.row, e.run_id, e.reason) for e in runs.excluded] == [
        (1, "b", "status diverged"),
        (3, "d", "loss is not a positive number"),
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
        ("n_params", None, "ours=theirs"),
        ("tokens=D", None, "any two of n_params, tokens and flops"),
        (COLUMNS, "los < 3", "did you mean loss"),
        (COLUMNS, "loss <", "is not an expression"),
        (COLUMNS, "loss + 1", "yes-or-no"),
        (COLUMNS, "__import__('os').system('true') == 0", "not allowed"),
        (COLUMNS, "loss.__class__ == 1", "not allowed"),
        (COLUMNS, "kind < 3", "mixes text and numbers"),
        (COLUMNS, "loss > 100", "no usable row"),
        ("n_params=kind,tokens=D", None, "holds text"),
    ],
)
def test_bad_requests_are_one_line(tmp_path, columns, where, message):
    with pytest.raises(ValueError, match=message) as caught:
        load.load(write(tmp_path, ".csv"), columns, where)
    assert isinstance(caught.value, load.DataError | ConfigError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a,b\n", "a,b\n1\n"])
def test_broken_csv_is_refused(tmp_path, text):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(load.DataError, match="allowed"):
        load.load(path)


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
    assert len(load.best_rate(sweep_rows(depth=np.array([1.0, 2.0, 3.0, 4.0])))) == 4


def test_missing_budgets_do_not_split_a_group():
    assert len(load.best_rate(sweep_rows(budget=np.full(4, np.nan)))) == 2


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
