"""How the cost of a fit grows: CPU-seconds over points, starts and resamples, drawn on logarithmic axes."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from analysis import solver, uncertainty
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from scripts.benchmarks import ours, points
from scripts.benchmarks.measure import cpu, slope
from scripts.benchmarks.report import Row, progress

POINTS = (60, 240, 1000, 4000, 16_000, 100_000)
STARTS = (20, 80, 320, 1280, 5120)
RESAMPLES = (250, 1000, 4000, 16_000)
QUICK_COST = {"points": 4000, "starts": 1280, "resamples": 4000}
LINEAR = 1.15  # a slope up to which a cost counts as linear


def rows(columns: dict[str, np.ndarray], full: bool, folder: Path | None) -> list[Row]:
    """One row a direction, with the fitted slopes; draws them into `folder`."""
    measured = {name: _measured(name, sizes, columns, full) for name, sizes in _DIRECTIONS.items()}
    if folder:
        from analysis.figures import static  # matplotlib: only where a figure is wanted

        static.save(drawing(measured), folder)
    return [_row(name, sizes, seconds) for name, (sizes, seconds) in measured.items()]


def over_points(sizes: Iterable[int], columns: dict[str, np.ndarray]) -> list[float]:
    """CPU-seconds of the global fit of tables of those sizes; `columns` is not used, a table of each size is made."""
    del columns
    tables = [points.made_up(size) for size in sizes]
    return [_least(lambda t=table: solver.solve(ours.problem("chinchilla", t, t["loss"]))) for table in tables]


def over_starts(sizes: Iterable[int], columns: dict[str, np.ndarray]) -> list[float]:
    """CPU-seconds of descents from as many starts: the solver's own, repeated with a little noise."""
    task = ours.problem("chinchilla", columns, columns["loss"])
    own, rng = solver.starts(task.points, task.y_N), np.random.default_rng(0)

    def descents(count: int) -> object:
        first = np.resize(own, (count, own.shape[1]))
        return solver.search(task, task.clip(first + 0.01 * rng.standard_normal(first.shape)))

    return [_least(lambda n=size: descents(n)) for size in sizes]


def over_resamples(sizes: Iterable[int], columns: dict[str, np.ndarray]) -> list[float]:
    """CPU-seconds of as many resampled fits from the optimum."""
    task = ours.problem("chinchilla", columns, columns["loss"])
    theta, units = solver.solve(task).theta, np.arange(len(columns["loss"]))
    return [_least(lambda n=size: ours.refit(task, theta, uncertainty.resample(units, n, seed=0))) for size in sizes]


_MEASURES = {"points": over_points, "starts": over_starts, "resamples": over_resamples}
_DIRECTIONS = {"points": POINTS, "starts": STARTS, "resamples": RESAMPLES}


def _measured(name: str, sizes: Iterable[int], columns, full: bool) -> tuple[list[int], list[float]]:
    sizes = [size for size in sizes if full or size <= QUICK_COST[name]]
    progress(f"cost over {name}: {', '.join(map(str, sizes))}")
    return sizes, _MEASURES[name](sizes, columns)


def _least(action) -> float:
    """The smaller of two measurements, the second skipped where the first took long."""
    first = cpu(action)[1]
    return first if first > 5 else min(first, cpu(action)[1])


def _row(name: str, sizes: list[int], seconds: list[float]) -> Row:
    """Held against the bar: the steeper of the slope over all sizes and of that from the last but one to the last.

    A constant cost flattens the slope of small sizes, so that alone it would hide a steeper end.
    """
    steepness, last = slope(sizes, seconds), slope(sizes[-2:], seconds[-2:])
    each = ", ".join(f"{n:,} {s:.3g} s" for n, s in zip(sizes, seconds, strict=True))
    values = {"sizes": sizes, "cpu": seconds, "slope": steepness, "last_slope": last}
    measured = f"slope {steepness:.2f}, the last {last:.2f}: {each}"
    met = max(steepness, last) <= LINEAR
    return Row(f"CPU-seconds over {name}", f"linear (slope <= {LINEAR})", measured, met, values)


def drawing(measured: dict[str, tuple[list[int], list[float]]]) -> Drawing:
    """One panel a direction: the measurements, and a line of slope one through the last."""
    panels = []
    for name, (sizes, seconds) in measured.items():
        x, y = np.array(sizes, float), np.array(seconds)
        layers = (
            Layer("line", "linear", x, y[-1] * x / x[-1], role="muted", mark="dashed", frames=False),
            Layer("points", "measured", x, y, role="law", mark="dot"),
        )
        panels.append(
            Panel(Axis(name, si=True), Axis("CPU-seconds"), layers, f"last slope {slope(sizes[-2:], seconds[-2:]):.2f}")
        )
    caption = "CPU-seconds of one thread. Dashed: proportional to the count, through the largest."
    return Drawing("fit_cost", "Cost of a fit over points, starts and resamples", caption, tuple(panels))
