"""Every paper's own figures at smoke scale, each in a process of its own, within two minutes.

Runs that several papers read are trained once, in the first that needs them; to the seconds of the others those of that
process are added, so that what is held against the two minutes is at least what a paper takes alone, from nothing and
with nothing compiled. Seconds are those of the clock; where more processes want to run than there are cores, as with
other work on the machine, they are divided by how many share a core.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.reproduce import catalog

ROOT = Path(__file__).parents[2]
LIMIT = 120.0  # seconds
WITH_OWN = [name for name in catalog.NAMES if any(figure.own for figure in catalog.paper(name).figures.values())]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The workdir of all papers, and sweep -> seconds of the process that trained it."""
    return tmp_path_factory.mktemp("smoke"), {}


def share():
    """The share of a core that a process had of late: 1 on a machine without other work."""
    return min(1.0, (os.cpu_count() or 1) / max(os.getloadavg()[0], 1e-9))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_OWN)
def test_a_paper_at_smoke_scale_takes_two_minutes_at_most(name, place):
    workdir, trained = place
    own = {number: figure for number, figure in catalog.paper(name).figures.items() if figure.own}
    words = [sys.executable, "-m", "experiments.reproduce", f"--paper={name}", "--scale=smoke", f"--workdir={workdir}"]
    known = os.environ | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(workdir / "cache")}
    before, start = share(), time.monotonic()
    done = subprocess.run(words, cwd=ROOT, env=known, capture_output=True, text=True, timeout=20 * LIMIT)
    seconds = (time.monotonic() - start) * (before + share()) / 2
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    needed = {sweep for figure in own.values() for sweep in figure.sweeps}
    alone = seconds + sum(trained[sweep] for sweep in needed & set(trained))
    print(f"{name}: {seconds:.0f} s, alone {alone:.0f} s at most")
    trained.update(dict.fromkeys(needed - set(trained), seconds))
    for number in own:
        files = [path.suffix for path in (workdir / name / number).iterdir()]
        assert {".png", ".svg", ".csv"} <= set(files), number
    assert alone < LIMIT
