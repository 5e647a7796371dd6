"""Which runs of a table are the answer to a forecast: of the same task and family, at its target within a tolerance."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis import counts, load
from analysis.forecasts.record import Record
from analysis.load import DataError, Runs
from analysis.load.columns import texts
from analysis.options import Options

TOLERANCE = 0.1  # ln N and ln D of a shape that was asked for; ln C of a budget
WIDER = 2.5  # times that in ln N, where a budget was asked for: there the loss is flat in N


def rows_at(record: Record, runs: Runs, tolerance: float = TOLERANCE) -> np.ndarray:
    """(n,) booleans: the runs at a forecast's target.

    N and D within `tolerance`; of a forecast at a budget C within it, and N within WIDER times as much.
    """
    off = {name: np.abs(np.log(runs[name] / record.target[name])) for name in ("n_params", "tokens", "flops")}
    if set(record.asked) == {"flops"}:
        there = (off["flops"] <= tolerance) & (off["n_params"] <= WIDER * tolerance)
    else:
        there = (off["n_params"] <= tolerance) & (off["tokens"] <= tolerance)
    for name, value in record.about.items():
        if name in runs:
            own = runs[name] if runs[name].dtype.kind in "fiu" else texts(runs[name])
            there &= own == value
    return there


def answers(path: str | Path, record: Record, statuses: Sequence[str] = load.FITTED, columns: str = "") -> Runs:
    """The runs of a table that have what was forecast, with N and C as the forecast counts them.

    Rows that its `where` left out are there too. Raises DataError where the table cannot be read.
    """
    options = Options(**record.options)
    runs = load.load(path, columns or options.columns, needs=("n_params", "tokens", "flops"), statuses=statuses)
    runs = load.usable(runs, record.column, zero=True)
    runs = counts.apply_params(runs, options.params_convention)
    return counts.apply_flops(runs, options.flops_convention)


def refuse_known(record: Record, path: str | Path, tolerance: float = TOLERANCE) -> None:
    """Raises DataError where the table holds a run at the target already: a forecast is made before the run."""
    runs = answers(path, record, (*load.FITTED, *load.WENT_BAD))
    there = np.flatnonzero(rows_at(record, runs, tolerance))
    if len(there):
        raise DataError(
            f"register: {runs.source} holds {len(there)} run{'s' * (len(there) > 1)} at the target already, as "
            f"{runs.run_id(int(there[0]))}; allowed: a forecast made before the run"
        )


def began_before(runs: Runs, made_at: str) -> np.ndarray:
    """(n,) booleans: the runs that the table says started before that time; without a time none did."""
    if "started_at" not in runs:
        return np.zeros(len(runs), dtype=bool)
    made = _time(made_at)
    starts = [_time(text) for text in texts(runs["started_at"]).tolist()]
    return np.array([made is not None and start is not None and start < made for start in starts], dtype=bool)


def _time(text: str) -> datetime.datetime | None:
    """A time in ISO 8601, in UTC where it does not say; None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
