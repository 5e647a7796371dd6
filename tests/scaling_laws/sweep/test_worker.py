"""A worker and the end of the process that started it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BUSY = """
import multiprocessing, os, time
from scaling_laws.sweep import worker

def busy():
    worker.die_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(100)  # as a compilation would: nothing is read from the pipe

if __name__ == "__main__":
    started = multiprocessing.get_context("forkserver").Process(target=busy)
    started.start()
    started.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_that_is_busy_ends_with_the_sweep(tmp_path):
    (tmp_path / "parent.py").write_text(BUSY)
    words = [sys.executable, str(tmp_path / "parent.py")]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < until, "the worker lives on"
        time.sleep(0.02)
