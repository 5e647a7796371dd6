"""The sweep's command: what it refuses and prints, and that no way of ending it changes a result."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scaling_laws import table

ROOT = Path(__file__).parents[2]
CONFIG = """
from scaling_laws import config

def get_config():
    return config.replace(config.ExperimentConfig(), {
        "model.width": 0, "model.depth": 0, "model.head_dim": 8, "task.context": 16, "train.batch_size": 4,
        "train.eval_tokens": 1024, "train.curve_points": 8, "train.curve_eval_tokens": 256,
        "train.steps_per_dispatch": 5, "train.checkpoint_seconds": 0.1, "sweep.widths": (8,), "sweep.depths": (1,),
        "sweep.budgets": (3e8, 1e9), "sweep.seeds": (0, 1), "sweep.lr_max_extensions": 0, "sweep.workers": 2,
    })
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a configuration file and a cache of its own."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "small.py").write_text(CONFIG)
    return folder


def command(place, *options, config="small.py"):
    return [sys.executable, "-m", "experiments.sweep", f"--config={place / config}", *options]


def environment(place):
    return os.environ | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(place / "cache")}


def call(place, *options, **named):
    return subprocess.run(
        command(place, *options, **named), cwd=ROOT, env=environment(place), capture_output=True, text=True, timeout=300
    )


def begin(place, workdir):
    """Start the sweep; return it when a row has been written."""
    log = (workdir.parent / f"{workdir.name}.log").open("a")
    running = subprocess.Popen(
        command(place, f"--workdir={workdir}"), cwd=ROOT, env=environment(place), stdout=log, stderr=log
    )
    before = len(lines(workdir))
    wait(lambda: len(lines(workdir)) > max(before, 1) or running.poll() is not None)
    assert running.poll() is None, (workdir.parent / f"{workdir.name}.log").read_text()
    return running


def lines(workdir):
    journal = workdir / "journal.jsonl"
    return journal.read_bytes().splitlines() if journal.exists() else []


def wait(condition, seconds=240):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.01)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def server(pid):
    """The process that forks the sweep's workers."""
    (found,) = [child for child in children(pid) if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return found


def workers(pid):
    return children(server(pid))


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it is opened, or while it is read
        return True


def test_dry_run_prints_the_plan_and_trains_nothing(place, tmp_path):
    done = call(place, f"--workdir={tmp_path / 'dry'}", "--dry_run", "--config.sweep.widths=8,12")
    assert done.returncode == 0, done.stderr
    assert "4 runs, 1 program, " in done.stdout
    assert "refused: everywhere, width 12 depth 1" in done.stdout
    assert not (tmp_path / "dry").exists()


def test_a_dry_run_is_priced_on_a_device_that_is_named(place):
    done = call(place, "--dry_run", "--device=peak=1e9,memory=1e9,utilization=0.5,price=7.2,count=2")
    assert done.returncode == 0, done.stderr
    on, hours, clock, checkpoints, logs = done.stdout.split("\n\n")[-1].splitlines()
    assert on == "on 2 x device (1e+09 FLOP/s, 1 GB), at 50% of the peak:"
    assert "4 runs, 0.00" in hours
    assert "at 7.2 an hour 0.0" in hours
    assert "by the clock" in clock
    assert "checkpoints of up to " in checkpoints
    assert "32 points of curves" in logs


@pytest.mark.parametrize(
    "options, word",
    [
        (["--device=h100"], "--device: given; allowed: with --dry_run"),
        (["--dry_run", "--device=h101"], "did you mean h100?"),
        (["--config.sweep.widths="], "sweep.widths"),
        (["--config.sweep.budgets=1e6"], "sweep.budgets"),
        (["--config.sweep.budget=1e9"], "did you mean"),
        (["--config.model.width=20"], "multiple of model.head_dim"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(place, tmp_path, options, word):
    done = call(place, f"--workdir={tmp_path / 'bad'}", *options)
    assert done.returncode == 2
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_any_way_of_ending_leads_to_the_same_table(place):
    undisturbed = call(place, f"--workdir={place / 'undisturbed'}", "--config.sweep.workers=1")
    assert undisturbed.returncode == 0, undisturbed.stderr
    workdir = place / "disturbed"

    stopped = begin(place, workdir)  # one worker killed, then asked to stop as schedulers ask
    os.kill(workers(stopped.pid)[0], signal.SIGKILL)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(120) == 75
    after_stop = len(lines(workdir))

    killed = begin(place, workdir)  # the parent killed: its workers go with it
    orphans = workers(killed.pid)
    assert orphans
    orphans.append(server(killed.pid))
    killed.kill()
    killed.wait()
    wait(lambda: all(map(gone, orphans)), seconds=10)
    assert len(lines(workdir)) > after_stop

    finished = call(place, f"--workdir={workdir}")
    assert finished.returncode == 0, finished.stderr
    assert "done before" in finished.stdout
    for read in (table.read_runs, table.read_curves):
        assert table.result_hash(read(workdir)) == table.result_hash(read(place / "undisturbed"))
    rows = table.read_runs(workdir).to_pylist()
    assert {row["purpose"] for row in rows} == {"grid", "lr_check"}
    assert {row["status"] for row in rows} == {"finished"}
