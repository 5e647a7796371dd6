"""Steps against examples on the way to a loss, and the critical batch beside the gradient noise scale."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.critical_batch import Tradeoff
from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel, scale_of, wide
from scaling_laws.units import TEXT, Units

TRADEOFF, NOISE = "steps_over_examples", "noise_scale"
POINTS, MARGIN = 80, 1.6  # of a hyperbola; how far it is drawn beyond the batches


def tradeoff(found: Sequence[Tradeoff], context: int, units: Units = TEXT) -> Drawing:
    """The best run of each batch at each target, with the fitted hyperbola; `context`: tokens a window, or 1."""
    if not found:
        raise NothingToDraw("no target has a fitted hyperbola")
    targets = np.array([one.target for one in found])
    colours = scale_of(f"target loss ({units.loss})", targets, log=wide(targets))
    layers = [layer for one in found for layer in _target(one, context, one is found[0])]
    label = "examples E (tokens)" if units.data == "tokens" else "examples E"
    panel = Panel(Axis(label, si=True), Axis("optimiser steps S", si=True), tuple(layers))
    caption = (
        "Each line is one loss, reached with ever larger batches from top left to bottom right; "
        "(S / S_min - 1)(E / E_min - 1) = 1 through the runs at their best learning rates."
    )
    return Drawing(TRADEOFF, "Steps over examples to reach a loss", caption, (panel,), colours)


def _target(found: Tradeoff, context: int, first: bool) -> Iterator[Layer]:
    batches = np.array([one.batch_size for one in found.tuned for _ in one.steps], float)
    steps = np.array([steps for one in found.tuned for steps in one.steps])
    ids = tuple(name for one in found.tuned for name in one.run_ids)
    line = np.geomspace(batches.min() / MARGIN, batches.max() * MARGIN, POINTS)
    along, value = found.steps(line), np.full(POINTS, found.target)
    yield Layer(
        "line", "fitted hyperbola", along * line * context, along, value=value, mark="thin", legend=first, frames=False
    )
    yield Layer(
        "points",
        "run at the best rate of its batch",
        steps * batches * context,
        steps,
        value=np.full(len(steps), found.target),
        mark="dot",
        run_ids=ids,
        legend=first,
    )


def noise(found: Sequence[Tradeoff], rows: Sequence[Mapping[str, Any]], context: int, units: Units = TEXT) -> Drawing:
    """The noise scale along a run, and the critical batch of each target, over loss, both in tokens or examples.

    `rows`: validation loss, and noise scale in windows with its interval (low, high); None where there is no ratio.
    """
    known = [row for row in rows if row["windows"] is not None]
    if not found and not known:
        raise NothingToDraw("neither a critical batch nor a noise scale")
    layers = []
    if known:
        loss, middle, low, high = (
            np.array([row[k] for row in known], float) for k in ("loss", "windows", "low", "high")
        )
        tokens = (middle * context, low * context, high * context)
        layers.append(Layer("points", "noise scale B_simple", loss, *tokens, role="approach1", mark="hollow"))
    if found:
        target, crit = (np.array([getattr(one, name) for one in found]) for name in ("target", "b_crit"))
        low, high = np.array([one.intervals["b_crit"] for one in found]).T
        tokens = (crit * context, low * context, high * context)
        layers.append(Layer("points", "critical batch E_min / S_min", target, *tokens, role="approach3", mark="dot"))
    x = Axis(f"validation loss ({units.loss})", log=wide(np.concatenate([layer.x for layer in layers])))
    panel = Panel(x, Axis(f"batch ({units.data})", si=True), tuple(layers))
    caption = "The noise scale is measured along one run; the critical batch comes from runs over batch sizes."
    return Drawing(NOISE, "Gradient noise scale and critical batch", caption, (panel,))
