"""The sweep of 24 runs that comes out the same wherever it runs, and what is done to it in the meantime."""

import os
import signal
import sys
from pathlib import Path

from scaling_laws import config, table
from scaling_laws.config import ExperimentConfig
from scaling_laws.sweep import study

RUN = {
    "model.head_dim": 8,
    "task.context": 16,
    "train.batch_size": 4,
    "train.eval_tokens": 1024,
    "train.curve_points": 3,
    "train.curve_eval_tokens": 256,
    "train.steps_per_dispatch": 10,
    "train.checkpoint_seconds": 0.5,
}
SETTINGS = RUN | {
    "model.width": 0,
    "model.depth": 0,
    "sweep.widths": (8, 16),
    "sweep.depths": (1,),
    "sweep.budgets": (1e9, 2e9, 4e9),
    "sweep.seeds": (0, 1, 2, 3),
    "sweep.lr_check": False,
}


def experiment(**changes):
    """The sweep; keyword names use `__` for the dot."""
    return config.replace(ExperimentConfig(), SETTINGS | {name.replace("__", "."): v for name, v in changes.items()})


def words(program, workdir, settings):
    """The command line of a program with these settings."""
    values = {name: ",".join(map(str, v)) if isinstance(v, tuple) else v for name, v in settings.items()}
    flags = [f"--config.{name}={value}" for name, value in values.items()]
    return [sys.executable, "-m", f"experiments.{program}", f"--workdir={workdir}", *flags]


def sweep(workdir, at=(), **changes):
    """Run it; what is called `at` as many rows (pairs of a number and a function). The lines that were said."""
    lines, left = [], dict(at)

    def say(line):
        lines.append(line)
        for count in [count for count in left if sum(line.startswith("[") for line in lines) >= count]:
            left.pop(count)()

    summary = study.run_sweep(experiment(**changes), workdir, say).summary
    assert not left, "the sweep was over before it was disturbed"
    return summary, lines


def hashes(workdir):
    """Of the result columns of all rows, and of the curves."""
    return table.result_hash(table.read_runs(workdir)), table.result_hash(table.read_curves(workdir))


def processes(*words):
    """Ids of the processes in whose command line all of these words are."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in line for word in words) and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return sorted(found)


def kill(pid):
    """End a process as the system does that is out of memory."""
    os.kill(pid, signal.SIGKILL)
