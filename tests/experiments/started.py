"""Processes of `experiments.train` on this machine, two simulated devices each, and what is done to them."""

import os
import signal
import subprocess
import sys
import time

from teams import free_port

from scaling_laws.table import read_runs
from scaling_laws.train import saved

SETTINGS = {
    "model.width": 16,
    "model.depth": 1,
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 16,
    "train.steps": 24,
    "train.eval_tokens": 1024,
    "train.curve_eval_tokens": 256,
    "train.curve_points": 3,
    "train.steps_per_dispatch": 2,
}


class Starter:
    """Starts them on the task that `data` sets, with their caches in `cache`; `close` ends those that still run."""

    def __init__(self, data, cache):
        self.data, self.running = data, []
        self.environment = {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            "XDG_CACHE_HOME": str(cache),
            "PYTHONPATH": os.getcwd(),
        }

    def __call__(self, workdir, processes, only=None, host="127.0.0.1", within=None, **changes):
        """That many processes that train one model under FSDP and meet at `host`, or one alone; by number, `only` has
        further words of a process, and `within` words before its command."""
        devices = {"train__fsdp_devices": 2 * processes} if processes > 1 else {}
        paths = {name.replace("__", "."): value for name, value in (devices | changes).items()}
        words = [sys.executable, "-m", "experiments.train", f"--workdir={workdir}"]
        words += [f"--config.{path}={value}" for path, value in (SETTINGS | self.data | paths).items()]
        if processes > 1:
            words += [f"--coordinator={host}:{free_port()}", f"--num_processes={processes}"]
        team = [
            subprocess.Popen(
                (within or {}).get(number, [])
                + words
                + ([f"--process_id={number}"] if processes > 1 else [])
                + (only or {}).get(number, []),
                env=os.environ | self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(processes)
        ]
        self.running.extend(team)
        return team

    def close(self):
        for one in self.running:
            one.kill()


def ended(team):
    """[(exit code, output, errors)] of all."""
    found = [one.communicate(timeout=500) for one in team]
    return [(one.returncode, *streams) for one, streams in zip(team, found, strict=True)]


def trained(team):
    """Wait for all, which are to succeed."""
    for code, _, errors in ended(team):
        assert code == 0, errors


def lost_at_a_checkpoint(team, workdir, lose):
    """Call `lose` as soon as there is a checkpoint; (seconds until the last has left, what all ended with)."""
    while not list(workdir.glob(f"checkpoints/*/{saved.PREFIX}*")):
        assert all(one.poll() is None for one in team), ended(team)
        time.sleep(0.05)
    lose()
    began = time.monotonic()
    while any(one.poll() is None for one in team):
        time.sleep(0.01)
    return time.monotonic() - began, ended(team)


def killed_at_a_checkpoint(team, workdir, victim):
    """The same of one that is killed."""
    return lost_at_a_checkpoint(team, workdir, lambda: team[victim].send_signal(signal.SIGKILL))


def row_of(workdir):
    """The row of the one run in it."""
    (row,) = read_runs(workdir).to_pylist()
    return row
