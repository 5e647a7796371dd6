"""The power law with a floor (form M2 of Alabdulmohsin et al. 2022) on twenty curves: CPU-seconds for all of them."""

import csv
from pathlib import Path

import numpy as np

from analysis import solver
from analysis.load import DataError
from scripts.benchmarks import ours
from scripts.benchmarks.measure import cpu
from scripts.benchmarks.report import Row

LAW, SECONDS = "m2", 1.0
NEEDED = ("Domain", "Task", "Model", "Seen Examples", "Loss", "Training")


def read(path: Path) -> list[dict[str, np.ndarray]]:
    """The curves of a table of examples seen and losses: their training part, each x once. Raises DataError."""
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    missing = [name for name in NEEDED if not table or name not in table[0]]
    if missing:
        raise DataError(f"{path}: no column {missing[0]!r}; allowed: a table with {', '.join(NEEDED)}")
    curves: dict[tuple[str, ...], dict[float, float]] = {}
    for row in table:
        if row["Training"] == "1":
            key = row["Domain"], row["Task"], row["Model"]
            curves.setdefault(key, {})[float(row["Seen Examples"])] = float(row["Loss"])
    return [{"tokens": np.array(list(c)), "loss": np.array(list(c.values()))} for c in curves.values()]


def made_up(count: int = 20, points: int = 40, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Curves e + b x^-c with a little noise."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        x = np.geomspace(1e5, 1e9, points)
        loss = rng.uniform(0.5, 2) + rng.uniform(5, 50) * x ** -rng.uniform(0.15, 0.5)
        made.append({"tokens": x, "loss": loss * np.exp(0.005 * rng.standard_normal(points))})
    return made


def rows(curves: list[dict[str, np.ndarray]]) -> list[Row]:
    """CPU-seconds of fitting every curve, from its table to its certified optimum."""

    def every() -> list[solver.Solution]:
        return [solver.solve(ours.problem(LAW, curve, curve["loss"])) for curve in curves]

    found, seconds = cpu(every)
    agree = min(solution.agreeing_fraction for solution in found)
    measured = f"{seconds:.2f} CPU-s; at least {agree:.0%} of the starts agree"
    return [Row(f"M2 on {len(curves)} curves", f"<= {SECONDS:g} CPU-s", measured, seconds <= SECONDS, {"cpu": seconds})]
