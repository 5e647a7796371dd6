"""What a benchmark hands back: rows of bar and measured figure, for people and for programs."""

import dataclasses
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from analysis.figures.style import write_atomically


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure beside its bar. `met` is None where there is no bar or nothing to hold against it."""

    what: str
    bar: str
    measured: str
    met: bool | None = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


def lines(rows: Iterable[Row]) -> list[str]:
    """The table that people read."""
    cells = [("", "bar", "measured", "")]
    cells += [(row.what, row.bar, row.measured, {True: "met", False: "NOT met", None: ""}[row.met]) for row in rows]
    widths = [max(len(cell[k]) for cell in cells) for k in range(4)]
    return ["  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)).rstrip() for cell in cells]


def write(rows: Iterable[Row], path: Path) -> None:
    """The rows as JSON, with every number behind them."""
    content = json.dumps([dataclasses.asdict(row) for row in rows], indent=1)
    write_atomically(path, (content + "\n").encode())


def progress(text: str) -> None:
    """A line about what is going on, beside the results."""
    print(text, file=sys.stderr, flush=True)
