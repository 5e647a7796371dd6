"""A sweep on a real SLURM of one node, with jobs killed, queued again, pre-empted and out of time."""

import subprocess
import time
from pathlib import Path

import pytest
import two_dozen

from scaling_laws import table
from scaling_laws.sweep.cluster.slurm_pool import FOLDER

ROOT = Path(__file__).parents[4]
SCRIPT = ROOT / "scripts" / "slurm-test-cluster"

pytestmark = pytest.mark.slow


def call(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def slurm():
    """A cluster of its own; without Debian's packages, or root, no test of this file runs, and says so."""
    pytest.importorskip("submitit", reason="submitit is not installed: scripts/setup --extra slurm")
    started = subprocess.run([SCRIPT, "start"], capture_output=True, text=True, timeout=600)
    if started.returncode == 3:
        pytest.skip(started.stderr.strip().splitlines()[-1])
    assert started.returncode == 0, started.stderr
    settings = Path(started.stdout.strip().splitlines()[-1].removeprefix("export SLURM_CONF="))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(settings))
        patch.setenv("JAX_PLATFORMS", "cpu")
        patch.chdir(ROOT)
        yield settings
    subprocess.run([SCRIPT, "stop"], check=True, timeout=60)


@pytest.fixture(scope="module")
def undisturbed(slurm, tmp_path_factory):
    """What the sweep leaves on this machine alone."""
    workdir = tmp_path_factory.mktemp("local")
    two_dozen.sweep(workdir)
    return two_dozen.hashes(workdir)


ON_SLURM = {"cluster__launcher": "slurm", "cluster__poll_seconds": 0.5, "sweep__workers": 2}


def running():
    """ARRAY_INDEX of the jobs that run."""
    return call("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i", "--partition=main").split()


def started_jobs(workdir):
    """The processes of jobs, without the `srun` that started each."""
    ours = two_dozen.processes("scaling_laws.sweep.cluster.slurm_job", str(workdir))
    return sorted(set(ours) - set(two_dozen.processes("srun", str(workdir))))


def test_one_job_killed_and_one_queued_again_give_the_same_table(undisturbed, tmp_path):
    disturbed = []

    def kill_one():
        disturbed.append(started_jobs(tmp_path)[0])
        two_dozen.kill(disturbed[0])

    def queue_one_again():
        disturbed.append(running()[-1])
        call("scontrol", "requeue", disturbed[1])

    summary, lines = two_dozen.sweep(tmp_path, at=[(3, kill_one), (8, queue_one_again)], **ON_SLURM)
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert sum("the run is tried once more" in line for line in lines) == 1
    assert list((tmp_path / FOLDER).glob("*/*.json*")) == []


def test_pre_empted_jobs_go_on(undisturbed, tmp_path):
    """An urgent job that needs the whole node: the others end in order, and what is left is submitted anew."""

    def want_the_node():
        call("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 2")

    summary, lines = two_dozen.sweep(tmp_path, at=[(4, want_the_node)], **ON_SLURM)
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert not any("tried once more" in line for line in lines)
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    assert "COMPLETED" in call("sacct", "--allocations", "--noheader", "--partition=urgent", "--format=State")


def test_a_job_near_its_time_limit_goes_on_in_the_same_job(undisturbed, tmp_path):
    """The signal that SLURM sends ahead of the limit: a checkpoint, and back into the queue (for two minutes)."""

    def warn():
        for job in running():
            call("scancel", "--signal=USR2", job)

    summary, lines = two_dozen.sweep(tmp_path, at=[(4, warn)], **ON_SLURM)
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    assert not any("tried once more" in line for line in lines)


def test_a_driver_that_is_killed_finds_what_its_jobs_did(undisturbed, tmp_path):
    words = ["-m", "experiments.sweep", f"--workdir={tmp_path}", "--launcher=slurm"]
    settings = two_dozen.SETTINGS | {"cluster.poll_seconds": 0.5, "sweep.workers": 2}
    flags = [f"--config.{name}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in settings.items()]
    driver = subprocess.Popen([ROOT / ".venv/bin/python", *words, *flags], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    for line in driver.stdout:
        if line.startswith("[2/"):
            break
    driver.kill()
    driver.wait()
    before = table.read_runs(tmp_path).num_rows
    until = time.monotonic() + 60
    while sum(path.read_text().count('"Done"') for path in (tmp_path / FOLDER).glob("*/*.jsonl")) < before + 2:
        assert time.monotonic() < until, "the jobs ended with the driver"
        time.sleep(0.1)
    summary, _ = two_dozen.sweep(tmp_path, **ON_SLURM)
    assert len(summary.rows) == 24 - before
    assert two_dozen.hashes(tmp_path) == undisturbed


def test_without_accounting_it_says_so(slurm, tmp_path, monkeypatch):
    kept = [line for line in slurm.read_text().splitlines() if not line.startswith("Accounting")]
    (tmp_path / "slurm.conf").write_text("\n".join(kept) + "\n")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    from scaling_laws.config import ConfigError

    with pytest.raises(ConfigError, match="accounting"):
        two_dozen.sweep(tmp_path / "runs", **ON_SLURM)


def test_a_partition_that_is_not_there_is_one_line(slurm, tmp_path):
    from scaling_laws.sweep.cluster.slurm import SlurmError

    with pytest.raises(SlurmError, match="invalid partition"):
        two_dozen.sweep(tmp_path, **ON_SLURM, cluster__partition="nowhere")
