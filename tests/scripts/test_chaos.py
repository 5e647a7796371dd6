"""The harness that kills sweeps: that it finds what is lost, and that nothing is."""

import random
import sys

import pytest

from scaling_laws import table
from scaling_laws.table import journal
from scripts.faults import kills

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_row_that_goes_or_comes_twice_is_found(tmp_path):
    tally = kills.Tally()
    one = kills.Round(tmp_path, tally, random.Random(0), 1)
    one.check()  # nothing there yet
    write(one.workdir, "a", "b")
    one.check()
    assert tally.sound
    write(one.workdir, "a", "a")
    one.check()
    assert (tally.lost, tally.duplicated) == (1, 1)
    assert not tally.sound


def write(workdir, *run_ids):
    workdir.mkdir(exist_ok=True)
    lines = [{"journal": "runs and their curves", "version": table.VERSION}]
    lines += [{"run": {"run_id": run_id, "status": "finished"}, "curve": []} for run_id in run_ids]
    (workdir / journal.JOURNAL).write_bytes(b"".join(map(journal.seal, lines)))


def test_three_kills_lose_nothing(tmp_path):
    tally = kills.chaos(3, seed=1, workers=2, place=tmp_path)
    assert tally.kills.total() == 3
    assert tally.sound, tally.lines()
