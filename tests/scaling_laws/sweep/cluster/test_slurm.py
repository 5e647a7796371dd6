"""A sweep on a real SLURM of one node: jobs killed, queued again, pre-empted, out of time, and the node lost."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import two_dozen

from scaling_laws import table
from scaling_laws.config import ConfigError
from scaling_laws.sweep.cluster.slurm import SlurmError
from scaling_laws.sweep.cluster.slurm_pool import FOLDER

pytestmark = pytest.mark.usefixtures("slurm")

ON_SLURM = {"cluster__launcher": "slurm", "cluster__poll_seconds": 0.5, "sweep__workers": 2}


def call(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def running(number="%i"):
    """The jobs that run, as ARRAY_INDEX; `%A` for a number of their own."""
    return call("squeue", "--noheader", "--array", "--states=RUNNING", f"--format={number}", "--partition=main").split()


def started_jobs(workdir):
    """The processes of jobs, without the `srun` that started each."""
    ours = two_dozen.processes("scaling_laws.sweep.cluster.slurm_job", str(workdir))
    return sorted(set(ours) - set(two_dozen.processes("srun", str(workdir))))


def pending_signals(pid):
    """Of a process as a whole, as bits."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("ShdPnd:")).split()[1], 16)


def arrays(workdir):
    """The names of those that were submitted."""
    return sorted(folder.name for folder in (workdir / FOLDER).iterdir())


def ends(workdir):
    """The states in which starts of its jobs ended."""
    name = f"--name={','.join(arrays(workdir))}"
    return call("sacct", "--allocations", "--noheader", "--duplicates", name, "--format=State").split()


def test_one_job_killed_and_one_queued_again_give_the_same_table(undisturbed, tmp_path):

    def kill_one():
        two_dozen.kill(started_jobs(tmp_path)[0])

    def queue_one_again():
        call("scontrol", "requeue", running()[-1])

    summary, lines = two_dozen.sweep(tmp_path, at=[(3, kill_one), (8, queue_one_again)], **ON_SLURM)
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert sum("the run is tried once more" in line for line in lines) <= 1  # none, when it was between two
    assert {"FAILED", "REQUEUED"} <= set(ends(tmp_path))
    assert list((tmp_path / FOLDER).glob("*/*.json*")) == []


@pytest.mark.slow
def test_pre_empted_jobs_go_on(undisturbed, tmp_path):
    """An urgent job that needs the whole node: the others end in order, and what is left is submitted anew."""

    def want_the_node():
        call("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 2")

    summary, lines = two_dozen.sweep(tmp_path, at=[(4, want_the_node)], **ON_SLURM)
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert not any("tried once more" in line for line in lines)
    assert len(arrays(tmp_path)) >= 2
    assert "COMPLETED" in call("sacct", "--allocations", "--noheader", "--partition=urgent", "--format=State")


@pytest.mark.slow
def test_a_job_at_its_time_limit_goes_on_in_the_same_job(undisturbed, tmp_path):
    """All runs in one job of a minute, which is held up: SLURM warns it of its limit, and it queues itself again."""

    def hold_up():
        (job,) = started_jobs(tmp_path)
        os.kill(job, signal.SIGSTOP)
        threading.Thread(target=let_go_when_warned, args=(job,)).start()

    def let_go_when_warned(job):
        with contextlib.suppress(FileNotFoundError):  # SLURM has let it go
            while not pending_signals(job) >> (signal.SIGUSR2 - 1) & 1:
                time.sleep(0.1)
            os.kill(job, signal.SIGCONT)

    limits = {"sweep__workers": 1, "cluster__minutes": 1, "cluster__warning_seconds": 10}
    summary, lines = two_dozen.sweep(tmp_path, at=[(4, hold_up)], **ON_SLURM | limits)
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert len(arrays(tmp_path)) == 1
    assert not any("tried once more" in line for line in lines)
    assert ends(tmp_path)[:-1] == ["REQUEUED"]


@pytest.mark.slow
def test_a_node_that_dies_and_comes_back(undisturbed, slurm, tmp_path):
    """All that runs on it is killed at once; SLURM queues its jobs again, which go on when it is there again."""
    seen = []

    def lose_the_node():
        lost = [int((slurm.parent / "run" / "slurmd.pid").read_text())]
        for number in running("%A"):
            lost += two_dozen.processes(f"slurmstepd: [{number}.")
        for pid in (*lost, *two_dozen.processes(str(tmp_path)), *two_dozen.processes(str(slurm.parent / "spool"))):
            two_dozen.kill(pid)  # what tells of an end first
        threading.Thread(target=come_back).start()

    def come_back():
        while "down" not in seen:
            seen.append(call("sinfo", "--noheader", "--format=%t", "--partition=main").strip().rstrip("*"))
            time.sleep(0.5)
        call("slurmd")

    summary, lines = two_dozen.sweep(tmp_path, at=[(6, lose_the_node)], **ON_SLURM)
    assert "down" in seen
    assert summary.count("finished") == 24
    assert two_dozen.hashes(tmp_path) == undisturbed
    assert len(arrays(tmp_path)) == 1
    assert not any("tried once more" in line for line in lines)


@pytest.mark.slow
def test_a_driver_that_is_killed_finds_what_its_jobs_did(undisturbed, tmp_path):
    settings = two_dozen.SETTINGS | {"cluster.poll_seconds": 0.5, "sweep.workers": 2}
    words = two_dozen.words("sweep", tmp_path, settings)
    driver = subprocess.Popen([*words, "--launcher=slurm"], stdout=subprocess.PIPE, text=True)
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


@pytest.mark.slow
def test_without_accounting_it_says_so(slurm, tmp_path, monkeypatch):
    kept = [line for line in slurm.read_text().splitlines() if not line.startswith("Accounting")]
    (tmp_path / "slurm.conf").write_text("\n".join(kept) + "\n")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    with pytest.raises(ConfigError, match="accounting storage is disabled"):
        two_dozen.sweep(tmp_path / "runs", **ON_SLURM)


@pytest.mark.slow
def test_a_partition_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(SlurmError, match=r"^sbatch: .* Invalid partition name specified$"):
        two_dozen.sweep(tmp_path, **ON_SLURM, cluster__partition="nowhere")
