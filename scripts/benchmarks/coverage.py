"""How often the intervals hold the truth: every kind, two objectives, two designs, the same draws for all.

    python -m scripts.benchmarks.coverage                200 draws of 60 runs, .5 % noise; ten minutes on two cores
    python -m scripts.benchmarks.coverage --draws=20     a look

Each draw is a synthetic Chinchilla surface with fresh noise; a kind of interval passes where it holds the true value
of a, alpha, beta and E in 90 to 99 % of the draws.
"""

import dataclasses
import itertools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from absl import flags

from analysis import cli, laws, solver, uncertainty
from analysis.figures.style import csv_bytes, write_atomically
from analysis.fitting import exponent_quantity
from analysis.frontier import exponent_of_n
from analysis.load import Runs, runs_from
from analysis.published import HOFFMANN_2022

TRUTH = HOFFMANN_2022.coefficients
NOISE, LEVEL = 0.005, 0.95
LEAST, MOST = 0.90, 0.99
OBJECTIVES = ("huber", "log_mse")


@dataclasses.dataclass(frozen=True)
class Covered:
    """One quantity under one kind of interval: the share of draws whose interval holds it, and the median width."""

    design: str
    objective: str
    interval: str
    quantity: str
    draws: int
    coverage: float
    below: float  # share of the draws whose interval lies wholly below the truth
    above: float
    width: float

    @property
    def passes(self) -> bool:
        """Whether the coverage lies where it should."""
        return LEAST <= self.coverage <= MOST


def isoflop_design() -> tuple[np.ndarray, np.ndarray]:
    """(60,) N and D: five budgets a decade apart, twelve sizes within a factor of ten of the best."""
    c, power = TRUTH, TRUTH["alpha"] + TRUTH["beta"]
    budget = np.repeat(10.0 ** np.arange(18, 23), 12)
    gain = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / power)
    n = gain * (budget / 6) ** (c["beta"] / power) * np.tile(np.geomspace(0.1, 10, 12), 5)
    return n, budget / (6 * n)


def scattered_design() -> tuple[np.ndarray, np.ndarray]:
    """(60,) N and D log-uniform over three decades each."""
    rng = np.random.default_rng(7)
    return 10 ** rng.uniform(7, 10, 60), 10 ** rng.uniform(8, 11, 60)


DESIGNS = {"isoflop": isoflop_design, "scattered": scattered_design}


def runs_of(design: str, draw: int) -> Runs:
    """The runs of one draw."""
    n, d = DESIGNS[design]()
    noise = NOISE * np.random.default_rng(draw).standard_normal(len(n))
    loss = (TRUTH["E"] + TRUTH["A"] * n ** -TRUTH["alpha"] + TRUTH["B"] * d ** -TRUTH["beta"]) * np.exp(noise)
    return runs_from({"n_params": n, "tokens": d, "flops": 6 * n * d, "loss": loss})


def truth() -> dict[str, float]:
    """The true values that intervals should hold."""
    return {"a": float(exponent_of_n(TRUTH, 0.0)), **{name: TRUTH[name] for name in ("alpha", "beta", "E")}}


def intervals_of(runs: Runs, objective: str, resamples: int, seed: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Kind of interval -> quantity -> its interval, as `fit` makes them; resampled kinds share their draws."""
    law = laws.get("chinchilla")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    task = solver.problem(points, np.log(runs["loss"]), solver.Objective(objective))
    posed = uncertainty.Posed(task, solver.solve(task).theta, uncertainty.units(runs))
    named = uncertainty.coefficients(points, posed.theta) | {"a": exponent_quantity(points)}
    wanted = {name: named[name] for name in truth()}
    thetas = uncertainty.bootstrap_thetas(posed, resamples, seed)
    return {kind: uncertainty.intervals(kind, posed, wanted, thetas, LEVEL) for kind in uncertainty.INTERVALS}


def measured(design: str, objective: str, draws: int, resamples: int) -> list[Covered]:
    """One row for each kind of interval and quantity."""
    found = [intervals_of(runs_of(design, draw), objective, resamples, draw) for draw in range(draws)]
    rows = []
    for kind, (name, value) in itertools.product(uncertainty.INTERVALS, truth().items()):
        low, high = np.array([pairs[kind][name] for pairs in found]).T
        below, above = float(np.mean(high < value)), float(np.mean(low > value))
        coverage, width = round(1 - below - above, 9), float(np.median(high - low))
        rows.append(Covered(design, objective, kind, name, draws, coverage, below, above, width))
    return rows


def table(draws: int, resamples: int, jobs: int) -> Iterator[Covered]:
    """All rows, in order."""
    cells = itertools.product(DESIGNS, OBJECTIVES)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for waiting in [pool.submit(measured, *cell, draws, resamples) for cell in cells]:
            yield from waiting.result()


def run() -> None:
    """Measures, prints and writes the table."""
    rows = []
    for row in table(flags.FLAGS.draws, flags.FLAGS.resamples, flags.FLAGS.jobs):
        rows.append(row)
        verdict = "" if row.passes else "  outside"
        print(
            f"{row.design:<10}{row.objective:<9}{row.interval:<10}{row.quantity:<6}{row.coverage:.3f}{verdict}",
            flush=True,
        )
    columns = [field.name for field in dataclasses.fields(Covered)]
    write_atomically(Path(flags.FLAGS.out), csv_bytes((dataclasses.asdict(row) for row in rows), columns))
    print(f"{flags.FLAGS.out}: {sum(row.passes for row in rows)} of {len(rows)} within {LEAST:.0%} to {MOST:.0%}")


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_integer("draws", 200, "draws of the noise", lower_bound=1)
    flags.DEFINE_integer("resamples", 400, "resamples behind bootstrap and bca", lower_bound=1)
    flags.DEFINE_integer("jobs", 2, "processes", lower_bound=1)
    flags.DEFINE_string("out", "docs/results/coverage.csv", "CSV to write")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
