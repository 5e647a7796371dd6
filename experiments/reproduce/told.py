"""A result as lines, as a CSV and as figures: `quantity, paper (at its scale), here (scale, interval), agrees, why`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.reproduce.entry import NO, Quantity, Result

COLUMNS = ("quantity", "paper", "paper_scale", "here", "low", "high", "scale", "agrees", "why")
FILE = "quantities.csv"


def write(result: Result, folder: Path) -> list[Path]:
    """The figures (PNG, SVG, CSV) and the table, each whole or not at all; the paths."""
    from analysis.figures import static, style

    written = [path for drawing in result.drawings for path in static.save(drawing, folder)]
    table = style.csv_bytes([row(one) for one in result.quantities], COLUMNS)
    return [*written, style.write_atomically(folder / FILE, table)]


def row(one: Quantity) -> Mapping[str, object]:
    """A quantity by COLUMNS; what there is not is left empty."""
    low, high = one.interval or (None, None)
    numbers = {"paper": one.paper, "here": one.here, "low": low, "high": high}
    known = {name: "" if value is None or not math.isfinite(value) else value for name, value in numbers.items()}
    words = {"quantity": one.name, "paper_scale": one.paper_scale, "scale": one.scale}
    return words | known | {"agrees": one.agrees, "why": one.why if one.agrees == NO else ""}


def lines(result: Result) -> list[str]:
    """The table for a terminal, then why what does not agree does not, then the notes."""
    cells = [("quantity", "paper", "here", "agrees")] + [
        (one.name, _said(one.paper, one.paper_scale), _here(one), one.agrees or "-") for one in result.quantities
    ]
    widths = [max(len(row[k]) for row in cells) for k in range(4)]
    said = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [*said, *reasons(result.quantities), *(f"note: {note}" for note in result.notes)]


def reasons(quantities: Sequence[Quantity]) -> list[str]:
    """Why what does not agree does not: each reason once, with the quantities that it stands for."""
    by_reason: dict[str, list[str]] = {}
    for one in quantities:
        if one.agrees == NO:
            by_reason.setdefault(one.why or "no reason is known", []).append(one.name)
    return [f"why not: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _here(one: Quantity) -> str:
    ends = f" [{one.interval[0]:.4g}, {one.interval[1]:.4g}]" if one.interval else ""
    return _said(one.here, one.scale, ends)


def _said(value: float | None, scale: str, ends: str = "") -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.6g}{ends}" + (f" ({scale})" if scale else "")
