"""Depthwise-separable convolutions beside full ones: loss at equal FLOPs, and at equal time of stepping.

    scripts/bench separable                 fifteen minutes of two cores; stopped, the same command goes on
    scripts/bench separable --out=FOLDER    writes losses.csv and the figure there

Two IsoFLOP sweeps of experiments/configs/digits_convnet.py that differ in `model.convolution` and in the widths tried,
six seeds. A step of every shape is then timed on one core, the shapes of both taking turns, so that both meet the same
neighbours; a run's time is its steps times that, without compiling and evaluating. The exit code is 0 whatever was
measured.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analysis import cli
from analysis.figures import static
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.figures.style import csv_bytes, write_atomically
from experiments.configs import digits_convnet
from scaling_laws import table
from scaling_laws.config import ExperimentConfig, RunConfig, replace
from scaling_laws.sweep import machine, study
from scaling_laws.tasks import catalog
from scripts.benchmarks.report import Row, lines, progress
from scripts.benchmarks.turns import pinned

COMMON = {"sweep.seeds": tuple(range(6)), "sweep.lr_check": False}
SEPARABLE = {"model.convolution": "separable", "sweep.widths": (5, 6, 8, 10, 12, 16, 20, 24, 32), "sweep.center": 1.3e5}
ARMS: dict[str, dict[str, Any]] = {"standard": {}, "separable": SEPARABLE}
ROLES = {"standard": "approach1", "separable": "approach3"}
TURNS = 7


@dataclasses.dataclass(frozen=True)
class Point:
    """One shape at one budget: the mean of its finished seeds, the standard error of that, and the time of a run."""

    convolution: str
    width: int
    n_params: int
    budget: float
    steps: int
    seeds: int
    loss: float
    loss_se: float
    accuracy: float
    step_seconds: float

    @property
    def seconds(self) -> float:
        """Stepping of a whole run on one core."""
        return self.steps * self.step_seconds


def run() -> None:
    """Trains what is missing, times the steps, prints the comparison and writes it to --out."""
    out, workdir = Path(flags.FLAGS.out), Path(flags.FLAGS.workdir)
    rows, shapes = [], {}
    for name, changes in ARMS.items():
        config = replace(digits_convnet.get_config(), COMMON | changes | {"sweep.workers": flags.FLAGS.workers})
        rows += trained(config, name, workdir / name, shapes)
    seen = points(rows, timed(shapes))
    print("\n".join(lines(compared(seen))))
    fields = [*(field.name for field in dataclasses.fields(Point)), "seconds"]
    write_atomically(
        out / "losses.csv", csv_bytes((dataclasses.asdict(p) | {"seconds": p.seconds} for p in seen), fields)
    )
    static.save(drawing(seen), out)


def trained(
    config: ExperimentConfig, name: str, workdir: Path, shapes: dict[tuple[str, int], RunConfig]
) -> list[dict[str, Any]]:
    """The rows of a sweep's grid, trained as far as they are not there yet, each with its arm; a run of every width
    is added to `shapes`."""
    done = study.run_sweep(config, workdir, progress)
    if done.summary.interrupted:
        raise KeyboardInterrupt
    shapes |= {(name, planned.run.model.width): planned.run for planned in done.plan.runs}
    found = {row["run_id"]: row for row in table.read_runs(workdir).to_pylist()}
    return [found[planned.run_id] | {"convolution": name} for planned in done.plan.runs]


def timed(shapes: Mapping[tuple[str, int], RunConfig]) -> dict[tuple[str, int], float]:
    """Seconds of a step of each shape on one core: the median over the turns."""
    os.environ.update(machine.worker_environment())  # read when JAX is imported, which is now
    from scaling_laws.train import trial

    task = catalog.load(next(iter(shapes.values())).task, machine.task_cache_folder())
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in shapes}
    with pinned(machine.cores()[-1]):
        for turn in range(TURNS):
            progress(f"timing the steps of {len(shapes)} shapes, turn {turn + 1} of {TURNS}")
            for key, shape in shapes.items():
                seconds[key].append(1 / trial.rate(shape, task, 1, "map"))
    return {key: float(np.median(values)) for key, values in seconds.items()}


def points(rows: Iterable[Mapping[str, Any]], step_seconds: Mapping[tuple[str, int], float]) -> list[Point]:
    """Means over seeds, by arm, budget and width; runs that did not finish are left out."""
    groups: dict[tuple[str, float, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "finished":
            groups.setdefault((row["convolution"], row["budget"], row["width"]), []).append(row)
    return [_point(group, step_seconds[name, width]) for (name, _, width), group in sorted(groups.items())]


def _point(group: Sequence[Mapping[str, Any]], step_seconds: float) -> Point:
    first, losses = group[0], np.array([row["loss"] for row in group])
    spread = losses.std(ddof=1) / np.sqrt(len(losses)) if len(losses) > 1 else float("nan")
    return Point(
        *(first[name] for name in ("convolution", "width", "n_params", "budget", "steps")),
        seeds=len(group),
        loss=float(losses.mean()),
        loss_se=float(spread),
        accuracy=float(np.mean([row["accuracy"] for row in group])),
        step_seconds=step_seconds,
    )


def best(seen: Iterable[Point]) -> dict[str, list[Point]]:
    """Of each arm the shape of least loss at every budget, budgets ascending."""
    found: dict[tuple[str, float], Point] = {}
    for point in seen:
        key = point.convolution, point.budget
        if key not in found or point.loss < found[key].loss:
            found[key] = point
    return {name: [found[key] for key in sorted(found) if key[0] == name] for name in ARMS}


def envelope(seen: Iterable[Point], name: str) -> list[Point]:
    """Of one arm the points that no point of less time undercuts, in order of time."""
    kept: list[Point] = []
    for point in sorted((p for p in seen if p.convolution == name), key=lambda p: p.seconds):
        if not kept or point.loss < kept[-1].loss:
            kept.append(point)
    return kept


def compared(seen: list[Point]) -> list[Row]:
    """The best shapes of each budget side by side, with the time that they take."""
    tops = best(seen)
    return [
        Row(
            f"{full.budget:.3g} FLOPs",
            "",
            f"standard {_said(full)}; separable {_said(other)}; times {other.seconds / full.seconds:.2f}",
        )
        for full, other in zip(tops["standard"], tops["separable"], strict=True)
    ]


def _said(point: Point) -> str:
    return f"{point.loss:.4f} ± {point.loss_se:.4f} nats at width {point.width} in {point.seconds:.1f} s"


def drawing(seen: list[Point]) -> Drawing:
    """Loss over FLOPs, and over time: every shape, and the best of each budget, or of each time."""
    by_compute = Panel(
        Axis("training compute C (FLOPs)"),
        Axis("held-out loss (nats per example)"),
        tuple(layer for name, line in best(seen).items() for layer in _layers(seen, name, line, "budget")),
        "at equal FLOPs",
    )
    by_time = Panel(
        Axis("seconds of stepping on one core"),
        Axis("held-out loss (nats per example)"),
        tuple(layer for name in ARMS for layer in _layers(seen, name, envelope(seen, name), "seconds")),
        "at equal wall-clock",
    )
    caption = (
        "Means of six seeds. Filled: the best shape of each budget, and on the right what no shape reached in less "
        "time; bars are standard errors over seeds. Hollow: the other shapes and budgets."
    )
    return Drawing("separable", "Separable and full convolutions on digits", caption, (by_compute, by_time))


def _layers(seen: list[Point], name: str, line: Sequence[Point], x: str) -> list[Layer]:
    def column(of: Iterable[Point], field: str) -> np.ndarray:
        return np.array([getattr(point, field) for point in of], float)

    others = [point for point in seen if point.convolution == name and point not in line]
    loss, error, role = column(line, "loss"), column(line, "loss_se"), ROLES[name]
    limits = loss - error, loss + error
    return [
        Layer("points", f"{name}, other shapes", column(others, x), column(others, "loss"), role=role, mark="hollow"),
        Layer("line", name, column(line, x), loss, role=role, legend=False),
        Layer("points", name, column(line, x), loss, *limits, role=role, mark="dot"),
    ]


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("workdir", "runs/bench_separable", "folder of the runs, gone on with where it was left")
    flags.DEFINE_string("out", "docs/results/separable", "folder for the table and the figure")
    flags.DEFINE_integer("workers", 0, "processes at a time; 0: one a core", lower_bound=0)


if __name__ == "__main__":
    define_flags()
    cli.main(run)
