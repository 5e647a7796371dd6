import hashlib
import json
import random

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_rows import a_curve, a_row

from scaling_laws.table import (
    CURVES,
    RUNS,
    Journal,
    TableError,
    compact,
    packed,
    read_curves,
    read_runs,
    result_hash,
    store,
)
from scaling_laws.table.schema import RUN_COLUMNS

VALUES = {
    str: st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


def value_of(column):
    if column.choices:
        return st.sampled_from(column.choices)
    return st.none() | VALUES[column.type] if column.default is None else VALUES[column.type]


ROWS = st.lists(
    st.fixed_dictionaries({column.name: value_of(column) for column in RUN_COLUMNS}),
    max_size=3,
    unique_by=lambda row: row["run_id"],
)


def fill(folder, rows):
    with Journal(folder) as journal:
        for row in rows:
            journal.append(row, a_curve())
    return folder


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS)
def test_journal_and_parquet_give_back_what_was_written(tmp_path_factory, rows):
    folder = fill(tmp_path_factory.mktemp("workdir"), rows)
    compact(folder)
    expected = sorted(rows, key=lambda row: row["run_id"].encode())
    for path in (folder / "journal.jsonl", folder / "runs.parquet", folder):
        table = read_runs(path)
        assert table.to_pylist() == expected
        assert table.schema.equals(RUNS, check_metadata=True)
    assert read_curves(folder / "curves.parquet").equals(read_curves(folder / "journal.jsonl"))


@pytest.mark.parametrize("part", [1, 2, 1000])
def test_superseded_rows_are_left_out_with_their_curves_whatever_is_read_at_a_time(tmp_path, monkeypatch, part):
    monkeypatch.setattr(store, "PART", part)
    with Journal(tmp_path) as journal:
        for name, points in [("b", 1), ("c", 3), ("a", 0), ("b", 2)]:
            status = "failed" if points == 1 else "finished"
            journal.append(a_row(run_id=name, status=status), a_curve(points))
    compact(tmp_path)
    for path in (tmp_path, tmp_path / "journal.jsonl"):
        assert read_runs(path).select(["run_id", "status"]).to_pylist() == [
            {"run_id": name, "status": "finished"} for name in "abc"
        ]
        points = read_curves(path).select(["run_id", "step"]).to_pylist()
        assert [(point["run_id"], point["step"]) for point in points] == [
            ("b", 10),
            ("b", 20),
            ("c", 10),
            ("c", 20),
            ("c", 30),
        ]


@pytest.fixture
def workdir(tmp_path):
    fill(tmp_path, [a_row(run_id=name, loss=loss, worker="") for name, loss in [("b", 2.0), ("a", 3.0)]])
    compact(tmp_path)
    return tmp_path


def test_compact_sorts_and_describes_every_column(workdir):
    runs, curves = pq.read_table(workdir / "runs.parquet"), pq.read_table(workdir / "curves.parquet")
    assert runs["run_id"].to_pylist() == ["a", "b"]
    assert curves.select(["run_id", "step"]).to_pylist() == [
        {"run_id": name, "step": step} for name in "ab" for step in (10, 20)
    ]
    assert runs.schema.field("loss").metadata[b"unit"] == b"by loss_kind"
    assert curves.schema.names == CURVES.names
    assert not list(workdir.glob("*.partial*"))


def test_a_journal_that_went_on_is_preferred_to_its_parquet(workdir):
    fill(workdir, [a_row(run_id="c")])
    assert read_runs(workdir)["run_id"].to_pylist() == ["a", "b", "c"]
    assert read_runs(workdir / "runs.parquet")["run_id"].to_pylist() == ["a", "b"]
    (workdir / "journal.jsonl").unlink()
    assert read_runs(workdir)["run_id"].to_pylist() == ["a", "b"]


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_flipped_bit_of_a_parquet_is_read(workdir):
    path = workdir / "runs.parquet"
    data = path.read_bytes()
    generator = random.Random(0)
    footer = len(data) - int.from_bytes(data[-8:-4], "little")  # where Parquet has no checksums of its own
    bits = [generator.randrange(8 * len(data)) for _ in range(100)]
    for bit in bits + [generator.randrange(8 * footer, 8 * len(data)) for _ in range(100)]:
        path.write_bytes(flipped(data, bit))
        with pytest.raises(TableError, match=r"runs\.parquet"):
            read_runs(path)
    path.write_bytes(data)
    assert len(read_runs(path)) == 2


