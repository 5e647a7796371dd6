"""What is asked of SLURM, through submitit: submit an array of our own command, ask for states, cancel.

Submitit pickles a function for each job and loads it there. Here a job is a command line and its orders are JSON
(`spool`), so of submitit only what writes the file for sbatch and reads what sbatch and sacct print is used, and no
pickle is written or read.
"""

import contextlib
import importlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from scaling_laws.cluster import ClusterConfig
from scaling_laws.config import ConfigError
from scaling_laws.sweep import machine

COMMAND = ("-m", "scaling_laws.sweep.cluster.slurm_job")
TIMEOUT = 120  # seconds that a busy controller may take to answer
OVER = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}
OVER |= {"TIMEOUT"}
COMES_BACK = {"BOOT_FAIL", "NODE_FAIL", "PREEMPTED"}  # ends after which SLURM queues a job again


class SlurmError(ValueError):
    """SLURM refused something, in one line."""


class Slurm:
    """The SLURM of this machine, which can submit to it. Raises ConfigError where there is none, or none that keeps
    accounts, without which a job that was killed is never heard of."""

    def __init__(self, cluster: ClusterConfig):
        self._cluster = cluster
        try:
            self._submitit: Any = importlib.import_module("submitit")
        except ImportError:
            raise ConfigError(
                "--launcher=slurm: submitit is not installed; allowed: after scripts/setup --extra slurm"
            ) from None
        if shutil.which("sbatch") is None:
            raise ConfigError("--launcher=slurm: no sbatch here; allowed: a machine that submits to SLURM")
        try:
            _call("sacct", "--noheader", "--jobs=1")
        except SlurmError as error:
            raise ConfigError(f"--launcher=slurm: {error}; allowed: a cluster with accounting (slurmdbd)") from None

    def submit(self, folder: Path, count: int, name: str, at_once: int) -> str:
        """Submit the array of `count` jobs whose orders lie in `folder`: its number. At most `at_once` run together; 0:
        as many as SLURM likes.

        Raises SlurmError where SLURM takes none, with what it says.
        """
        executor = self._submitit.SlurmExecutor(folder)
        command = shlex.join([sys.executable, *COMMAND, str(folder)])
        try:
            executor.update_parameters(**self._parameters(name, at_once or count))
            executor.parameters["map_count"] = count
            with contextlib.redirect_stderr(io.StringIO()):  # what sbatch says is in the error too
                job = executor._submit_command(command)  # `submit` would pickle a function
        except (RuntimeError, ValueError) as error:
            raise _refusal("sbatch", str(error)) from error
        return job.job_id

    def _parameters(self, name: str, at_once: int) -> dict[str, Any]:
        cluster = self._cluster
        alone = cluster.cpus == 1 and not cluster.accelerators
        variables = machine.worker_environment(alone) | ({} if cluster.accelerators else {"JAX_PLATFORMS": "cpu"})
        wanted = {name: getattr(cluster, name) for name in ("partition", "account", "qos", "constraint", "gres")}
        return {key: value for key, value in wanted.items() if value} | {
            "job_name": name,
            "time": cluster.minutes,
            "nodes": 1,
            "ntasks_per_node": 1,
            "cpus_per_task": cluster.cpus,
            "signal_delay_s": cluster.warning_seconds,
            "array_parallelism": at_once,
            "additional_parameters": {"requeue": True},  # after pre-emption and when a node dies
            "setup": [f"export {key}={shlex.quote(value)}" for key, value in variables.items()],
            "stderr_to_stdout": True,
            **({"gpus_per_node": cluster.gpus} if cluster.gpus else {}),
            **({"mem": f"{int(cluster.memory_gb * 1024)}MB"} if cluster.memory_gb else {}),
        }

    def states(self, arrays: Collection[str]) -> dict[str, str]:
        """ARRAY_INDEX -> its state now, a word in capitals, of all jobs of these arrays that SLURM knows of."""
        if not arrays:
            return {}
        told = _call("sacct", "--allocations", "--parsable2", "--format=JobID,State", f"--jobs={','.join(arrays)}")
        found = self._submitit.SlurmJob.watcher.read_info(told)
        states = {job: facts["State"].split()[0] for job, facts in found.items()}
        return states | self._queued([job for job, state in states.items() if state in COMES_BACK])

    def _queued(self, jobs: Collection[str]) -> dict[str, str]:
        """The states of those of these jobs that are in the queue again: until they run, accounts tell of their end."""
        if not jobs:
            return {}
        told = _call("squeue", "--noheader", "--array", "--format=%i %T", f"--jobs={','.join(jobs)}", check=False)
        return dict(line.split(maxsplit=1) for line in told.splitlines())

    def cancel(self, jobs: Iterable[str], kill: bool = False) -> None:
        """End jobs (or whole arrays): those that run write a checkpoint first, unless they are to be killed."""
        if jobs := list(jobs):
            _call("scancel", "--quiet", *(["--signal=KILL"] if kill else []), *jobs, check=False)

    def clear(self, names: Collection[str], patience: float) -> None:
        """Cancel the arrays of these names, and wait until nothing of them runs. Raises SlurmError after `patience`
        seconds."""
        if not names:
            return
        user = f"--user={os.getuid()}"
        for name in names:
            _call("scancel", "--quiet", user, f"--name={name}", check=False)
        until = time.monotonic() + patience
        while left := _call("squeue", "--noheader", user, "--format=%i", f"--name={','.join(names)}").split():
            if time.monotonic() > until:
                raise SlurmError(f"jobs of an earlier start do not end: {' '.join(left[:5])}; allowed: after scancel")
            time.sleep(1.0)


def _call(*words: str, check: bool = True) -> str:
    """What a command of SLURM prints. Raises SlurmError with its last line where it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{words[0]}: {type(error).__name__}: no answer") from None
    if check and done.returncode:
        raise _refusal(words[0], done.stderr)
    return done.stdout


def _refusal(program: str, text: str) -> SlurmError:
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it failed without a word"]
    return SlurmError(f"{program}: {lines[-1].removeprefix(f'{program}: error: ')}")
