"""Runs `python WORDS` and waits for whatever it leaves behind too, so that all of it counts as this process' children.

    python -m scripts.benchmarks.reaped -m experiments.sweep ...

A sweep's workers are children of a server that ends after the sweep does: their CPU-seconds would be lost.
"""

import contextlib
import ctypes
import os
import subprocess
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Exit code of the program."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    code = subprocess.call([sys.executable, *sys.argv[1:]])
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return code


if __name__ == "__main__":
    sys.exit(main())