def test_what_a_row_says_is_no_checksum(tmp_path):
    fill(tmp_path, [a_row(run_id="x", reason="scaling_laws.sha256" + "0" * 80)])
    compact(tmp_path)
    assert read_runs(tmp_path / "runs.parquet")["run_id"].to_pylist() == ["x"]


def test_parquet_of_older_versions_and_other_programs_carries_no_checksum(workdir):
    path, table = workdir / "other.parquet", read_runs(workdir)
    pq.write_table(table.replace_schema_metadata({b"scaling_laws.version": b"2"}), path)
    assert read_runs(path).equals(table)
    pq.write_table(table.replace_schema_metadata(None), path)
    assert read_runs(path).equals(table)
    for metadata in (table.schema.metadata, pq.read_schema(workdir / "runs.parquet").metadata):
        pq.write_table(table.replace_schema_metadata(metadata), path)
        with pytest.raises(TableError, match=r"other\.parquet: its checksum .* written anew"):
            read_runs(path)


@pytest.mark.parametrize("harm", [lambda data: data[:-40], lambda data: flipped(data, 999), lambda data: b""])
def test_beside_a_damaged_parquet_the_journal_is_read(workdir, harm):
    path, said, table = workdir / "runs.parquet", [], read_runs(workdir)
    path.write_bytes(harm(path.read_bytes()))
    assert read_runs(workdir, said.append).equals(table)
    assert len(said) == 1
    assert "runs.parquet" in said[0]
    (workdir / "journal.jsonl").unlink()
    with pytest.raises(TableError, match=r"runs\.parquet|not a readable"):
        read_runs(workdir)


def test_a_journal_that_lost_whole_lines_is_named_and_the_parquet_read(workdir):
    log, said = workdir / "journal.jsonl", []
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]))
    assert read_runs(workdir, said.append)["run_id"].to_pylist() == ["a", "b"]
    assert said == [
        f"{log}: has lost {len(lines[-1])} bytes since runs.parquet was made of it; the runs are read from that one"
    ]


def test_csv_and_jsonl_read_like_parquet(workdir):
    table = read_runs(workdir)
    pa.csv.write_csv(table, workdir / "runs.csv")
    lines = [json.dumps(row) for row in table.to_pylist()]
    (workdir / "runs.jsonl").write_text("\n".join(lines) + "\n")
    assert read_runs(workdir / "runs.csv").equals(table)
    assert read_runs(workdir / "runs.jsonl").equals(table)


def test_columns_that_a_file_lacks_are_null_or_neutral(tmp_path):
    (tmp_path / "few.csv").write_text("loss,run_id\n2.5,x\n")
    table = read_runs(tmp_path / "few.csv")
    assert table.schema.equals(RUNS)
    present = {name: value for name, value in table.to_pylist()[0].items() if value is not None}
    neutral = {
        "reason": "",
        "technique": "none",
        "strength": 0.0,
        "trunk": "",
        "spikes": 0,
        "resumed": 0,
        "lr_source": "",
        "base_width": 0,
        "base_depth": 0,
        "loss_kind": "cross_entropy",
        "experts": 1,
        "density": 1.0,
        "weight_bits": 32,
        "activation_bits": 32,
    }
    assert present == {"run_id": "x", "loss": 2.5} | neutral


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("runs.csv", "run_id,los\nx,1\n", ["los", "did you mean loss"]),
        ("runs.csv", "loss\n1\n", ["run_id", "missing"]),
        ("runs.csv", "run_id,width\nx,wide\n", ["wide"]),
        ("runs.csv", "run_id,loss\nx,1\nx,2\n", ["'x'", "twice"]),
        ("runs.csv", "", ["not a readable csv"]),
        ("runs.jsonl", '{"run_id": "x", "width": "wide"}\n', ["wide"]),
        ("runs.jsonl", "{]\n", ["not a readable jsonl"]),
        ("runs.parquet", "PAR", ["not a readable parquet"]),
        ("runs.txt", "", [".txt", ".parquet, .csv, .jsonl"]),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(TableError) as caught:
        read_runs(tmp_path / name)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in [name, *words])


