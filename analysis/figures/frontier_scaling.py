"""The compute-optimal N and D over C by each of the three approaches, with bands."""

from collections.abc import Iterator

import numpy as np

from analysis.envelope import Envelope
from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel, texts
from analysis.frontier import Frontier
from analysis.isoflop import Isoflop
from analysis.numeric_frontier import NumericFrontier
from analysis.study import Study
from analysis.uncertainty import band

NAME = "frontier_scaling"
POINTS = 60
NAMES = {1: "approach 1: envelope", 2: "approach 2: IsoFLOP minima", 3: "approach 3: fitted law"}
STEPS = "size on the envelope"


def build(study: Study) -> Drawing:
    """The drawing; raises NothingToDraw when no approach gave a frontier."""
    grid = study.compute_range(POINTS)
    labels = {"n": "optimal parameters N*", "d": f"optimal {study.units.data} D*"}
    layers = {what: tuple(_layers(study, grid, what)) for what in labels}
    if not any(layers.values()):
        raise NothingToDraw("none of the three approaches gave a frontier")
    compute = Axis("training compute C (FLOPs)")
    panels = tuple(Panel(compute, Axis(labels[what], si=True), found) for what, found in layers.items() if found)
    return Drawing(NAME, "Compute-optimal size and data", caption(study), panels)


def caption(study: Study) -> str:
    """The exponents, or why an approach is missing."""
    found = {
        "envelope": study.envelope.a if study.envelope else float("nan"),
        "isoflop": study.isoflop.a if study.isoflop else float("nan"),
        "fit": study.fit.frontier.a if study.fit and study.fit.frontier else float("nan"),
    }
    parts = []
    for number, (name, a) in enumerate(found.items(), 1):
        absent = study.why(name) if getattr(study, name) is None else "no exponent from these runs"
        parts.append(f"approach {number}: {f'{a:.3f}' if np.isfinite(a) else absent}")
    if study.envelope is not None and study.envelope.spread is not None and len(study.envelope.kept) > 1:
        low, high = study.envelope.spread
        parts[0] += f" ({low:.3f} to {high:.3f} by the sizes that are kept)"
    return f"N* as a power of C: {'; '.join(parts)}. Bands hold {study.level:.0%} of the resamples."


def _layers(study: Study, grid: np.ndarray, what: str) -> Iterator[Layer]:
    if study.envelope is not None:
        yield from _approach1(study.envelope, grid, what)
    if study.isoflop is not None:
        yield from _approach2(study.isoflop, grid, what, study.level)
    if study.fit is not None and study.fit.frontier is not None:
        yield from _approach3(study.fit.frontier, grid, what, study.level)


def _approach1(found: Envelope, grid: np.ndarray, what: str) -> Iterator[Layer]:
    """The sizes that hold the envelope, where these are neither the smallest nor the largest, and their line."""
    inside = ~found.edge & (found.flops >= grid[0])
    if inside.any():
        values = (found.n_params if what == "n" else found.tokens)[inside]
        ids = texts(found.run_id[inside])
        steps = np.asarray(values, float)
        yield Layer("line", STEPS, found.flops[inside], steps, role="approach1", mark="thin", run_ids=ids, frames=False)
    if what == "n" and np.isfinite(found.a):
        yield Layer("line", NAMES[1], grid, found.n_opt(grid), role="approach1", frames=False)


def _approach2(found: Isoflop, grid: np.ndarray, what: str, level: float) -> Iterator[Layer]:
    line = found.n_opt(grid) if what == "n" else found.d_opt(grid)
    samples = found.line_samples if what == "n" else found.d_line_samples
    if np.isfinite(line).all():
        if len(samples):
            drawn = np.exp(samples[:, :1] + samples[:, 1:] * np.log(grid))
            yield _band(2, grid, line, drawn, level)
        yield Layer("line", NAMES[2], grid, line, role="approach2", frames=False)
    kept = [group for group in found.groups if not group.edge]
    if kept:
        budgets = np.array([group.budget for group in kept])
        places = np.array([group.n_opt if what == "n" else group.d_opt for group in kept])
        bars = np.array([group.n_opt_interval or (np.nan, np.nan) for group in kept]).T
        limits = bars if what == "n" and np.isfinite(bars).all() else (None, None)
        yield Layer("points", "IsoFLOP minimum", budgets, places, *limits, role="approach2", mark="star")


def _approach3(found: Frontier | NumericFrontier, grid: np.ndarray, what: str, level: float) -> Iterator[Layer]:
    line = found.n_opt(grid) if what == "n" else found.d_opt(grid)
    if not np.isfinite(line).all():
        return
    if found.samples:
        yield _band(3, grid, line, found.n_opt_samples(grid) if what == "n" else found.d_opt_samples(grid), level)
    yield Layer("line", NAMES[3], grid, line, role="approach3")


def _band(number: int, grid: np.ndarray, line: np.ndarray, samples: np.ndarray, level: float) -> Layer:
    limits = band(samples, level)
    return Layer("band", NAMES[number], grid, line, *limits, role=f"approach{number}", legend=False, frames=False)
