"""The numbers of a study as JSON for the page's script: runs once, drawings that point at them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.figures import style, ticks
from analysis.figures.chart import JOINT, ColourScale, Drawing, Layer, Panel
from analysis.load import Runs
from analysis.study import Study
from scaling_laws.units import loss_text

DIGITS = 7

# what a hovered point tells, in this order: column -> label, {loss} and {data} the units of the table
FACTS: Mapping[str, str] = {
    "run_id": "run", "width": "width", "depth": "depth", "n_params": "N", "tokens": "D ({data})", "flops": "C (FLOPs)",
    "learning_rate": "learning rate", "seed": "seed", "loss": "loss ({loss})", "status": "status", "purpose": "purpose",
}  # fmt: skip


def payload(study: Study, drawings: Sequence[Drawing]) -> dict[str, Any]:
    """{"runs": facts of each run, "drawings": .., "palette": ..}: plain JSON values, NaN as null."""
    facts, places = run_facts(study)
    return {
        "runs": facts,
        "drawings": [_drawing(drawing, places) for drawing in drawings],
        "palette": {"light": list(style.LIGHT_STOPS), "dark": list(style.DARK_STOPS)},
    }


def run_facts(study: Study) -> tuple[list[list[tuple[str, str]]], dict[str, int]]:
    """(label, text) pairs of every run, fitted ones first, and run_id -> its place in that list."""
    labels = {name: label.format(**dataclasses.asdict(study.units)) for name, label in FACTS.items()}
    facts, places = [], {}
    for runs in study.tables():
        columns = {name: texts_of(runs, name) for name in FACTS if name != "run_id"}
        for i, run_id in enumerate(runs.names()):
            places.setdefault(run_id, len(facts))
            pairs = [(labels[name], column[i]) for name, column in columns.items() if column[i]]
            facts.append([("run", run_id), *pairs])
    return facts, places


def texts_of(runs: Runs, name: str) -> tuple[str, ...]:
    """A column as the page writes it; empty where unknown. A loss carries its standard error."""
    if name not in runs:
        return ("",) * len(runs)
    if runs[name].dtype.kind not in "fiu":
        return tuple(map(str, runs[name]))
    error = runs.numbers("loss_se") if name == "loss" else np.full(len(runs), np.nan)
    return tuple(number(v) + (f" ± {loss_text(e, v)}" if np.isfinite(e) else "")
                 for v, e in zip(runs.numbers(name), error, strict=True))  # fmt: skip


def number(value: float) -> str:
    """A number of a run: whole numbers with thin spaces up to a billion, else five digits; empty when unknown."""
    if not np.isfinite(value):
        return ""
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}".replace(",", "\u202f")
    return ticks.write(value) if abs(value) >= 1e5 else f"{value:.5g}"


def _drawing(drawing: Drawing, places: Mapping[str, int]) -> dict[str, Any]:
    colours = drawing.colours
    return {
        "name": drawing.name,
        "title": drawing.title,
        "panels": [_panel(panel, colours, places) for panel in drawing.panels],
        "colours": None if colours is None else _colours(colours),
    }


def _colours(colours: ColourScale) -> dict[str, Any]:
    fractions = [float(colours.fraction(np.array(place))) for place, _ in colours.ticks()]
    pairs = zip(fractions, colours.ticks(), strict=True)
    return {"label": colours.label, "ticks": [[round(fraction, 4), text] for fraction, (_, text) in pairs]}


def _panel(panel: Panel, colours: ColourScale | None, places: Mapping[str, int]) -> dict[str, Any]:
    return {
        "title": panel.title,
        "layers": [_layer(layer, colours, places) for layer in panel.layers],
        "x": _axis(panel, "x"),
        "y": _axis(panel, "y"),
    }


def _axis(panel: Panel, direction: str) -> dict[str, Any]:
    axis = getattr(panel, direction)
    return {
        "label": axis.label,
        "log": axis.log and not axis.categories,
        "categories": bool(axis.categories),
        "limits": list(panel.limits(direction)),
        "ticks": [list(tick) for tick in panel.ticks(direction)],
    }


def _layer(layer: Layer, colours: ColourScale | None, places: Mapping[str, int]) -> dict[str, Any]:
    scaled = None if layer.value is None or colours is None else colours.fraction(layer.value)
    return {
        "kind": layer.kind,
        "name": layer.name,
        "role": layer.role,
        "mark": layer.mark,
        "legend": layer.legend,
        "labels": list(layer.labels),
        "runs": [_members(run_id, places) for run_id in layer.run_ids],
        "fraction": _values(scaled),
        **{name: _values(getattr(layer, name)) for name in ("x", "y", "low", "high")},
    }


def _members(run_id: str, places: Mapping[str, int]) -> list[int]:
    ids = [run_id] if run_id in places else run_id.split(JOINT)
    return [places[part] for part in ids if part in places]


def _values(values: np.ndarray | None) -> list[float | None] | None:
    if values is None:
        return None
    return [float(f"{v:.{DIGITS}g}") if np.isfinite(v) else None for v in np.asarray(values, float)]
