"""Searches on the packaged text against an exhaustive 8 x 8 grid of learning rate and weight decay.

    scripts/bench search                      the grid (192 runs of a few seconds, resumable), then the searches
    scripts/bench search --repetitions=50     more repetitions of each sampler

The grid is trained on three seeds. Each sampler then has a quarter of its cells, 16 trials, in each repetition: it sees
one seed's loss of a cell, looked up in the grid's table, and names the best cell it has seen. Its regret is the loss of
that cell less the lowest one of the grid, both means over the seeds. The exit code is 0 whatever was measured.
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from absl import flags

from analysis import cli
from analysis.figures import Built, save_all
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.figures.style import csv_bytes, write_atomically
from scaling_laws import config
from scaling_laws.config import ExperimentConfig
from scaling_laws.search import samplers
from scaling_laws.search.driver import run_search
from scaling_laws.search.settings import SAMPLERS, Search
from scaling_laws.search.space import Space, parse
from scripts.benchmarks.report import progress

SPACE = "optimizer.learning_rate=log:3e-3:1e-1:8,optimizer.weight_decay=log:0.03:3:8"
SEEDS = (0, 1, 2)
TRIALS = 16
TINY = {
    "train.base_width": 32,
    "model.width": 32,
    "model.depth": 2,
    "model.n_heads": 2,
    "task.tokenizer": "bpe",
    "task.vocab_size": 1024,
    "task.context": 64,
    "optimizer.beta2": 0.98,
    "train.batch_size": 8,
    "train.steps": 300,
    "train.curve_points": 2,
    "train.curve_eval_tokens": 2048,
}
COLOURS = {"grid": "muted", "random": "ink", "tpe": "approach2", "gp": "approach3"}
Cell = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One sampler: regret of the cell it names after each trial, (repetitions, trials), in nats per token."""

    sampler: str
    regret_RxT: np.ndarray

    @property
    def mean(self) -> float:
        """Mean regret at the end."""
        return float(self.regret_RxT[:, -1].mean())

    @property
    def error(self) -> float:
        """Its standard error over the repetitions."""
        return float(self.regret_RxT[:, -1].std(ddof=1) / len(self.regret_RxT) ** 0.5)


def experiment() -> ExperimentConfig:
    """What every cell of the grid trains but for its rate and decay."""
    return config.replace(ExperimentConfig(), TINY)


def losses_of_grid(workdir: Path) -> tuple[Space, dict[Cell, list[float]]]:
    """The space, and cell -> loss of each seed; trained by a grid search, in so far as `workdir` has no row."""
    base = config.run_part(experiment())
    space = parse(SPACE, base)
    search = Search(base, space, "grid", trials=int(space.size), seeds=SEEDS)
    found = run_search(experiment(), search, workdir, say=progress).search
    values = {
        tuple(trial["changes"].values()): [run["value"] for run in sorted(trial["runs"], key=lambda run: run["seed"])]
        for trial in found["trials"]
    }
    return space, values


def repeat(space: Space, losses: Mapping[Cell, Sequence[float]], sampler: str, repetitions: int) -> Outcome:
    """The sampler's searches, each from a seed of its own and on one seed of the runs."""
    lowest = min(map(statistics.fmean, losses.values()))
    rows = []
    for repetition in range(repetitions):
        cells = visited(space, losses, sampler, repetition)
        seen = [losses[cell][repetition % len(SEEDS)] for cell in cells]
        named = [cells[int(np.argmin(seen[: count + 1]))] for count in range(TRIALS)]
        rows.append([statistics.fmean(losses[cell]) - lowest for cell in named])
    return Outcome(sampler, np.array(rows))


def visited(space: Space, losses: Mapping[Cell, Sequence[float]], sampler: str, repetition: int) -> list[Cell]:
    """The cells of one search, in order."""
    study = optuna.create_study(sampler=samplers.sampler(sampler, space, repetition, TRIALS))
    cells = []
    for _ in range(TRIALS):
        trial = study.ask({axis.field: samplers.distribution(axis) for axis in space.axes})
        cells.append(tuple(samplers.changes(space, trial.params).values()))
        study.tell(trial, losses[cells[-1]][repetition % len(SEEDS)])
    return cells


def seed_deviation(losses: Mapping[Cell, Sequence[float]]) -> float:
    """Standard deviation of the loss over seeds, pooled over the eight best cells: near the optimum it counts."""
    best = sorted(losses.values(), key=statistics.fmean)[:8]
    return statistics.fmean(statistics.variance(values) for values in best) ** 0.5


