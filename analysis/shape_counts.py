"""N and FLOPs a token of any width and depth, counted from the settings that a table holds; and its usual batch."""

import functools
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from analysis.load import Runs

WIDEST = 65536  # of model.width
SAME = 1e-6  # relative: so near, a count is the table's


class Count(NamedTuple):
    """N, and training FLOPs a token."""

    n_params: float
    flops_per_token: float


Counter = Callable[[int, int], Count | None]  # of a width and a depth; None where there is no such model


def settings_of(runs: Runs, row: int | None = None) -> dict[str, Any] | None:
    """Dotted settings of a row, of the run with the largest C where none is named: every one that belongs to its
    identity. None for a table without settings."""
    from scaling_laws import config

    if "config" not in runs or not len(runs):
        return None
    try:
        given = json.loads(str(runs["config"][_largest(runs) if row is None else row]))
    except json.JSONDecodeError:
        return None
    if not isinstance(given, Mapping) or not given:
        return None
    every = [(path, field.metadata) for path, field, _ in config.leaves(config.RunConfig())]
    return {path: about["neutral"] for path, about in every if about["identity"]} | dict(given)


def counter(runs: Runs, compute: bool = False) -> Counter | None:
    """Counts by the settings of the run with the largest C.

    None where a shape of the table, counted from its own settings, is not as its row says in N and, with `compute`, in
    FLOPs a token: another convention, or another program's settings.
    """
    settings = settings_of(runs)
    if settings is None:
        return None
    pairs: dict[tuple[int, int], int] = {}
    for row, pair in enumerate(zip(runs["width"].tolist(), runs["depth"].tolist(), strict=True)):
        pairs.setdefault(pair, row)
    if not all(_comes_back(runs, row, compute) for row in pairs.values()):
        return None
    return functools.cache(lambda width, depth: _counted(settings, width, depth))


def _comes_back(runs: Runs, row: int, compute: bool) -> bool:
    settings = settings_of(runs, row)
    found = _counted(settings, int(runs["width"][row]), int(runs["depth"][row])) if settings else None
    if found is None:
        return False
    pairs = [(found.n_params, runs["n_params"][row])]
    if compute:
        pairs.append((found.flops_per_token, runs["flops"][row] / runs["tokens"][row]))
    return all(math.isclose(ours, theirs, rel_tol=SAME) for ours, theirs in pairs)


def _counted(settings: Mapping[str, Any], width: int, depth: int) -> Count | None:
    from analysis.load.own_runs import described

    row = described({**settings, "model.width": width, "model.depth": depth})
    return Count(float(row["n_params"]), row["flops"] / row["tokens"]) if row else None


def batch_tokens_of(runs: Runs) -> int:
    """Tokens of a step, the commonest of the table; 0 where it does not say."""
    with np.errstate(all="ignore"):
        each = np.rint(runs.numbers("tokens") / runs.numbers("steps"))
    if not np.isfinite(each).any():
        each = runs.numbers("batch_size") * (runs.numbers("context") if "context" in runs else 1)
    each = each[np.isfinite(each) & (each >= 1)]
    if not len(each):
        return 0
    values, times = np.unique(each, return_counts=True)
    return int(values[times.argmax()])


def _largest(runs: Runs) -> int:
    return int(np.argmax(np.nan_to_num(runs.numbers("flops"))))
