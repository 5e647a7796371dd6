"""A small sweep as a process that can be killed: its parent, its workers, or all of it at once."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from scaling_laws import table

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "model.width": "0",
    "model.depth": "0",
    "model.head_dim": "8",
    "task.context": "16",
    "train.batch_size": "4",
    "train.eval_tokens": "1024",
    "train.curve_points": "6",
    "train.curve_eval_tokens": "256",
    "train.steps_per_dispatch": "10",
    "train.checkpoint_seconds": "0.05",
    "sweep.widths": "8,16",
    "sweep.depths": "1",
    "sweep.budgets": "2e8,4e8,8e8",
    "sweep.seeds": "0,1,2,3",
    "sweep.lr_check": "False",
}
RUNS = 24


class Victim:
    """The sweep's process in a group of its own, writing into `workdir`, its programs kept in `cache`."""

    def __init__(self, workdir: Path, cache: Path, workers: int, **changes: str):
        dotted = {name.replace("__", "."): value for name, value in changes.items()}
        settings = SETTINGS | {"sweep.workers": str(workers)} | dotted
        words = [f"--config.{name}={value}" for name, value in settings.items()]
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(cache)}
        self.log = workdir.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.sweep", f"--workdir={workdir}", *words],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether the parent has ended."""
        return self.process.poll() is not None

    def workers(self) -> list[int]:
        """Process numbers of the workers: the grandchildren, whose parent is the server that forks them."""
        with contextlib.suppress(OSError):
            return [worker for server in _children(self.process.pid) for worker in _children(server)]
        return []

    def kill(self, target: str, pick: int) -> bool:
        """Signal 9 to `parent`, `group` or one `worker`; False where there was none."""
        with contextlib.suppress(ProcessLookupError):
            if target == "worker":
                found = self.workers()
                if not found:
                    return False
                os.kill(found[pick % len(found)], signal.SIGKILL)
            elif target == "group":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
            if target != "worker":
                self.process.wait()
            return True
        return False

    def end(self) -> None:
        """Leave nothing of it behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def finished_sweep(place: Path, **changes: str) -> Path:
    """The work directory of this sweep, left alone to its end. Raises RuntimeError where that is none."""
    workdir = place / "finished"
    victim = Victim(workdir, place, workers=2, **changes)
    try:
        code = victim.process.wait(timeout=600)
    finally:
        victim.end()
    if code:
        raise RuntimeError(f"the sweep ended with {code}: {victim.log.read_text()[-2000:]}")
    return workdir


def hashes(workdir: Path) -> dict[str, str]:
    """Hash of the result columns of each table."""
    reads = {"runs": table.read_runs, "curves": table.read_curves}
    return {name: table.result_hash(read(workdir, lambda line: None)) for name, read in reads.items()}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
