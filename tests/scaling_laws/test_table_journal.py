import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_rows import a_curve, a_row

from scaling_laws.sealed import seal
from scaling_laws.table import VERSION, Journal, TableError, journal, read_curves, read_runs
from scaling_laws.table.journal import JOURNAL, Scan, parse

N_RUNS = 3
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def silent(_):
    pass


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """The bytes of a journal with N_RUNS finished runs."""
    folder = tmp_path_factory.mktemp("intact")
    with Journal(folder) as journal:
        for i in range(N_RUNS):
            journal.append(a_row(run_id=f"r{i}", loss=2.0 + i), a_curve())
    return (folder / JOURNAL).read_bytes()


def reopened(folder, data):
    """(run ids, what was said) on opening a workdir with this journal; adding a run must work afterwards."""
    for old in folder.iterdir():
        old.unlink()
    (folder / JOURNAL).write_bytes(data)
    said = []
    with Journal(folder, said.append) as journal:
        ids = [row["run_id"] for row in journal.rows()]
        journal.append(a_row(run_id="new"))
    with Journal(folder, silent) as journal:
        assert [row["run_id"] for row in journal.rows()] == [*ids, "new"]
    return ids, said


def test_a_large_one_shows_how_far_it_is_read(intact, tmp_path, monkeypatch, capsys):
    (tmp_path / JOURNAL).write_bytes(intact)
    found = read_runs(tmp_path)
    assert not capsys.readouterr().err
    monkeypatch.setattr(journal, "LARGE", len(intact))
    monkeypatch.setattr(journal, "MEGABYTE", 100)
    assert read_runs(tmp_path).equals(found)
    whole = len(intact) // 100
    assert f"{whole}/{whole} MB of the journal  100%" in capsys.readouterr().err


def places(data):
    """Positions in the journal; those of its newlines, which are few, as often as all others."""
    newlines = [position for position, byte in enumerate(data) if byte == ord("\n")]
    return st.sampled_from(newlines) | st.integers(0, len(data) - 1)


def lines_before(data, position):
    """How many runs lie wholly before `position`; the first line is the header."""
    return max(0, data[:position].count(b"\n") - 1)


@QUICK
@given(st.data())
def test_truncation_keeps_every_row_before_it(intact, tmp_path, data):
    cut = data.draw(places(intact))
    torn = intact[:cut]
    ids, said = reopened(tmp_path, torn)
    whole = lines_before(intact, cut)
    only_newline_lost = intact[cut : cut + 1] == b"\n"
    expected = whole + (only_newline_lost and cut > intact.index(b"\n"))
    assert ids == [f"r{i}" for i in range(expected)]
    lost = torn and not torn.endswith(b"\n") and not only_newline_lost
    assert bool(said) == bool(lost)
    aside = list(tmp_path.glob("journal.damaged-*"))
    assert [path.read_bytes() for path in aside] == ([torn[torn.rfind(b"\n") + 1 :]] if lost else [])


@QUICK
@given(st.data())
def test_a_flipped_byte_is_reported_and_costs_only_its_line(intact, tmp_path, data):
    position = data.draw(places(intact))
    flip = data.draw(st.integers(1, 255))
    damaged = bytearray(intact)
    damaged[position] ^= flip
    ids, said = reopened(tmp_path, bytes(damaged))
    line = lines_before(intact, position)  # of a byte in the header line: 0, like that of the first run
    header = position <= intact.index(b"\n")
    hit = set() if header else {f"r{line}"}
    if intact[position : position + 1] == b"\n":  # the line that it ended runs into the next
        hit.add("r0" if header else f"r{line + 1}")
    assert ids == [f"r{i}" for i in range(N_RUNS) if f"r{i}" not in hit]
    assert said
    assert all("damaged" in sentence for sentence in said)


