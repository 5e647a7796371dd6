"""Clocks and journals for benchmarks: CPU-seconds of this process and of children, slices that survive a stop."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
ROOT = Path(__file__).parents[2]

T = TypeVar("T")


def cpu(action: Callable[[], T]) -> tuple[T, float]:
    """The action's result and the CPU-seconds (user and system, all threads) this process spent on it."""
    began = time.process_time()
    result = action()
    return result, time.process_time() - began


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a child process took: CPU-seconds (user and system), wall seconds, peak resident set in bytes."""

    cpu: float
    wall: float
    peak_bytes: int


def child(words: Sequence[str]) -> Cost:
    """Cost of `python WORDS` in a fresh process, with the thread settings of a user who set none.

    Raises RuntimeError with what the child wrote where it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # so that Popen does not wait for it again
    if process.returncode:
        raise RuntimeError(f"python {' '.join(words)} ended with {process.returncode}: {said.strip()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss * unit)


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, least and greatest."""
    values = list(values)
    return statistics.median(values), min(values), max(values)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Least-squares slope of ln y over ln x: 1 where a cost is linear."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def evenly(total: int, wanted: int) -> np.ndarray:
    """Indices of `wanted` of `total` items, spread evenly; all of them where `wanted` is `total` or more."""
    wanted = min(wanted, total)
    return (np.arange(wanted) * total) // wanted


class Journal:
    """Finished slices of a long measurement, one JSON line each under a key; a torn last line is dropped.

    `settings` name what was measured: lines of other settings are not read back.
    """

    def __init__(self, path: Path, settings: dict[str, Any]):
        self.path, self.settings = path, settings
        self.done: dict[str, Any] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if entry["settings"] == settings:
                self.done[entry["key"]] = entry["value"]

    def get(self, key: str, measure: Callable[[], Any]) -> Any:
        """The value kept under `key`, else that of `measure()`, kept from now on."""
        if key not in self.done:
            self.done[key] = measure()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                line = json.dumps({"settings": self.settings, "key": key, "value": self.done[key]})
                file.write("\n" + line if self._torn() else line)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
        return self.done[key]

    def _torn(self) -> bool:
        return self.path.stat().st_size > 0 and not self.path.read_bytes().endswith(b"\n")
