"""What one start of a sweep did, and a line on each of its runs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from scaling_laws.progress import duration
from scaling_laws.sweep import trunks
from scaling_laws.sweep.show import plural
from scaling_laws.table import STATUSES
from scaling_laws.units import reached

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What one start of a sweep did: `rows` of the runs done now, how many were there before, and what is left."""

    rows: tuple[Row, ...]
    skipped: int
    remaining: int
    interrupted: bool
    wall_seconds: float
    start_seconds: float = 0.0  # of all workers: from the start of the process until its task was loaded
    write_seconds: float = 0.0  # of the parent, for the journal
    workers: int = 1
    terminated: bool = False  # interrupted by SIGTERM

    def count(self, status: str) -> int:
        """How many of the runs done now ended with `status`."""
        return sum(row["status"] == status for row in self.rows)

    def spent(self) -> dict[str, float]:
        """Seconds by what they were spent on; all workers together, but for `write`, the parent's own.

        `start`: imports and the task. `init`: drawing parameters, placing them and the data. `compile`: tracing and
        compiling, or loading what was compiled before. `idle`: waiting for work, at the end above all.
        """
        parts = {
            name: sum(row.get(f"{name}_seconds") or 0.0 for row in self.rows)
            for name in ("init", "compile", "step", "eval")
        }
        working = sum(row.get("wall_seconds") or 0.0 for row in self.rows)
        idle = max(0.0, self.workers * self.wall_seconds - self.start_seconds - working)
        return {"start": self.start_seconds, **parts, "write": self.write_seconds, "idle": idle}

    def saved(self) -> str:
        """What branches saved over separate runs, by the steps that were taken; empty where no run is a branch."""
        steps = [row for row in self.rows if row.get("own_steps")]
        if not any(row["trunk"] for row in steps):
            return ""
        separate = [row["flops"] * row["steps_done"] / row["steps"] for row in steps]
        own = [flops * row["own_steps"] / row["steps_done"] for row, flops in zip(steps, separate, strict=True)]
        return trunks.describe(sum(own), sum(separate), "saved")

    def line(self) -> str:
        """`24 runs, 6 programs, ...`: counts, and the seconds of all workers together by what they were spent on."""
        programs = plural(len({(row["width"], row["depth"], row["batch_size"]) for row in self.rows}), "program")
        spent = self.spent()
        parts = " / ".join(f"{seconds:.0f}" for seconds in spent.values())
        others = [f"{self.count(status)} {status}" for status in STATUSES[1:] if self.count(status)]
        others += [f"{self.skipped} done before"] if self.skipped else []
        others += [self.saved()] if self.saved() else []
        tail = f" ({', '.join(others)})" if others else ""
        return (
            f"{plural(len(self.rows), 'run')}, {programs}, {parts} seconds {' / '.join(spent)}, "
            f"{duration(self.wall_seconds)} in all{tail}"
        )


def describe_row(row: Mapping[str, Any], index: int, total: int) -> str:
    """One line for the log when a run has ended."""
    budget = row["budget"]
    place = f"batch {row['batch_size']} steps {row['steps']:,}" if budget is None else f"budget {budget:.3g}"
    head = f"[{index}/{total}] width {row['width']} depth {row['depth']} {place}"
    head += f" lr {row['learning_rate']:.3g} seed {row['seed']}"
    if row["status"] != "finished":
        return f"{head}: {row['status']}: {row['reason']}"
    return f"{head}: {reached(row)}, {row['wall_seconds']:.0f} s"
