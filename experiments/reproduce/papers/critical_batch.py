"""McCandlish et al. 2018 and Kaplan et al. 2020, section 5.1: steps traded for examples, and the critical batch."""

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.critical_batch import Tradeoff
    from analysis.critical_law import CriticalLaw
    from scaling_laws.units import Units

OVER_LOSS = "critical_batch_over_loss"
LEVEL = 0.9
POINTS = 60  # of a line
THEIRS = "WebText2, 50257 byte pairs"
EARLY = (
    "the largest batch gets there in few dozen steps, of which the warm-up and Adam's moments take their part; the "
    "hyperbola knows of neither"
)
SHORT = (
    "B* belongs to their vocabulary, text and windows of 1024: a loss of so many nats a token is late in training with "
    "a thousand byte pairs, and early with fifty thousand; and these models have learnt for some dozens of steps"
)
NOISY = (
    "the noise scale is of one run at a constant rate, whose parameters move between two points by more than the "
    "interval of a point says, and equals B_crit in theory where the curvature is alike in all directions"
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What the runs of a workdir come to: `noise`: rows of its noise scales, in windows; `context`: tokens a window;
    `notes`: what is not behind the numbers."""

    found: tuple["Tradeoff", ...]
    noise: tuple[dict[str, Any], ...]
    context: int
    units: "Units"
    scale: str
    notes: tuple[str, ...]


def tradeoff(own: Own) -> Result:
    """Steps over examples to reach a loss, with hyperbolas; the largest batch foretold from the others."""
    from analysis.critical_batch import foretold
    from analysis.figures import critical_batch as pictures
    from analysis.figures.chart import Layer
    from experiments.reproduce import own_study

    seen, quantities, layers = _measured(own.workdirs["batches"], own.bootstrap), [], []
    for one in seen.found:
        largest = max(tuned.batch_size for tuned in one.tuned)
        told, where = foretold(one, largest, own.bootstrap), f"loss {one.target:.4g}"
        if told is not None:
            name = f"steps of batch {largest} by the hyperbola of the others, over its own, {where}"
            quantities.append(Quantity(name, 1.0, told.ratio, told.interval, None, "", seen.scale, EARLY))
            x, y, value = (np.array([n]) for n in (told.steps * largest * seen.context, told.steps, one.target))
            name = "largest batch, foretold from the others"
            layers.append(Layer("points", name, x, y, value=value, mark="hollow", legend=not layers))
        quantities += _ends(one, where, seen)
    drawing = pictures.tradeoff(seen.found, seen.context, seen.units)
    panel = own_study.with_layers(drawing.panels[0], *layers)
    title = "Steps over examples to reach a loss (McCandlish et al. 2018)"
    return Result((own_study.named(drawing, title, panels=(panel,)),), tuple(quantities), seen.notes)


def over_loss(own: Own) -> Result:
    """The critical batch over the loss, its power law, that of Kaplan et al., and the noise scale along a run."""
    from analysis import laws
    from analysis.critical_law import critical_law
    from analysis.figures import critical_batch as pictures
    from analysis.figures.chart import Layer
    from analysis.published import KAPLAN_BATCH
    from experiments.reproduce import own_study

    seen = _measured(own.workdirs["batches"], own.bootstrap)
    law, theirs = critical_law(seen.found, own.bootstrap, LEVEL), KAPLAN_BATCH.coefficients
    targets = np.array([one.target for one in seen.found])
    ends = np.geomspace(targets.min(), targets.max(), POINTS)
    lines = [law.b_crit(ends), *law.band(ends)]
    fitted, low, high = (line * seen.context for line in lines)
    published = laws.value(laws.get(KAPLAN_BATCH.law), theirs, {"loss": ends})
    drawing = dataclasses.replace(pictures.noise(seen.found, seen.noise, seen.context, seen.units), name=OVER_LOSS)
    panel = own_study.with_layers(
        drawing.panels[0],
        Layer("band", "fitted power", ends, fitted, low, high, role="approach3", legend=False),
        Layer("line", f"fitted: L^-{law.power:.3g}", ends, fitted, role="approach3"),
        Layer("line", "Kaplan et al.: 2.1e8 / L^4.76 tokens", ends, published, role="ink", mark="dashed"),
    )
    quantities = [*_law(law, seen), *_noise(law, seen)]
    title = "Critical batch over the loss (Kaplan et al. 2020, figure 10)"
    return Result((own_study.named(drawing, title, panels=(panel,)),), tuple(quantities), seen.notes)


def _ends(one: "Tradeoff", where: str, seen: Measured) -> Iterator[Quantity]:
    """What a hyperbola has for large and for small batches."""
    for name, column, factor in (("S_min, steps", "s_min", 1), (f"E_min, {seen.units.data}", "e_min", seen.context)):
        low, high = one.intervals[column]
        value = getattr(one, column) * factor
        yield Quantity(f"{name}, {where}", None, value, (low * factor, high * factor), scale=seen.scale)


def _law(law: "CriticalLaw", seen: Measured) -> Iterator[Quantity]:
    """The power of the loss, what it means, and the critical batch itself at the middle target."""
    from analysis.published import KAPLAN_BATCH

    theirs = KAPLAN_BATCH.coefficients
    about = (None, THEIRS, seen.scale, SHORT)
    low, high = law.power_interval
    yield Quantity("1 / alpha_B of B_crit ~ L^(-1 / alpha_B)", theirs["gamma"], law.power, (low, high), *about)
    there, here, least, most = (1 - 2 ** (-1 / power) for power in (theirs["gamma"], law.power, high, low))
    yield Quantity("decrease of the loss that doubles B_crit", there, here, (least, most), *about)
    one = seen.found[len(seen.found) // 2]
    there = theirs["A"] * one.target ** -theirs["gamma"]
    ends = tuple(end * seen.context for end in one.intervals["b_crit"])
    name = f"B_crit at loss {one.target:.4g}, {seen.units.data}"
    yield Quantity(name, there, one.b_crit * seen.context, (ends[0], ends[1]), *about)


def _noise(law: "CriticalLaw", seen: Measured) -> Iterator[Quantity]:
    """The noise scale over the critical batch at every target that the measured run passes."""
    from analysis.uncertainty import percentile

    known = sorted((row for row in seen.noise if row["windows"] is not None), key=lambda row: row["loss"])
    if not known:
        return
    names = ("loss", "windows", "low", "high")
    loss, middle, low, high = (np.array([row[name] for row in known], float) for name in names)
    for k, one in enumerate(seen.found):
        if not loss[0] <= one.target <= loss[-1]:
            continue
        there, below, above = (float(np.exp(np.interp(one.target, loss, np.log(y)))) for y in (middle, low, high))
        start, end = percentile(law.samples_RxT[:, k], LEVEL)
        ratio = there / one.b_crit
        less = np.hypot(np.log(there / below), np.log(end / one.b_crit))  # the two are measured apart
        more = np.hypot(np.log(above / there), np.log(one.b_crit / start))
        ends = float(ratio * np.exp(-less)), float(ratio * np.exp(more))
        name = f"noise scale over B_crit, loss {one.target:.4g}"
        yield Quantity(name, 1.0, ratio, ends, None, "", seen.scale, NOISY)


@lru_cache(maxsize=2)
def _measured(workdir: Path, bootstrap: int) -> Measured:
    """Both figures read it. Raises DataError where there are no runs over batch sizes, or where no target has a
    hyperbola."""
    from analysis.critical_batch import targets, tradeoff, trials_of
    from analysis.load import DataError
    from experiments.batches import AUTOMATIC
    from scaling_laws import table
    from scaling_laws.train.noise_rows import NoiseRows
    from scaling_laws.units import of_row

    rows = [row for row in table.read_runs(workdir).to_pylist() if row["purpose"] == "batch"]
    trials, found, left_out = trials_of(rows, table.read_curves(workdir).to_pylist()), [], []
    for target in targets(trials, AUTOMATIC):
        try:
            found.append(tradeoff(trials, target, bootstrap, LEVEL))
        except DataError as reason:
            left_out.append(str(reason))
    if not found:
        raise DataError(f"{workdir}: {left_out[0]}")
    left_out += [f"loss {one.target:.4g}, batch {b}: {why}" for one in found for b, why in one.left_out.items()]
    scale = f"N {rows[0]['n_params']:.3g}, {len(trials)} runs"
    noise, context = NoiseRows(workdir).rows(), rows[0]["context"]
    return Measured(tuple(found), tuple(noise), context, of_row(rows[0]), scale, tuple(left_out))


PAPER = Paper(
    "McCandlish et al. 2018, An empirical model of large-batch training (arXiv:1812.06162); "
    "Kaplan et al. 2020, section 5.1 (arXiv:2001.08361)",
    "Steps and examples to a loss lie on a hyperbola, whose critical batch is the gradient noise scale and grows as a "
    "power of the falling loss.",
    {
        "tradeoff": Figure("steps over examples to reach a loss", own=tradeoff, sweeps=("batches",)),
        "loss": Figure("the critical batch over the loss", own=over_loss, sweeps=("batches",)),
    },
)
