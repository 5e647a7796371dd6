"""Runs of one shape and budget, told apart by whole columns at a time."""

from collections.abc import Iterable

import numpy as np

from analysis.load.runs import Runs

PARAMETRIZATION = ("parametrization", "base_width", "base_depth")
SHAPE = ("family", "task", "technique", "strength", *PARAMETRIZATION, "width", "depth", "budget")


def best_rate(runs: Runs) -> Runs:
    """Per (shape, budget, seed) the learning rate with the lowest loss; the rest excluded by name.

    A table that lacks one of width, depth, learning_rate and loss comes back as it is.
    """
    if not {"width", "depth", "learning_rate", "loss"} <= set(runs.columns):
        return runs
    keys = group_keys(runs, ("seed", "data_seed"))
    order = np.lexsort((runs["loss"], keys))  # the first of a group has its lowest loss; of equals the first row
    first = np.append(True, np.diff(keys[order]) > 0)
    best = np.zeros(len(runs), dtype=bool)
    best[order[first]] = True
    return runs.select(best, "not the best learning rate")


def group_keys(runs: Runs, more: Iterable[str] = ()) -> np.ndarray:
    """(n,) integers, equal where shape and budget (tokens where there is no budget), the tokens that are read again and
    again, and the columns in `more` are."""
    columns = [runs[name] for name in (*SHAPE, *more) if name in runs]
    own = np.where(np.isfinite(runs.numbers("budget")), 0.0, runs.numbers("tokens"))
    keys = np.zeros(len(runs), dtype=np.int64)
    for column in (*columns, own, _repeated(runs)):
        values = np.nan_to_num(column) if column.dtype.kind == "f" else column  # a gap is no part of a key
        if len(values) and not (values == values[0]).all():
            levels, place = np.unique(values, return_inverse=True)
            _, keys = np.unique(keys * len(levels) + place, return_inverse=True)
    return keys


def _repeated(runs: Runs) -> np.ndarray:
    """(n,) distinct tokens of the runs that read theirs more than once; 0 of the others, and where none are known."""
    unique = runs.numbers("unique_tokens")
    return np.where(runs.numbers("tokens") > unique, unique, 0.0)
