"""The figures of a hyper-parameter search, from its search.json: best so far, and parallel coordinates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.figures import Built, save_all, ticks
from analysis.figures.chart import JOINT, Axis, ColourScale, Drawing, Layer, NothingToDraw, Panel, wide

Search = Mapping[str, Any]  # what search.json holds
Trial = Mapping[str, Any]  # one of its trials
FRAMED = 3.0  # trials farther above the best than so many times the median one lie above the picture
LABELLED = 6  # points of an axis that each get a label


def draw_search(search: Search, folder: Path) -> list[Path]:
    """Writes both figures as PNG, SVG and CSV; returns the paths, none where no trial has a value yet."""
    if search["best"] is None:
        return []
    return save_all(Built((best_so_far(search), parallel_coordinates(search)), {}), folder)


def best_so_far(search: Search) -> Drawing:
    """Each trial's value, and the best until then, over the compute of the search so far."""
    told, flops = _told(search), np.cumsum([trial["flops"] for trial in search["trials"]])
    spent = {trial["number"]: x for trial, x in zip(search["trials"], flops, strict=True)}
    top = _ceiling(search, told)
    last = _last_rung(search, told)
    earlier = [trial for trial in told if trial not in last]
    layers = [
        *_trial_points("trial", [each for each in last if each["value"] <= top], spent, "dot", "forecast"),
        *_trial_points("earlier rung", [each for each in earlier if each["value"] <= top], spent, "hollow", "muted"),
        *_trial_points("off scale", [each for each in told if each["value"] > top], spent, "warning", "warning", top),
        _best_line(last, spent, float(flops[-1])),
    ]
    shown = np.array([min(trial["value"], top) for trial in told])
    x, y = Axis("compute of the search (FLOPs)", log=False), Axis(_label(search), log=wide(shown))
    panel = Panel(x, y, tuple(layers))
    caption = f"{len(told)} trials by {search['sampler']}, {ticks.write(float(flops[-1]))} FLOPs in all."
    return Drawing("best_so_far", f"Best so far: {search['sampler']}", caption, (panel,))


def parallel_coordinates(search: Search) -> Drawing:
    """A line a trial across the axes of the space, coloured by its value; the best one stands out."""
    told = _last_rung(search, _told(search))
    axes, top = search["space"], _ceiling(search, told)
    low = search["best"]["value"]
    colours = ColourScale(_label(search), low, top, log=wide(np.array([low, top])))
    ordered = sorted(told, key=lambda trial: -trial["value"])
    lines = [_line(trial, axes, colours) for trial in ordered]
    best = next(trial for trial in told if trial["number"] == search["best"]["number"])
    rulers = [_ruler(place, *_labels(axis)) for place, axis in enumerate(axes)]
    middle = math.sqrt(low * top) if colours.log else (low + top) / 2
    rulers.append(_ruler(len(axes), [0.0, 0.5, 1.0], [f"{low:.4g}", f"{middle:.4g}", f"{top:.4g} up"]))
    names = (*(axis["field"].split(".")[-1] for axis in axes), search["objective"])
    marked = _line(best, axes, colours, name="best trial", value=None, role="law", mark="solid", legend=True)
    panel = Panel(Axis("", categories=names), Axis("place on each axis", log=False), (*lines, marked, *rulers))
    caption = f"{len(told)} trials; values above {top:.4g} are drawn at {top:.4g}."
    return Drawing("parallel_coordinates", "Trials across the space", caption, (panel,), colours)


def _label(search: Search) -> str:
    """The objective with its unit, where the file has one."""
    name = search["objective"].replace("_", " ")
    return f"{name} ({search['unit']})" if "unit" in search else name


def _told(search: Search) -> list[Trial]:
    told = [trial for trial in search["trials"] if trial["value"] is not None]
    if not told:
        raise NothingToDraw("no trial has a value yet")
    return told


def _last_rung(search: Search, told: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in told if trial["rung"] == len(search["steps"]) - 1]


def _ceiling(search: Search, told: Sequence[Trial]) -> float:
    """The value at the top of a picture: diverged trials would squeeze all others into a corner."""
    values, best = [trial["value"] for trial in told], search["best"]["value"]
    top = min(max(values), best + FRAMED * (float(np.median(values)) - best))
    return top if top > best else best + (1e-3 * abs(best) or 1e-3)


def _trial_points(
    name: str, trials: Sequence[Trial], spent: Mapping[int, float], mark: str, role: str, at: float = math.nan
) -> Iterator[Layer]:
    if trials:
        x = np.array([spent[trial["number"]] for trial in trials])
        y = np.array([trial["value"] if math.isnan(at) else at for trial in trials])
        yield Layer("points", name, x, y, role=role, mark=mark, run_ids=_ids(trials), labels=_numbers(trials))


def _best_line(last: Sequence[Trial], spent: Mapping[int, float], end: float) -> Layer:
    """A stair through the best values of the last rung."""
    x, y = [], []
    for trial in last:
        if not y or trial["value"] < y[-1]:
            x += [spent[trial["number"]]] * (2 if y else 1)
            y += [*y[-1:], trial["value"]]
    return Layer("line", "best so far", np.array([*x, end]), np.array([*y, *y[-1:]]), role="law")


def _line(trial: Trial, axes: Sequence[Trial], colours: ColourScale, **changes: Any) -> Layer:
    height = float(colours.fraction(trial["value"]))
    y = np.array([*(trial["places"][axis["field"]] for axis in axes), height])
    look = {"name": "trial", "value": np.full(len(y), trial["value"]), "mark": "thin", "legend": False}
    x = np.arange(len(y), dtype=float)
    return Layer(kind="line", x=x, y=y, run_ids=_ids([trial]) * len(y), **{**look, **changes})


def _ruler(place: int, heights: Sequence[float], labels: Sequence[str]) -> Layer:
    x = np.full(len(heights), float(place))
    return Layer("line", "axis", x, np.array(heights), labels=tuple(labels), role="ink", mark="thin", legend=False)


def _labels(axis: Mapping[str, Any]) -> tuple[list[float], list[str]]:
    """Heights and texts of an axis' labels: its points, or ends and middle."""
    if axis["points"]:
        count = len(axis["points"])
        shown = range(count) if count <= LABELLED else (0, count // 2, count - 1)
        return [k / max(1, count - 1) for k in shown], [_text(axis["points"][k]) for k in shown]
    low, high = axis["low"], axis["high"]
    middle = math.sqrt(low * high) if axis["log"] else (low + high) / 2
    return [0.0, 0.5, 1.0], [_text(float(f"{value:.3g}")) for value in (low, middle, high)]


def _text(value: Any) -> str:
    return ticks.write(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _ids(trials: Sequence[Trial]) -> tuple[str, ...]:
    return tuple(JOINT.join(run["run_id"] for run in trial["runs"]) for trial in trials)


def _numbers(trials: Sequence[Trial]) -> tuple[str, ...]:
    return tuple(f"trial {trial['number']}" for trial in trials)
