"""The tables of the page: plain HTML that reads without a script; sorting and filtering are added by table.js."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from analysis.load import Exclusion, Runs
from analysis.page.markup import Markup, join, tag
from analysis.page.payload import number, texts_of
from analysis.study import Study

LISTED = 200  # rows that the page lists for one reason
# the table of runs: column -> heading, {loss} and {data} the units of the table
RUN_COLUMNS = {
    "width": "width", "depth": "depth", "n_params": "N", "tokens": "D ({data})", "flops": "C", "budget": "budget",
    "learning_rate": "learning rate", "seed": "seed", "epochs": "epochs", "loss": "loss ({loss})",
    "bits_per_byte": "bits/byte", "accuracy": "accuracy", "r2": "R²", "purpose": "purpose", "status": "status",
}  # fmt: skip


def plain_table(head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> Markup:
    """A small table; the first `text_columns` columns are text, the others numbers set flush right."""
    kinds = [None if i < text_columns else "num" for i in range(len(head))]
    header = tag("tr", [tag("th", name, scope="col", class_=kind) for name, kind in zip(head, kinds, strict=True)])
    body = [tag("tr", [tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)]) for row in rows]
    return tag("div", tag("table", tag("thead", header), tag("tbody", body)), class_="scroll", tabindex="0")


def runs_table(study: Study) -> Markup:
    """Every run that was fitted or held out; columns that the table lacks are left away."""
    shown = [name for name in RUN_COLUMNS if any(any(texts_of(runs, name)) for runs in study.tables())]
    kinds = {name: _is_number(study, name) for name in shown}
    named = {name: RUN_COLUMNS[name].format(**dataclasses.asdict(study.units)) for name in shown}
    heads = [("run", None), *((named[name], "num" if kinds[name] else None) for name in shown), ("use", None)]
    buttons = [(tag("button", text, type="button"), kind) for text, kind in heads]
    header = tag("tr", [tag("th", button, scope="col", class_=kind) for button, kind in buttons])
    body: list[Markup] = []
    for runs, use in zip(study.tables(), ("fitted", "held out"), strict=False):
        body += _rows(runs, shown, use, len(body))
    table = tag("table", tag("thead", header), tag("tbody", body), id="runs-table", class_="sortable")
    search = tag("input", type="search", id="filter", placeholder="words that a row must contain")
    tools = tag("div", tag("label", "Filter ", search), tag("span", id="count", class_="soft"), class_="tools")
    return tag("section", tag("h2", "Runs", id="runs"), tools, tag("div", table, class_="scroll", tabindex="0"))


def _is_number(study: Study, name: str) -> bool:
    return all(name not in runs or runs[name].dtype.kind in "fiu" for runs in study.tables())


def _rows(runs: Runs, shown: Sequence[str], use: str, start: int) -> list[Markup]:
    cells = [_cells(runs, name) for name in shown]
    return [
        tag(
            "tr",
            tag("td", run_id, class_="id"),
            *(column[i] for column in cells),
            tag("td", use),
            data_run=start + i,
            tabindex="-1",
        )
        for i, run_id in enumerate(runs.names())
    ]


def _cells(runs: Runs, name: str) -> list[Markup]:
    written = texts_of(runs, name)
    if name not in runs or runs[name].dtype.kind not in "fiu":
        return [tag("td", text) for text in written]
    values = runs.numbers(name)
    keys = ["" if not np.isfinite(value) else f"{value:.9g}" for value in values]
    return [tag("td", text, class_="num", data_value=key) for text, key in zip(written, keys, strict=True)]


def excluded_table(study: Study) -> Markup:
    """Rows that did not enter the fit, each with its reason, and how many of each."""
    heading, excluded = tag("h2", "Left out of the fit", id="excluded"), study.runs.excluded
    if not excluded:
        return tag("section", heading, tag("p", "No row of the table was left out."))
    counts = study.runs.excluded_counts().items()
    summary = "; ".join(f"{count} × {reason}" for reason, count in counts)
    rows = [row for item in excluded for row in _excluded_rows(item)]
    moved = tag("p", f"{study.moved_by_bad()}.") if study.with_bad else None
    return tag("section", heading, tag("p", f"{summary}."), moved, plain_table(("run", "reason", "row"), rows, 2))


def _excluded_rows(item: Exclusion) -> list[tuple[str, str, str]]:
    listed = zip(item.names(LISTED), item.rows.tolist(), strict=False)
    rows = [(name, item.reason, number(float(row))) for name, row in listed]
    return rows + [(f"and {len(item) - LISTED} more", item.reason, "")] * (len(item) > LISTED)


def fact_list(pairs: Iterable[tuple[str, str]]) -> Markup:
    """A definition list of names and values."""
    return tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in pairs], class_="facts")
