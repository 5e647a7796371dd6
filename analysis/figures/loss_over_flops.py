"""Loss over compute: every training curve, where the runs ended, their envelope and the fitted frontier."""

from collections.abc import Iterator

import numpy as np

from analysis import laws
from analysis.envelope import curve_loss
from analysis.figures import ticks
from analysis.figures.chart import Axis, ColourScale, Drawing, Layer, Panel, scale_of, texts
from analysis.forecasting import predicted
from analysis.study import Study
from analysis.uncertainty import band

NAME = "loss_over_flops"
FRONTIER_POINTS = 80
EARLIEST = 1 / 8  # of the smallest run's C: the first steps would squeeze the ends, which matter, into a corner


def build(study: Study) -> Drawing:
    """The drawing; every table of runs has what it needs."""
    colours = scale_of("parameters N", study.both("n_params"), si=True)
    layers = (*_curves(study), *_envelope(study), *_frontier(study), *_final(study), *_heldout(study))
    panel = Panel(Axis("training compute C (FLOPs)"), Axis(f"loss ({study.units.loss})"), layers)
    return Drawing(NAME, "Loss over compute", caption(study, colours), (panel,), colours)


def caption(study: Study, colours: ColourScale) -> str:
    """A sentence on what is seen."""
    sizes = f"{ticks.write(colours.low, si=True)} to {ticks.write(colours.high, si=True)}"
    parts = [f"{len(study.runs)} runs, coloured by size, {sizes} parameters."]
    if study.curves is None:
        parts.append(f"Training curves are not drawn: {study.why('curves')}.")
    else:
        kind, _ = curve_loss(study.curves)
        parts.append(f"Curves and their envelope show the {kind} on the way, points and the law the held-out loss.")
    if study.fit is not None:
        parts.append("The dashed line is the fitted loss along the best use of each C.")
    if study.heldout is not None and len(study.heldout):
        parts.append("Hollow circles were kept out of the fit; a square with a bar is what it predicts for them.")
    return " ".join(parts)


def _curves(study: Study) -> Iterator[Layer]:
    if study.curves is None:
        return
    owner, flops = np.array(study.curves.names(), dtype=object), study.curves.numbers("flops")
    kind, loss = curve_loss(study.curves)
    usable = np.isfinite(loss) & (flops >= study.runs["flops"].min() * EARLIEST)
    first = True
    for runs in study.tables():
        for run_id, size in zip(runs.names(), runs.numbers("n_params"), strict=True):
            rows = np.flatnonzero(usable & (owner == run_id))
            if len(rows) < 2:
                continue
            rows = rows[np.argsort(flops[rows], kind="stable")]
            yield Layer(
                "line",
                f"training curves ({kind})",
                flops[rows],
                loss[rows],
                value=np.full(len(rows), size),
                mark="thin",
                run_ids=(run_id,) * len(rows),
                legend=first,
                frames=False,
            )
            first = False


def _envelope(study: Study) -> Iterator[Layer]:
    found = study.envelope
    if found is not None:
        shown = found.flops >= study.runs["flops"].min() * EARLIEST
        curve, ids = (found.flops[shown], found.loss[shown]), texts(found.run_id[shown])
        yield Layer("line", "lower envelope of the curves", *curve, role="muted", run_ids=ids, frames=False)


def _frontier(study: Study) -> Iterator[Layer]:
    """The fitted frontier, or the law itself where it is a law of C alone."""
    if study.fit is None:
        return
    compute = study.compute_range(FRONTIER_POINTS)
    if study.fit.frontier is not None:
        line = study.fit.frontier.loss(compute)
        samples = study.fit.frontier.loss_samples(compute) if study.fit.samples else None
    elif laws.get(study.fit.law).inputs == ("flops",):
        line = study.fit.predict(flops=compute)
        samples = study.fit.predict_samples(flops=compute) if study.fit.samples else None
    else:
        return
    if samples is not None:
        name = f"{study.level:.0%} band of the frontier"
        yield Layer("band", name, compute, line, *band(samples, study.level), role="frontier", frames=False)
    yield Layer("line", "fitted frontier", compute, line, role="frontier", mark="dashed", frames=False)


def _final(study: Study) -> Iterator[Layer]:
    loss, error = study.runs.numbers("loss"), np.nan_to_num(study.runs.numbers("loss_se"))
    yield Layer(
        "points",
        "end of a run (held-out loss)",
        study.runs.numbers("flops"),
        loss,
        loss - error,
        loss + error,
        study.runs.numbers("n_params"),
        mark="dot",
        run_ids=study.runs.names(),
    )


def _heldout(study: Study) -> Iterator[Layer]:
    runs = study.heldout
    if runs is None or not len(runs):
        return
    flops, sizes = runs.numbers("flops"), runs.numbers("n_params")
    if study.fit is not None:
        points = predicted(study.fit, runs)
        yield Layer("points", "forecast", flops, *points, role="forecast", mark="forecast", run_ids=runs.names())
    yield Layer("points", "held-out run", flops, runs.numbers("loss"), value=sizes, mark="hollow", run_ids=runs.names())
