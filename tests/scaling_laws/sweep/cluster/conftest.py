"""What the tests on real clusters share: the table to compare with, and a SLURM of this machine's own."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import two_dozen

ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "scripts" / "slurm-test-cluster"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the sweep leaves on this machine alone."""
    workdir = tmp_path_factory.mktemp("local")
    two_dozen.sweep(workdir)
    return two_dozen.hashes(workdir)


@pytest.fixture(scope="session")
def cluster():
    """The settings of a cluster that lives as long as the tests. Where it cannot be had, no test that needs it runs,
    and one line says why."""
    pytest.importorskip("submitit", reason="submitit is not installed: scripts/setup --extra slurm")
    folder = Path(tempfile.mkdtemp(prefix="slurm-test-cluster-", dir="/tmp"))  # other users' daemons have to reach it
    known = {"FOLDER": str(folder), "OWNER": str(os.getpid())}
    try:
        started = subprocess.run([SCRIPT, "start"], env=_own() | known, capture_output=True, text=True, timeout=300)
        if started.returncode == 3:
            pytest.skip(started.stderr.strip().splitlines()[-1])
        assert started.returncode == 0, started.stderr
        yield folder / "slurm.conf"
    finally:
        subprocess.run([SCRIPT, "stop"], env=_own() | known, check=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _own():
    """The environment without what a real cluster has put into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "SACCT"))}


@pytest.fixture(scope="module")
def slurm(cluster):
    """The settings of a cluster to which this process submits."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - _own().keys():
            patch.delenv(name)
        patch.setenv("SLURM_CONF", str(cluster))
        patch.setenv("JAX_PLATFORMS", "cpu")
        patch.chdir(ROOT)
        yield cluster