def test_a_damaged_line_in_the_middle_is_named_and_stays(intact, tmp_path):
    damaged = intact.replace(b'"loss":3.0', b'"loss":1.0')
    (tmp_path / JOURNAL).write_bytes(damaged)
    said = []
    with Journal(tmp_path, said.append) as journal:
        assert journal.finished_ids() == {"r0", "r2"}
        journal.append(a_row(run_id="r1"))
    assert len(said) == 1
    assert "line 3 is damaged" in said[0]
    assert (tmp_path / JOURNAL).read_bytes().startswith(damaged)
    assert read_runs(tmp_path, silent)["run_id"].to_pylist() == ["r0", "r1", "r2"]


def test_a_reader_of_a_torn_journal_changes_nothing(intact, tmp_path):
    path = tmp_path / JOURNAL
    path.write_bytes(intact[:-20])
    said = []
    assert read_runs(tmp_path, said.append)["run_id"].to_pylist() == ["r0", "r1"]
    assert "line 4" in said[0]
    assert path.read_bytes() == intact[:-20]
    assert len(list(tmp_path.iterdir())) == 1


def test_every_line_is_json_and_ends_on_disk(intact):
    records = [json.loads(line) for line in intact.splitlines()]
    assert records[0]["version"] == VERSION
    assert [record["run"]["run_id"] for record in records[1:]] == ["r0", "r1", "r2"]


