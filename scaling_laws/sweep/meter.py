"""How far a sweep is: work done, the speed seen on this start, the time left."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from scaling_laws.progress import Progress, duration
from scaling_laws.sweep.planned import PlannedRun

WARM = 5.0  # seconds before a speed is worth a forecast


class Meter:
    """Training FLOPs of the runs of this start: planned, done, and the speed of all workers together; of models without
    products the targets that they read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._began = clock, clock()
        self._planned: dict[str, PlannedRun] = {}
        self._done: dict[str, float] = {}
        self._flops, self.total, self.done = False, 0.0, 0.0  # work of all runs of this start; what of it is done

    def add(self, planned: PlannedRun) -> None:
        """A run is to be done, which was not before."""
        self._planned[planned.run_id] = planned
        self._flops |= bool(planned.flops)
        self.total += _work(planned)

    def at(self, run_id: str, step: int) -> None:
        """A run has reached a step."""
        planned = self._planned[run_id]
        own = (step - planned.begins_at) / (planned.run.train.steps - planned.begins_at)
        self._set(run_id, _work(planned) * min(1.0, max(0.0, own)))

    def finished(self, row: Mapping[str, Any]) -> None:
        """A run has ended, with whatever status: nothing of it is left to do."""
        self._set(row["run_id"], _work(self._planned[row["run_id"]]))

    def _set(self, run_id: str, done: float) -> None:
        self.done += done - self._done.get(run_id, 0.0)  # not summed anew: a step is told twice a second by each worker
        self._done[run_id] = done

    @property
    def unit(self) -> str:
        """What is counted."""
        return "FLOP" if self._flops else "targets"

    @property
    def share(self) -> float:
        """Share of it that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    def seconds_left(self) -> float | None:
        """Time left at the speed seen so far; None while too little has been seen."""
        elapsed = self._clock() - self._began
        if elapsed < WARM or not self.done:
            return None
        return max(0.0, self.total - self.done) * elapsed / self.done


def _work(planned: PlannedRun) -> float:
    return planned.own_flops or planned.tokens * (1 - planned.begins_at / planned.run.train.steps)


class Display(Progress):
    """The progress line of a sweep on standard error; its total may grow while it runs."""

    def __init__(self, meter: Meter):
        super().__init__(1.0, "of the compute")
        self.meter = meter

    def tick(self, note: str) -> None:
        """Show the state when the last line is old enough."""
        self.update(self.meter.share, note)

    def line(self) -> str:
        """The state as plain text: `12% of 3.2e+12 FLOP  ETA 2 min 05 s  2 running, 7 waiting`."""
        left = self.meter.seconds_left()
        eta = f"ETA {duration(left)}" if left is not None else "ETA ?"
        return f"{self.meter.share:.0%} of {self.meter.total:.3g} {self.meter.unit}  {eta}  {self._note}"

    def clear(self) -> None:
        """Make room on a terminal for another line; the next tick draws this one again."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
