"""The figures of an audit: a with and without each finding, and for the grave ones where their rows lie."""

from collections.abc import Callable, Mapping

import numpy as np

from analysis.audit.case import Case, positive
from analysis.audit.checks.head import head_params
from analysis.audit.checks.schedule import horizons
from analysis.audit.examine import Audit
from analysis.audit.findings import Estimate, Finding
from analysis.figures import isoflop_curves
from analysis.figures.chart import Axis, Drawing, Layer, NothingToDraw, Panel
from analysis.load import row_list
from analysis.study import Study

FOREST = "with_and_without"
PICTURED = 6  # findings with a figure of their own
SIZE = Axis("parameters N", si=True)
COMPUTE = Axis("compute C (FLOPs)")


def drawings(found: Audit) -> list[tuple[str, Drawing]]:
    """(check, drawing), the forest first under its own name, then one for each of the gravest findings."""
    made = [(FOREST, forest(found))] if found.headline is not None else []
    for finding in found.findings[:PICTURED]:
        if finding.picture:
            try:
                made.append((finding.check, PICTURES[finding.picture](found.case, finding)))
            except NothingToDraw:
                continue  # the finding stands in words: the table has no curves to draw it on
    return made


def forest(found: Audit) -> Drawing:
    """a as it is (hollow), and with each finding mended (dot), with intervals."""
    assert found.headline is not None
    effects = [(finding.title, finding.effect) for finding in found.findings if finding.effect is not None]
    rows: list[tuple[str, Estimate | None, Estimate]] = [("the table as it is", None, found.headline)]
    rows += [(title, effect.before, effect.after) for title, effect in effects]
    rows += [("all that can be mended", found.headline, found.mended)] if found.mended is not None else []
    rows.reverse()  # the first category lies lowest
    place = np.arange(len(rows), dtype=float)
    before = [i for i, row in enumerate(rows) if row[1] is not None]
    layers = [
        *(_interval(i, row[2], "law", i == 0) for i, row in enumerate(rows[:-1])),
        _interval(place[-1], found.headline, "ink", False),
        *(_interval(i - 0.18, rows[i][1], "muted", False) for i in before),
        _dots("with the mistake", [rows[i][1] for i in before], place[before] - 0.18, "muted", "hollow"),
        _dots("mended, or read otherwise", [row[2] for row in rows[:-1]], place[:-1], "law", "dot"),
        _dots("as it is", [found.headline], place[-1:], "ink", "dot"),
    ]
    panel = Panel(
        Axis("exponent a of N* ~ C^a", log=False),
        Axis("", log=False, categories=tuple(row[0] for row in rows)),
        tuple(layer for layer in layers if len(layer.x)),
    )
    level = f"{found.case.options.level:.0%} intervals" if found.case.options.bootstrap else "no intervals"
    caption = f"Grey: with the mistake, by the same method; coloured: without it; lines: {level}."
    return Drawing(FOREST, "Exponent with and without each mistake", caption, (panel,))


def _interval(height: float, estimate: Estimate | None, role: str, legend: bool) -> Layer:
    pair = estimate.a_interval if estimate is not None else None
    limits = np.array(pair if pair is not None and np.isfinite(pair).all() else (), dtype=float)
    mark = "thin" if role == "muted" else "solid"
    return Layer("line", "interval", limits, np.full(len(limits), height), role=role, mark=mark, legend=legend)


def _dots(name: str, estimates: list[Estimate | None], place: np.ndarray, role: str, mark: str) -> Layer:
    values = np.array([np.nan if estimate is None else estimate.a for estimate in estimates])
    return Layer("points", name, values, place, role=role, mark=mark)


def _isoflop(case: Case, finding: Finding) -> Drawing:
    study = Study(runs=case.runs, fit=case.fit, isoflop=case.isoflop, missing={"fit": case.no_fit})
    drawn = isoflop_curves.build(study)
    return Drawing(finding.check, finding.title.capitalize(), drawn.caption, drawn.panels, drawn.colours)


def _plane(case: Case, finding: Finding) -> Drawing:
    y = Axis(f"{case.units.data} D", si=True)
    return _scatter(case, finding, SIZE, y, case.runs["n_params"], case.runs["tokens"])


def _residuals(case: Case, finding: Finding) -> Drawing:
    y = Axis("measured over fitted loss, ln", log=False)
    return _scatter(case, finding, COMPUTE, y, case.runs["flops"], case.residuals)


def _rates(case: Case, finding: Finding) -> Drawing:
    y = Axis("learning rate")
    return _scatter(
        case, finding, SIZE, y, case.table["n_params"], positive(case.table, "learning_rate"), case.table.rows
    )


def _read(case: Case, finding: Finding) -> Drawing:
    y = Axis("share of the schedule at which a row is read")
    return _scatter(case, finding, SIZE, y, case.runs["n_params"], case.runs["tokens"] / horizons(case.runs)[0])


def _warmup(case: Case, finding: Finding) -> Drawing:
    y = Axis(f"warm-up over {case.units.data}")
    share = case.runs.numbers("warmup_tokens") / case.runs["tokens"]
    return _scatter(case, finding, COMPUTE, y, case.runs["flops"], share)


def _head(case: Case, finding: Finding) -> Drawing:
    head = head_params(case.runs)
    y = Axis("head's share of N with it", log=False)
    return _scatter(case, finding, SIZE, y, case.runs["n_params"], head / (case.runs["n_params"] + head))


def _ratio(case: Case, finding: Finding) -> Drawing:
    ratio = case.runs["flops"] / (6 * case.runs["n_params"] * case.runs["tokens"])
    return _scatter(case, finding, SIZE, Axis("C / (6 N D)", log=False), case.runs["n_params"], ratio)


def _scatter(case: Case, finding: Finding, x: Axis, y: Axis, at_x, at_y, rows: np.ndarray | None = None) -> Drawing:
    """The runs, those of the finding marked where they are not all of them."""
    numbers = case.runs.rows if rows is None else rows
    marked = np.isin(numbers, finding.rows)
    ids = np.array([f"row {row}" for row in numbers])
    at_x, at_y = np.asarray(at_x, dtype=float), np.asarray(at_y, dtype=float)
    layers = [
        Layer("points", name, at_x[part], at_y[part], role=role, mark="dot", run_ids=tuple(ids[part]))
        for name, part, role in (("other runs", ~marked, "muted"), ("runs of this finding", marked, "warning"))
    ]
    shown = tuple(layer for layer in layers if len(layer.x))
    if not shown:
        raise NothingToDraw("no run to mark")
    caption = "Every run is one of this finding." if marked.all() else f"Red: {row_list(numbers[marked])}."
    return Drawing(finding.check, finding.title.capitalize(), caption, (Panel(x, y, shown),))


PICTURES: Mapping[str, Callable[[Case, Finding], Drawing]] = {
    "isoflop": _isoflop,
    "plane": _plane,
    "residuals": _residuals,
    "rates": _rates,
    "schedule": _read,
    "warmup": _warmup,
    "head": _head,
    "ratio": _ratio,
}