def test_places_without_runs_are_refused(tmp_path):
    with pytest.raises(TableError, match="no runs here"):
        read_runs(tmp_path)
    with pytest.raises(TableError, match="no such file"):
        read_runs(tmp_path / "nowhere")
    with pytest.raises(TableError, match="to compact"):
        compact(tmp_path)


def test_a_newer_parquet_is_refused(workdir):
    path = workdir / "runs.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"scaling_laws.version": "9"}), path)
    with pytest.raises(TableError, match=r"version 9 .* reads up to 8"):
        read_runs(path)


def test_a_parquet_of_the_first_version_is_read(workdir):
    """It had no `init_seconds`."""
    path, now = workdir / "runs.parquet", read_runs(workdir)
    older = now.drop_columns("init_seconds").replace_schema_metadata({"scaling_laws.version": "1"})
    pq.write_table(older, path)
    found = read_runs(path)
    assert found.drop_columns("init_seconds").equals(now.drop_columns("init_seconds"))
    assert found["init_seconds"].null_count == len(found)


def test_a_parquet_of_the_fifth_version_is_read(workdir):
    """It had no scores beside the loss."""
    path, now = workdir / "runs.parquet", read_runs(workdir)
    names = now.column_names
    scores = names[names.index("bits_per_byte") + 1 : names.index("eval_tokens")]
    assert (scores[0], scores[-1]) == ("accuracy", "mean_absolute_error")
    packed.write(now.drop_columns(scores).replace_schema_metadata({"scaling_laws.version": "5"}), path)
    found = read_runs(path)
    assert found.schema.equals(RUNS, check_metadata=True)
    assert found.equals(now)
    assert all(found[name].null_count == len(found) for name in scores)


def test_a_parquet_of_the_sixth_version_is_read(workdir):
    """It had nothing of fine-tuning."""
    path, now = workdir / "runs.parquet", read_runs(workdir)
    added = ["source_run", "finetune_tokens", "pretrain_flops", "frozen_params"]
    packed.write(now.drop_columns(added).replace_schema_metadata({"scaling_laws.version": "6"}), path)
    assert read_runs(path).equals(now)
    assert all(now[name].null_count == len(now) for name in added)


def test_a_parquet_of_the_seventh_version_is_read(workdir):
    """It had nothing of techniques but their names and strengths."""
    path, now = workdir / "runs.parquet", read_runs(workdir)
    empty = ["n_active", "nonzero_params", "teacher_run", "extra_flops", "model_bytes"]
    full = {"experts": 1, "density": 1.0, "weight_bits": 32, "activation_bits": 32}
    older = now.drop_columns([*empty, *full]).replace_schema_metadata({"scaling_laws.version": "7"})
    packed.write(older, path)
    assert read_runs(path).equals(now)
    assert all(now[name].null_count == len(now) for name in empty)
    assert all(set(now[name].to_pylist()) == {value} for name, value in full.items())


def test_result_hash_sees_results_and_nothing_else(tmp_path):
    def hash_of(name, *rows):
        return result_hash(read_runs(fill(tmp_path / name, rows)))

    one, two = a_row(run_id="a"), a_row(run_id="b")
    reference = hash_of("reference", one, two)
    assert hash_of("reordered", two, one) == reference
    assert hash_of("elsewhere", one | {"wall_seconds": 9.0, "device": "gpu", "resumed": 2}, two) == reference
    assert hash_of("one_ulp", one | {"loss": 2.5000000000000004}, two) != reference
    assert hash_of("fewer", one) != reference


def test_result_hash_of_a_single_row_by_hand():
    row = dict.fromkeys(RUNS.names) | {"run_id": "a", "loss": 1.5}
    table = pa.Table.from_pylist([row], schema=RUNS)
    results = {f.name: row[f.name] for f in RUNS if f.metadata[b"role"] == b"result"}
    assert result_hash(table) == hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()
