"""What is printed of a ledger and its grades."""

import itertools
from collections.abc import Sequence

from analysis.forecasts.grading import LANDED, OPEN, Grade, Summary
from scaling_laws.units import loss_text

COLUMNS = ("id", "made at (UTC)", "target", "forecast", "interval", "seen", "error", "inside", "naive: best", "power")


def lines(grades: Sequence[Grade], found: Summary) -> list[str]:
    """A line a forecast, oldest first, and what they come to."""
    rows = [COLUMNS, *map(_cells, grades)]
    widths = [max(map(len, column)) for column in itertools.zip_longest(*rows, fillvalue="")]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    return [*table, "", *summary_lines(found)]


def summary_lines(found: Summary) -> list[str]:
    """Error, coverage and the naive guesses."""
    text = [f"{found.made} forecasts: {found.landed} landed, {found.made - found.landed - found.known} open"]
    if found.known:
        text[0] += f", {found.known} not graded: the runs there began before the forecast"
    if not found.landed:
        return text
    text.append(f"median |error| {found.median_error:.2%}")
    for one in found.coverage:
        low, high = one.interval
        share = f"{one.inside} of {one.landed}"
        text.append(f"inside their {one.level:.0%} interval: {share} (a share of {low:.0%} to {high:.0%} at 95 %)")
    better = found.better
    said = f"{better['both']:.0%}; than the best so far {better['best']:.0%}, than a power of C {better['power']:.0%}"
    return [*text, f"nearer than both naive guesses: {said}"]


def _cells(one: Grade) -> Sequence[str]:
    record, target = one.record, one.record.target
    place = f"C {target['flops']:.3g} N {target['n_params']:.3g} D {target['tokens']:.3g}"
    column = "" if record.column == "loss" else f"{record.column} "
    ends = " - ".join(map(loss_text, record.interval))
    row = (record.id, record.made_at[:16], place, column + loss_text(record.forecast["value"]), ends)
    if one.state != LANDED:
        return (*row, one.state if one.state == OPEN else f"{one.state}: {one.early} run(s)")
    naive = (f"{error:+.2%}" for error in one.naive_errors.values())
    return (*row, loss_text(one.seen), f"{one.error:+.2%}", "yes" if one.inside else "no", *naive)
