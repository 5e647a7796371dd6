"""The benchmark of the driver on a small sweep: its clock, its simulated workers, and that a wrong table is seen."""

import dataclasses
import os
import time

import pytest

from scaling_laws import table
from scaling_laws.table import journal
from scripts.benchmarks import launched, launcher
from scripts.benchmarks.simulated import Clock, Fate, Habits

HABITS = Habits(tell=20.0, life=2000.0, raises=0.02, deadly=0.01)


@pytest.fixture(scope="module")
def grid():
    return launcher.a_plan(1000)


@pytest.fixture(scope="module")
def done(grid, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("launched")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)  # a thousand times, of a disk that others use
        return launcher.simulate(grid, workdir, 50, HABITS), workdir


def test_the_clock_is_the_drivers_and_what_it_waits():
    clock = Clock()
    time.sleep(0.02)
    assert clock() == 0
    clock.go()
    time.sleep(0.02)
    clock.stop()
    worked = clock.driver
    assert 0.02 <= worked < 0.2
    time.sleep(0.02)
    assert clock() == worked
    clock.jump(100.0)
    assert clock() == pytest.approx(100.0)
    clock.jump(50.0)
    assert clock() == pytest.approx(100.0)
    assert clock.driver == worked


def test_a_run_ends_as_its_id_says(grid):
    fate = Fate(Habits(raises=0.1, diverge=0.2, deadly=0.1), grid.facts)
    ends = [fate.of(planned) for planned in grid.runs]
    for end, share in (("raises", 0.1), ("diverged", 0.2), ("deadly", 0.1), ("finished", 0.6)):
        assert ends.count(end) == pytest.approx(1000 * share, abs=5 * (1000 * share * (1 - share)) ** 0.5)
    assert [fate.of(planned) for planned in grid.runs] == ends
    assert sum(planned.expected_seconds for planned in grid.runs) / 1000 == pytest.approx(launcher.MEAN_SECONDS)


def test_every_run_is_there_once_though_workers_die(done):
    simulated, workdir = done
    assert simulated.pool.deaths > 10
    assert simulated.summary.count("failed") > 10
    assert any(planned.purpose == "lr_check" for planned in simulated.known.values())
    assert launcher.correct(simulated, workdir, start=1).met
    assert len(table.read_runs(workdir)) == len(simulated.known)
    assert simulated.share < 0.05
    busy = sum(simulated.pool.fate.seconds(one) for one in simulated.known.values())
    assert simulated.pool.busy == pytest.approx(busy, rel=0.1)  # what died under a run was done twice
    assert launcher.overhead(simulated)[0].met


def test_a_second_start_tries_what_failed_and_a_wrong_table_is_seen(done, grid, tmp_path):
    simulated, workdir = done
    (tmp_path / journal.JOURNAL).write_bytes((workdir / journal.JOURNAL).read_bytes())
    again = launcher.simulate(grid, tmp_path, 50, HABITS)
    again.known.update(simulated.known)
    assert {row["status"] for row in again.summary.rows} <= {"failed", "finished"}
    assert len(again.summary.rows) <= simulated.summary.count("failed")
    assert launcher.correct(again, tmp_path, start=2).met
    lines = (tmp_path / journal.JOURNAL).read_bytes().splitlines(keepends=True)
    for wrong in (lines[:5] + lines[6:], [*lines, lines[5]]):  # one lost, one twice
        (tmp_path / journal.JOURNAL).write_bytes(b"".join(wrong))
        row = launcher.correct(again, tmp_path, start=2)
        assert (row.met, row.measured.split()[0]) == (False, "1")


def test_growth_is_measured_drawn_and_held_against_the_bar(done, tmp_path, monkeypatch):
    simulated, workdir = done
    monkeypatch.setattr(launched, "SIZES", (100,))
    monkeypatch.setattr(launched, "REPEATS", 1)
    found = launched.growth(workdir)
    assert [size.rows for size in found] == [100, found[-1].rows]
    assert found[-1].journal_bytes == (workdir / journal.JOURNAL).stat().st_size
    assert found[0].journal_bytes * 2 < found[1].journal_bytes
    slow = dataclasses.replace(found[-1], read_seconds=2.5)
    assert [row.met for row in launched.rows([slow])] == [None, False, None, None, None, None]
    launched.write([(s.rows, s.driver, s.cpu) for s in simulated.samples], found, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"growth.csv", "launcher.csv", "launcher.png", "launcher.svg"}
