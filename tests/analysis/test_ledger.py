"""The ledger: lines that hold together, and every way of tampering with them that a chain can show."""

import dataclasses
import errno
import json
import multiprocessing

import pytest
from known import HOFFMANN

from analysis.forecasts import ledger
from analysis.forecasts.record import Record
from analysis.load import DataError
from scaling_laws import sealed

BASE = Record(
    id="one",
    made_at="2026-01-02T03:04:05+00:00",
    revision="0123abc",
    source="runs/mine",
    about={"task": "text", "family": "transformer"},
    asked={"flops": 6e20},
    target={"flops": 6e20, "n_params": 1e9, "tokens": 1e11, "width": 64, "depth": 4},
    forecast={"column": "loss", "unit": "nats/token", "value": 2.5, "interval": [2.4, 2.6], "level": 0.9},
    naive={"best_loss": 2.7, "power_law": 2.45, "exponent": 0.05},
    extrapolation=10.0,
    law={"name": "chinchilla", "coefficients": HOFFMANN, "held": {}},
    forms={"chinchilla": 0.75, "kaplan": 0.25},
    link=None,
    options={"bootstrap": 1000},
    table={"runs": 45, "sha256": "ab" * 32},
)


def numbered(number):
    return dataclasses.replace(BASE, id=f"id{number}", extrapolation=float(number))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "forecasts.jsonl"
    for number in range(4):
        ledger.add(path, numbered(number))
    return path


def changed(path, change):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))


def test_what_was_added_is_read(path):
    assert ledger.read(path) == tuple(numbered(number) for number in range(4))


def test_lines_are_only_added(path):
    before = path.read_bytes()
    head = ledger.head(path)
    ledger.add(path, numbered(9))
    after = path.read_bytes()
    assert after.startswith(before)
    assert json.loads(after[len(before) :])["previous"] == head


def test_a_changed_number_is_found_by_its_line(path):
    changed(path, lambda lines: [lines[0], lines[1].replace(b'"value":2.5', b'"value":2.4'), *lines[2:]])
    with pytest.raises(DataError, match="line 2: damaged, or changed"):
        ledger.read(path)


def test_a_changed_line_with_a_checksum_of_its_own_is_found_by_the_next(path):
    def forge(lines):
        body = json.loads(lines[1])
        del body["sha256"]
        body["forecast"]["value"] = 2.4
        return [lines[0], sealed.seal(body), *lines[2:]]

    changed(path, forge)
    with pytest.raises(DataError, match="line 3: does not follow line 2"):
        ledger.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [lines[0], *lines[2:]], "line 2: does not follow line 1"),
        (lambda lines: lines[1:], "line 1: does not follow line 0"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "line 2: does not follow"),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "line 3: does not follow"),
        (lambda lines: [*lines[:3], lines[3][:-20]], "line 4: cut short"),
        (lambda lines: [*lines, b"\n"], "line 5: damaged"),
        (lambda lines: [sealed.seal({"previous": "", "id": "x"})], "line 1: no 'made_at'"),
    ],
)
def test_removed_moved_doubled_and_torn_lines(path, change, message):
    changed(path, change)
    with pytest.raises(DataError, match=message):
        ledger.read(path)
    damaged = path.read_bytes()
    with pytest.raises(DataError, match=message):
        ledger.add(path, numbered(9))
    assert path.read_bytes() == damaged


def test_a_cut_end_shows_in_the_head_alone(path):
    head = ledger.head(path)
    changed(path, lambda lines: lines[:-1])
    assert len(ledger.read(path)) == 3
    assert ledger.head(path) != head


def test_the_same_forecast_stands_as_it_was_made(path):
    before = path.read_bytes()
    again = dataclasses.replace(numbered(2), id="new", made_at="2027-01-01T00:00:00+00:00", revision="", source="other")
    assert ledger.add(path, again) == numbered(2)
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_ledger_as_it_was(path, monkeypatch):
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        ledger.add(path, numbered(9))
    assert path.read_bytes() == before


def test_two_processes_lose_nothing(tmp_path):
    path = tmp_path / "shared.jsonl"
    workers = [multiprocessing.get_context("spawn").Process(target=_add, args=(path, k)) for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sorted(record.id for record in ledger.read(path)) == sorted(f"id{k}" for k in range(20))


def _add(path, start):
    for number in range(start, 20, 2):
        ledger.add(path, numbered(number))


def test_a_folder_names_the_ledger_in_it(tmp_path):
    assert ledger.path_of(str(tmp_path)) == tmp_path / "forecasts.jsonl"
    assert ledger.path_of(str(tmp_path / "mine.jsonl")) == tmp_path / "mine.jsonl"
    with pytest.raises(DataError, match="no such ledger"):
        ledger.read(tmp_path / "forecasts.jsonl")
