"""A figure's own runs as a study, and what is said of its scale."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.envelope import Envelope
from analysis.figures.chart import Drawing, Layer, Panel
from analysis.fitting import Fit
from analysis.frontier import Frontier
from analysis.isoflop import Isoflop
from analysis.numeric_frontier import NumericFrontier
from analysis.options import Options
from analysis.study import Study, study_of
from analysis.uncertainty import band, percentile

Interval = tuple[float, float]
Row = dict[str, Any]


@lru_cache(maxsize=4)
def study(workdir: Path, bootstrap: int, **options: object) -> Study:
    """Fits, minima and envelope of a sweep, computed once for all figures of a paper. Raises as `study_of`."""
    return study_of(workdir, Options(bootstrap=bootstrap, **options))  # pyright: ignore[reportArgumentType]


def scale_of(found: Study) -> str:
    """`C 2e9 to 6.4e10, N 1.2e4 to 9e4`."""
    flops, sizes = found.runs["flops"], found.runs["n_params"]
    return f"C {flops.min():.2g} to {flops.max():.2g}, N {sizes.min():.2g} to {sizes.max():.2g}"


def exponent(part: Envelope | Isoflop | Frontier | NumericFrontier | None) -> tuple[float | None, Interval | None]:
    """The exponent of N* in C by one approach, with its interval; None where there is none."""
    if part is None:
        return None, None
    if isinstance(part, Envelope | Isoflop):
        return part.a, part.a_interval
    return part.a, part.intervals.get("a")


def named(drawing: Drawing, title: str, *, panels: tuple[Panel, ...] | None = None, caption: str = "") -> Drawing:
    """The drawing under another title, with other panels, and with more said below it."""
    said = f"{drawing.caption} {caption}".strip()
    return Drawing(drawing.name, title, said, panels or drawing.panels, drawing.colours)


def with_layers(panel: Panel, *layers: Layer) -> Panel:
    """The panel with layers on top."""
    return Panel(panel.x, panel.y, (*panel.layers, *layers), panel.title)


def frontier_layers(name: str, law: Fit, flops: np.ndarray, role: str) -> Iterator[Layer]:
    """N* of a fitted law over C (n,) and the band of its resamples."""
    front = law.frontier
    if front is None or not np.isfinite(front.n_opt(flops)).all():
        return
    line = np.asarray(front.n_opt(flops))
    if law.samples:
        yield Layer("band", name, flops, line, *band(front.n_opt_samples(flops), law.level), role=role, legend=False)
    yield Layer("line", name, flops, line, role=role)


def interval(samples: np.ndarray, level: float) -> Interval | None:
    """The central interval of resampled numbers; None without any."""
    return percentile(samples, level) if np.isfinite(samples).any() else None


def mean(values_S: np.ndarray, level: float = 0.95) -> tuple[float, Interval]:
    """The mean over seeds, and its interval by Student's t; NaN at both ends for one seed."""
    from analysis.uncertainty import student

    middle, reach = student.mean(values_S, level)
    return float(middle), (float(middle - reach), float(middle + reach))


def rows(workdir: Path) -> list[Row]:
    """Every row of a sweep, ensembles and failures too. Raises DataError where there is no table."""
    from analysis.load import DataError
    from scaling_laws import table

    try:
        return table.read_runs(workdir).to_pylist()
    except (table.TableError, FileNotFoundError) as error:
        raise DataError(str(error)) from error
