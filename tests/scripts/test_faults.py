"""The harness that damages files and fills disks: that it finds what is silent or wrong, and that nothing is."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from scaling_laws import table
from scaling_laws.table import packed
from scripts.faults import damage, full_disk

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def workdir(place):
    folder = place / "finished"
    folder.mkdir()
    with table.Journal(folder) as journal:
        for number in range(5):
            journal.append(a_row(f"run-{number}", 3.0 + number / 7), curve(number))
    table.compact(folder)
    return folder


def a_row(run_id, loss):
    plain = {str: "", int: 1, float: 1.0}
    required = [column for column in table.schema.RUN_COLUMNS if column.default is table.schema.REQUIRED]
    row = {column.name: plain[column.type] for column in required}
    return row | {"run_id": run_id, "status": "finished", "purpose": "grid", "loss": loss, "config": "{}"}


def curve(number):
    points = ((step, 5.0 - step / 100 + number) for step in (10, 20))
    return [{"step": step, "tokens": 1, "flops": 1.0, "learning_rate": 0.1, "loss": loss} for step, loss in points]


def test_forty_harms_are_named_and_mended(place, workdir, monkeypatch):
    monkeypatch.setattr(damage, "finished_sweep", lambda place: workdir)
    counted = []
    tally = damage.damage({"flips": 30, "truncations": 10}, 1, place, counted.append)
    assert counted == list(range(1, 41))
    assert {kind for kind, _ in tally.harms} == {"flips", "truncations"}
    assert {subject for _, subject in tally.harms} == {*damage.TABLES, "checkpoint", "Orbax checkpoint"}
    assert tally.sound, tally.lines()


def test_a_reader_that_checks_nothing_is_found_out(place, workdir, tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "_digits_at", lambda data: -1)
    monkeypatch.setattr(packed, "SEALED_SINCE", 99)
    tally, rng = damage.Tally(), random.Random(0)
    for _ in range(30):
        damage._harm(damage.Tables(workdir, "runs.parquet"), "runs.parquet", "flips", rng, tmp_path / "harmed", tally)
    assert tally.silent
    assert not tally.sound


@pytest.mark.parametrize(
    "code, said, fault",
    [
        (2, "0%\nerror: disk: No space left on device\n", ""),
        (2, "error: one\nerror: two\n", "not one line"),
        (1, "Traceback (most recent call last):\nOSError\n", "a traceback"),
        (-1, "", "not one line"),
        (0, "done", ""),
    ],
)
def test_how_a_sweep_on_a_full_disk_has_to_end(code, said, fault):
    assert full_disk._fault("workdir", code, said).startswith(fault)
    assert bool(full_disk._fault("workdir", code, said)) == bool(fault)


def can_mount():
    apart = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    try:
        return subprocess.run([*apart, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="mounts a file system in memory")
def test_a_disk_that_is_full_at_the_first_writes(tmp_path):
    trials = full_disk.full_disk(tmp_path, lambda done: None, most=2)
    assert [(trial.where, trial.code) for trial in trials][:2] == [("workdir", 2), ("workdir", 2)]
    assert not any(trial.fault for trial in trials), full_disk.lines(trials)


def test_nothing_asked_for_is_bad_input():
    words = [sys.executable, "-m", "scripts.faults"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nothing to do" in done.stderr