def test_a_finished_run_is_never_written_twice(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(a_row())
        with pytest.raises(TableError, match="written once"):
            journal.append(a_row(status="failed"))
    with Journal(tmp_path) as journal, pytest.raises(TableError, match=r"r1.*written once"):
        journal.append(a_row())


def test_a_later_row_supersedes_a_failed_one_and_both_stay(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(a_row(status="failed", loss=None, reason="out of memory"))
        assert journal.finished_ids() == set()
        journal.append(a_row(), a_curve(3))
        assert [row["status"] for row in journal.rows()] == ["finished"]
    assert read_runs(tmp_path)["status"].to_pylist() == ["finished"]
    assert read_curves(tmp_path)["step"].to_pylist() == [10, 20, 30]
    data = (tmp_path / JOURNAL).read_bytes()
    assert len(parse(data, "").records) == 2


def test_nothing_is_written_for_a_refused_row(tmp_path):
    with Journal(tmp_path) as journal:
        before = journal.path.read_bytes()
        for row, curve in [
            (a_row(width=1.5), []),
            (a_row(), [{"stp": 1}]),
            (a_row(), [*a_curve(), *a_curve()]),
            (a_row(), [a_curve()[0] | {"run_id": "other"}]),
        ]:
            with pytest.raises(TableError, match="r1"):
                journal.append(row, curve)
        assert journal.path.read_bytes() == before


def test_what_is_appended_comes_back_as_the_table_has_it(tmp_path):
    with Journal(tmp_path) as journal:
        row = journal.append(a_row(loss=float("nan")))
        assert (row["loss"], row["spikes"]) == (None, 0)
        assert journal.rows() == [row]
    assert read_runs(tmp_path).to_pylist() == [row]


def test_without_curves_the_same_runs_are_found_and_none_parsed(intact):
    def scanned(curves):
        scan = Scan(io.BytesIO(intact[:-3] + b"\n" + intact), "", curves)
        return [(record["run"], bool(record["curve"])) for record in scan], scan.damage, scan.end

    (whole, *rest), (runs, *same) = scanned(True), scanned(False)
    assert rest == same
    assert len(rest[0]) == 1
    assert [run for run, _ in whole] == [run for run, _ in runs]
    assert {points for _, points in whole} == {True}
    assert {points for _, points in runs} == {False}


def test_adding_a_run_costs_the_same_however_many_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)
    with Journal(tmp_path) as journal:

        def cost(first):
            began = time.process_time()
            for i in range(first, first + 100):
                journal.append(a_row(run_id=f"r{i}"))
            return time.process_time() - began

        early = min(cost(first) for first in (0, 100, 200))
        for i in range(300, 3000):
            journal._latest[f"r{i}"] = a_row(run_id=f"r{i}")
        assert min(cost(first) for first in (3000, 3100, 3200)) < 2 * early


def test_a_second_opener_is_told_who_holds_the_workdir(tmp_path):
    with Journal(tmp_path), pytest.raises(TableError, match=f"in use by process {os.getpid()}"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_newer_version_is_refused(tmp_path):
    (tmp_path / JOURNAL).write_bytes(seal({"journal": "runs and their curves", "version": VERSION + 1}))
    for use in (Journal, read_runs):
        with pytest.raises(TableError, match=rf"version {VERSION + 1} .* reads up to {VERSION}"):
            use(tmp_path)
    (tmp_path / JOURNAL).unlink()
    Journal(tmp_path).close()  # the refusal gave the lock back


NEW_IN = {
    2: ("init_seconds",),
    3: ("spikes", "bad_step", "good_loss"),
    4: ("own_steps", "averaged_loss"),
    6: ("accuracy", "mean_absolute_error"),
    8: ("nonzero_params", "extra_flops", "experts"),
}
NEUTRAL = {"spikes": 0, "experts": 1}


@pytest.mark.parametrize("version", range(1, VERSION))
def test_older_versions_are_read_and_gone_on_with(tmp_path, version):
    missing = [name for since, names in NEW_IN.items() if since > version for name in names]
    row = {name: value for name, value in a_row(run_id="old", status="finished").items() if name not in missing}
    lines = [{"journal": "runs and their curves", "version": version}, {"run": row, "curve": []}]
    (tmp_path / JOURNAL).write_bytes(b"".join(map(seal, lines)))
    with Journal(tmp_path) as journal:
        assert journal.finished_ids() == {"old"}
        (known,) = journal.rows()
        journal.append(a_row(run_id="new"))
    old, new = sorted(read_runs(tmp_path).to_pylist(), key=lambda row: row["run_id"], reverse=True)
    for each in (known, old):
        assert {name: each[name] for name in missing} == {name: NEUTRAL.get(name) for name in missing}
    assert (old["loss"], new["run_id"]) == (row["loss"], "new")


def test_a_workdir_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="not a folder"):
        Journal(tmp_path / "file")


def test_kill_9_while_writing_loses_nothing_that_was_appended(tmp_path):
    program = textwrap.dedent("""
        import sys
        from scaling_laws.table import Journal
        from table_rows import a_row
        with Journal(sys.argv[1]) as journal:
            for i in range(10**6):
                journal.append(a_row(run_id=f"r{i}", reason="x" * 20000))
                print(i, flush=True)
    """)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    writer = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, env=environment)
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(0.2)
    writer.send_signal(signal.SIGKILL)
    acknowledged = writer.stdout.read().split(b"\n")[:-1]
    writer.wait()
    with Journal(tmp_path, silent) as journal:  # the lock died with its holder
        assert len(journal.finished_ids()) >= len(acknowledged) + 1


@pytest.mark.parametrize(
    "record, words",
    [
        ({"run": 3, "curve": []}, "line 1: no run with a run_id"),
        ({"run": {"status": "finished"}, "curve": []}, "line 1: no run with a run_id"),
        ({"run": {"run_id": ["x"], "status": "finished"}, "curve": []}, "line 1: no run with a run_id"),
        ({"run": {"run_id": "x", "status": "finished"}}, "line 1: no run with a run_id"),
        ({"run": {"run_id": "x", "status": "finished"}, "curve": [1]}, "line 1: no run with a run_id"),
        ({"version": "x"}, "its version is no whole number"),
        ({"run": {"run_id": "x", "status": "finished", "width": 10**30}, "curve": []}, "not a readable jsonl"),
        ({"run": {"run_id": "x", "status": "finished", "width": "wide"}, "curve": []}, "not a readable jsonl"),
        ({"run": {"run_id": "x\ud800", "status": "finished"}, "curve": []}, "not a readable jsonl"),
    ],
)
def test_a_forged_line_is_refused(tmp_path, record, words):
    (tmp_path / JOURNAL).write_bytes(seal(record))
    with pytest.raises(TableError, match=words):
        read_runs(tmp_path, silent)
