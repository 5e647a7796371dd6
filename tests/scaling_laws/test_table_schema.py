import numpy as np
import pyarrow as pa
import pytest
from table_rows import a_row

from scaling_laws.table import CURVES, RUNS, TableError, result_columns
from scaling_laws.table.schema import RUN_COLUMNS, checked


def check(**changes):
    return checked(a_row(**changes), RUN_COLUMNS, "run r1")


def test_every_field_has_unit_doc_and_role():
    for field in [*RUNS, *CURVES]:
        assert field.metadata.keys() == {b"unit", b"doc", b"role"}
        assert field.metadata[b"doc"]
        assert field.metadata[b"role"] in (b"result", b"provenance")
    assert RUNS.metadata[b"scaling_laws.version"] == b"8"


def test_no_loss_claims_a_unit_that_only_some_tasks_have():
    losses = {"loss", "loss_se", "averaged_loss", "averaged_loss_se", "good_loss", "train_loss"}
    units = {field.name: field.metadata[b"unit"].decode() for field in [*RUNS, *CURVES]}
    assert {name for name, unit in units.items() if unit == "by loss_kind"} == losses
    assert not {unit for unit in units.values() if "nats" in unit or "window" in unit}
    assert units["batch_size"] == "examples"


def test_results_and_provenance_are_apart():
    names = result_columns()
    assert {"loss", "flops", "seed", "config", "budget"} <= set(names)
    assert not {"wall_seconds", "device", "worker", "resumed", "hardware_flops", "lr_source"} & set(names)
    assert result_columns(CURVES) == CURVES.names


def test_absent_columns_take_their_defaults():
    row = check()
    assert list(row) == RUNS.names
    assert (row["technique"], row["strength"], row["trunk"], row["resumed"]) == ("none", 0.0, "", 0)
    assert row["budget"] is None


def test_numpy_scalars_become_plain_python():
    row = check(width=np.int32(8), loss=np.float32(2.5), flops=10)
    assert [type(row[name]) for name in ("width", "loss", "flops")] == [int, float, float]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_absent(value):
    assert check(status="diverged", loss=value)["loss"] is None


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"lerning_rate": 1.0}, ["lerning_rate", "did you mean learning_rate"]),
        ({"width": 16.0}, ["width", "16.0", "whole number"]),
        ({"width": True}, ["width", "whole number"]),
        ({"tokens": 2**63}, ["tokens", "whole number"]),
        ({"loss": "2.5"}, ["loss", "'2.5'", "a number"]),
        ({"family": 3}, ["family", "text"]),
        ({"status": "finish"}, ["status", "diverged", "did you mean finished"]),
        ({"flops": float("inf")}, ["flops", "finite"]),
        ({"width": None}, ["width", "whole number"]),
    ],
)
def test_a_wrong_row_is_refused_in_one_line(changes, words):
    with pytest.raises(TableError) as caught:
        check(**changes)
    message = str(caught.value)
    assert "\n" not in message
    assert "run r1" in message
    assert all(word in message for word in words)


def test_a_missing_column_is_named():
    row = a_row()
    del row["depth"]
    with pytest.raises(TableError, match=r"depth.*number of blocks"):
        checked(row, RUN_COLUMNS, "run r1")


def test_a_checked_row_fits_the_arrow_schema():
    assert pa.Table.from_pylist([check()], schema=RUNS).num_rows == 1
