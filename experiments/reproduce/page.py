"""Every figure of the catalogue on one page that needs no network: claim, picture, numbers beside the paper's."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from analysis.figures.style import write_atomically
from analysis.page import still
from analysis.page.markup import Markup, tag
from analysis.page.tables import plain_table
from experiments.reproduce import told
from experiments.reproduce.entry import Figure, Paper, Quantity, Result

TITLE = "Figures of the scaling-law papers, again"
LEAD = (
    "Each figure was made by this project from the data named below it. Numbers of the paper stand beside the same "
    "numbers here; where they differ, it says why below them."
)
HEAD = ("quantity", "agrees", "paper", "here", "interval")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A figure as it came out, from where, and where its files are; or the reason why there is none."""

    name: str
    paper: Paper
    number: str
    figure: Figure
    source: str
    folder: Path
    result: Result | None = None
    reason: str = ""


def write(shown: Sequence[Shown], out: Path) -> Path:
    """The page, whole or not at all."""
    links = [tag("a", name, href=f"#{name}") for name in dict.fromkeys(one.name for one in shown)]
    parts, before = [], ""
    for one in shown:
        if one.name != before:
            parts += [tag("h2", one.paper.reference, id=one.name), tag("p", one.paper.claim, class_="lead")]
        parts.append(_figure(one))
        before = one.name
    main = tag("main", tag("nav", links, aria_label="papers"), tag("h1", TITLE), tag("p", LEAD), parts)
    return write_atomically(out, still.document(TITLE, main).encode(errors="backslashreplace"))


def _figure(one: Shown) -> Markup:
    heading = tag("h3", f"{one.number}: {one.figure.claim}")
    if one.result is None:
        return tag("section", heading, tag("p", f"Not made: {one.reason}.", class_="soft"))
    images = [still.image(drawing, one.folder / f"{drawing.name}.svg") for drawing in one.result.drawings]
    quantities = one.result.quantities
    table = plain_table(HEAD, map(_row, quantities), 2) if quantities else None
    told_below = [*_scales(quantities), *told.reasons(quantities), *one.result.notes]
    notes = [tag("p", line, class_="soft") for line in told_below]
    return tag("section", heading, tag("p", f"From {one.source}.", class_="soft"), images, table, notes)


def _row(one: Quantity) -> tuple[str, ...]:
    cells = told.row(one)
    paper, here, low, high = (_short(cells[name]) for name in ("paper", "here", "low", "high"))
    return one.name, str(cells["agrees"]), paper, here, f"{low} to {high}" if low and high else ""


def _scales(quantities: Sequence[Quantity]) -> list[str]:
    """Of which scale the numbers of the paper are, and those here."""
    theirs = dict.fromkeys(one.paper_scale for one in quantities if one.paper_scale)
    ours = dict.fromkeys(one.scale for one in quantities if one.scale)
    parts = [f"the paper: {'; '.join(theirs)}"] if theirs else []
    parts += [f"here: {'; '.join(ours)}"] if ours else []
    return [f"Scale of {', '.join(parts)}."] if parts else []


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
