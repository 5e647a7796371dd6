"""What is handed to SLURM, through submitit, with commands of SLURM that only write down what they are asked."""

import os
import shlex
import sys

import pytest

from scaling_laws.cluster import ClusterConfig
from scaling_laws.config import ConfigError
from scaling_laws.sweep.cluster import slurm
from scaling_laws.sweep.cluster.slurm import Slurm, SlurmError

SACCT = "JobID|State\\n12_0|RUNNING\\n12_1|CANCELLED by 1000\\n12_[2-3]|PENDING\\n13_0|NODE_FAIL\\n"


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A folder of commands ahead of all others, and what they were called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    said = {"sbatch": "Submitted batch job 12\\n", "sacct": SACCT, "srun": "", "scancel": "", "squeue": ""}
    for name, text in said.items():
        (folder / name).write_text(f"#!/bin/sh\necho {name} \"$@\" >>{tmp_path}/called\nprintf '{text}'\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def called(tmp_path):
    return (tmp_path / "called").read_text().splitlines()


def submitted(tmp_path, **settings):
    folder = tmp_path / "a folder"
    folder.mkdir()
    assert Slurm(ClusterConfig(**settings)).submit(folder, 4, "scaling-x", 2) == "12"
    (file,) = folder.glob("*_submission.sh")
    assert list(folder.rglob("*.pkl")) == []
    lines = file.read_text().splitlines()
    flags = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH"))
    return flags, lines


def test_the_file_of_an_array_on_cpus(commands, tmp_path):
    flags, lines = submitted(tmp_path, minutes=30, warning_seconds=45)
    expected = {"array": "0-3%2", "time": "30", "cpus-per-task": "1", "nodes": "1", "requeue": "", "signal": "USR2@45"}
    assert {name: flags[name] for name in expected} == expected
    assert not flags.keys() & {"mem", "partition", "account", "gres", "gpus-per-node", "constraint", "qos"}
    assert "export JAX_PLATFORMS=cpu" in lines
    assert any(line.startswith("export XLA_FLAGS='") and "multi_thread_eigen=false" in line for line in lines)
    (command,) = [line for line in lines if line.startswith("srun")]
    words = shlex.split(command)
    assert words[words.index(sys.executable) :] == [sys.executable, *slurm.COMMAND, str(tmp_path / "a folder")]


def test_the_file_of_an_array_on_gpus(commands, tmp_path):
    names = {"partition": "gpu", "account": "us", "constraint": "a100|h100", "qos": "high"}
    flags, lines = submitted(tmp_path, cpus=8, gpus=2, memory_gb=1.5, **names)
    expected = {"gpus-per-node": "2", "cpus-per-task": "8", "mem": "1536MB", "partition": "gpu", "account": "us"}
    assert {name: flags[name] for name in expected} == expected
    assert shlex.split(flags["constraint"]) == ["a100|h100"]
    assert not any("JAX_PLATFORMS" in line or "XLA_FLAGS" in line for line in lines)


def test_states_are_single_words_of_single_jobs(commands, tmp_path):
    cluster = Slurm(ClusterConfig())
    wanted = {"12_0": "RUNNING", "12_1": "CANCELLED", "12_2": "PENDING", "12_3": "PENDING", "13_0": "NODE_FAIL"}
    found = cluster.states(["12", "13"])
    assert {job: found[job] for job in wanted} == wanted
    assert called(tmp_path)[-2].endswith("--jobs=12,13")
    assert cluster.states([]) == {}


def test_a_job_that_lost_its_node_and_waits_again_is_not_over(commands, tmp_path):
    """Accounts say NODE_FAIL until it runs again, the queue that it waits."""
    (commands / "squeue").write_text(f'#!/bin/sh\necho squeue "$@" >>{tmp_path}/called\necho 13_0 PENDING\n')
    assert Slurm(ClusterConfig()).states(["12", "13"])["13_0"] == "PENDING"
    program, *words = called(tmp_path)[-1].split()
    assert (program, words[-1]) == ("squeue", "--jobs=13_0")


def test_cancelling(commands, tmp_path):
    cluster = Slurm(ClusterConfig())
    cluster.cancel(["12_0", "12_1"])
    cluster.cancel(["12_2"], kill=True)
    cluster.cancel([])
    assert called(tmp_path)[1:] == ["scancel --quiet 12_0 12_1", "scancel --quiet --signal=KILL 12_2"]


def test_jobs_of_an_earlier_start_that_do_not_end(commands, tmp_path, monkeypatch):
    cluster = Slurm(ClusterConfig())
    cluster.clear(["scaling-a", "scaling-b"], patience=0.0)
    user = f"--user={os.getuid()}"
    cancelled = [line for line in called(tmp_path) if line.startswith("scancel")]
    assert cancelled == [f"scancel --quiet {user} --name=scaling-{x}" for x in "ab"]
    (commands / "squeue").write_text("#!/bin/sh\necho 12_0\n")
    with pytest.raises(SlurmError, match="12_0"):
        cluster.clear(["scaling-a"], patience=0.0)


def test_what_is_missing_is_said(commands, tmp_path, monkeypatch):
    (commands / "sacct").write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    with pytest.raises(ConfigError, match=r"sacct: Slurm accounting storage is disabled; allowed: .* accounting"):
        Slurm(ClusterConfig())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no sbatch here"):
        Slurm(ClusterConfig())
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match="scripts/setup --extra slurm"):
        Slurm(ClusterConfig())


def test_what_sbatch_refuses_is_one_line(commands, tmp_path, capfd):
    (commands / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    with pytest.raises(SlurmError, match="invalid partition") as caught:
        submitted(tmp_path)
    assert str(caught.value) == "sbatch: invalid partition"
    assert capfd.readouterr().err == ""
