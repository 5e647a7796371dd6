"""The arithmetic of the sweep's benchmark: what it took, beside what, and where the seconds went."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scripts.benchmarks import sweep_grid
from scripts.benchmarks.measure import Cost
from scripts.benchmarks.peers import between, ratios
from scripts.benchmarks.report import Row

FASTER = 4.0  # a cold sweep than as many processes of their own
OVERHEAD = 1.3  # a warm sweep over its stepping
IN_RUNS, OUTSIDE = "other within runs", "starting, importing, waiting"
SUFFIX = "_seconds"


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One sweep: what the command took, and its rows of the runs table."""

    cost: Cost
    rows: tuple[dict[str, Any], ...]

    def stepping(self, workers: int) -> float:
        """Wall seconds if the workers did nothing but optimiser steps, evenly shared."""
        return sum(row["step_seconds"] for row in self.rows) / workers


def check(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises RuntimeError unless the rows are all the runs of the grid, each finished at its last step."""
    wanted = sorted((width, depth, sweep_grid.STEPS) for width, depth, _ in sweep_grid.singles())
    done = sorted((row["width"], row["depth"], row["steps_done"]) for row in rows if row["status"] == "finished")
    if done != wanted:
        raise RuntimeError(f"{len(done)} of {len(rows)} runs finished as planned, {len(wanted)} wanted")


def together(action: Callable[[], Iterable[Cost]]) -> Cost:
    """Wall seconds of the action, the CPU-seconds of its processes in all, the peak of the largest."""
    began = time.monotonic()
    costs = list(action())
    return Cost(sum(c.cpu for c in costs), time.monotonic() - began, max(c.peak_bytes for c in costs))


def cold(sweeps: Sequence[Sweep], alone: Sequence[Cost], workers: int) -> list[Row]:
    """The cold sweep beside the processes, pair by pair."""
    costs = [sweep.cost for sweep in sweeps]
    count = len(sweep_grid.singles())
    found = [_cost(f"{count} processes, {workers} at a time", alone), _cost("cold sweep", costs)]
    wall = ratios([cost.wall for cost in alone], [cost.wall for cost in costs])
    cpu = ratios([cost.cpu for cost in alone], [cost.cpu for cost in costs])
    met = statistics.median(wall) >= FASTER
    found.append(Row("processes over cold sweep, wall", f">= {FASTER:g}", between(wall, ".2f"), met, {"ratios": wall}))
    found.append(Row("processes over cold sweep, CPU", "", between(cpu, ".2f"), None, {"ratios": cpu}))
    return [*found, _where("cold sweep", sweeps, workers)]


def warm(sweeps: Sequence[Sweep], workers: int) -> list[Row]:
    """The warm sweep beside its stepping."""
    stepping = [sweep.stepping(workers) for sweep in sweeps]
    over = ratios([sweep.cost.wall for sweep in sweeps], stepping)
    met = statistics.median(over) <= OVERHEAD
    return [
        _cost("warm sweep", [sweep.cost for sweep in sweeps]),
        Row("stepping alone, warm", "", between(stepping, ".1f", " s"), None, {"seconds": stepping}),
        Row("warm sweep over stepping", f"<= {OVERHEAD:g}", between(over, ".2f"), met, {"ratios": over}),
        _where("warm sweep", sweeps, workers),
    ]


def _cost(what: str, costs: Sequence[Cost]) -> Row:
    walls, cpus = [cost.wall for cost in costs], [cost.cpu for cost in costs]
    measured = f"{between(walls, '.1f', ' s')}, {between(cpus, '.1f', ' CPU-s')}"
    return Row(what, "", measured, None, {"wall": walls, "cpu": cpus})


def _where(what: str, sweeps: Sequence[Sweep], workers: int) -> Row:
    each = [spent(sweep.rows, sweep.cost.wall, workers) for sweep in sweeps]
    middle = {part: statistics.median(parts[part] for parts in each) for part in each[0]}
    whole = sum(middle.values())
    measured = ", ".join(f"{part} {seconds:.1f} s ({seconds / whole:.0%})" for part, seconds in middle.items())
    return Row(f"{what}: seconds of {workers} workers", "", measured, None, {"rounds": each})


def spent(rows: Sequence[Mapping[str, Any]], wall: float, workers: int) -> dict[str, float]:
    """Part -> seconds of all workers together, from whatever columns of the runs table count seconds.

    What a run's wall seconds hold beyond its parts, and the workers' time beyond their runs, are parts of their own.
    """
    names = [name for name in rows[0] if name.endswith(SUFFIX) and name != f"wall{SUFFIX}"]
    parts = {name.removesuffix(SUFFIX): sum(row[name] or 0.0 for row in rows) for name in names}
    runs = sum(row["wall_seconds"] for row in rows)
    parts[IN_RUNS] = max(0.0, runs - sum(parts.values()))
    return parts | {OUTSIDE: max(0.0, workers * wall - runs)}