def drawing(outcomes: Sequence[Outcome], deviation: float) -> Drawing:
    """Mean regret over trials, with its standard error, beside one standard deviation of a seed."""
    trials = np.arange(1.0, TRIALS + 1)
    layers = []
    for outcome in outcomes:
        mean_T = outcome.regret_RxT.mean(axis=0)
        error_T = outcome.regret_RxT.std(axis=0, ddof=1) / len(outcome.regret_RxT) ** 0.5
        role, name = COLOURS[outcome.sampler], outcome.sampler
        ends = (mean_T - error_T, mean_T + error_T)
        layers.append(Layer("band", f"{name}, 1 standard error", trials, mean_T, *ends, role=role, legend=False))
        layers.append(Layer("line", name, trials, mean_T, role=role))
    level = np.full(2, deviation)
    layers.append(Layer("line", "one seed's standard deviation", trials[[0, -1]], level, role="warning", mark="dashed"))
    panel = Panel(Axis("trials, of 64 cells", log=False), Axis("mean regret (nats per token)", log=True), tuple(layers))
    count = len(outcomes[0].regret_RxT)
    return Drawing("regret", f"Regret against the whole grid, {count} searches each", "", (panel,))


def run() -> None:
    """Trains the grid, repeats the searches, writes the figure and the tables."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out = Path(flags.FLAGS.out)
    space, losses = losses_of_grid(Path(flags.FLAGS.workdir))
    deviation = seed_deviation(losses)
    outcomes = []
    for sampler in SAMPLERS:
        outcomes.append(repeat(space, losses, sampler, flags.FLAGS.repetitions))
        progress(f"{sampler}: mean regret {outcomes[-1].mean:.4f} ± {outcomes[-1].error:.4f}")
    print("\n".join(summary(space, losses, outcomes, deviation)))
    rows = [described(outcome, deviation) for outcome in outcomes]
    write_atomically(out / "regret_summary.csv", csv_bytes(rows, list(rows[0])))
    write_atomically(out / "grid.csv", csv_bytes(cells(space, losses), _columns(space)))
    save_all(Built((drawing(outcomes, deviation),), {}), out)


def summary(
    space: Space, losses: Mapping[Cell, Sequence[float]], outcomes: Sequence[Outcome], deviation: float
) -> list[str]:
    """The best cell, and each sampler's regret beside the seeds' own noise."""
    best = min(losses, key=lambda cell: statistics.fmean(losses[cell]))
    named = ", ".join(f"{axis.field} {value}" for axis, value in zip(space.axes, best, strict=True))
    lines = [
        f"best of {len(losses)} cells: {named}: loss {statistics.fmean(losses[best]):.4f}",
        f"one seed's standard deviation: {deviation:.4f}",
    ]
    for outcome in outcomes:
        within = "within" if outcome.mean <= deviation else "BEYOND"
        regret = f"mean regret {outcome.mean:.4f} ± {outcome.error:.4f} after {TRIALS} trials"
        lines.append(f"{outcome.sampler:<7}{regret}, {within} one standard deviation")
    return lines


def described(outcome: Outcome, deviation: float) -> dict[str, Any]:
    """A sampler's row of regret_summary.csv."""
    last_R = outcome.regret_RxT[:, -1]
    figures = {"mean_regret": outcome.mean, "standard_error": outcome.error, "seed_deviation": deviation}
    share = float((last_R <= deviation).mean())
    return {"sampler": outcome.sampler, "repetitions": len(last_R), "trials": TRIALS, **figures, "share_within": share}


def cells(space: Space, losses: Mapping[Cell, Sequence[float]]) -> list[dict[str, float]]:
    """The grid itself: a row a cell, a column a seed."""
    return [dict(zip(_columns(space), [*cell, *losses[cell]], strict=True)) for cell in sorted(losses)]


def _columns(space: Space) -> list[str]:
    return [*(axis.field for axis in space.axes), *(f"loss_seed_{seed}" for seed in SEEDS)]


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_integer("repetitions", 10, "searches of each sampler", lower_bound=2)
    flags.DEFINE_string("workdir", "runs/search_regret", "where the grid is trained, and gone on with")
    flags.DEFINE_string("out", "docs/results/search", "folder for the figure and the tables")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
