"""Points of training curves, from any logger: a row a (run, step), and what a run's own row takes from its curve."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.load.columns import filled, present, texts
from analysis.load.runs import DataError, Runs

Columns = dict[str, np.ndarray]
LAST = "what a run's row lacks is the last value on its curve: "


@dataclasses.dataclass(frozen=True)
class Source:
    """What a place holds: a row a run, the points of their curves where it has any, and what had to be inferred."""

    columns: Columns
    points: Columns | None = None
    notes: tuple[str, ...] = ()


def merged(parts: Sequence[Columns]) -> Columns:
    """One table of points by run_id and step; of several values of one point the last that is there."""
    names = dict.fromkeys(name for part in parts for name in part)
    joined = {name: _stacked(parts, name) for name in names}
    _, runs = np.unique(joined["run_id"], return_inverse=True)
    order = np.lexsort((joined["step"], runs))
    steps = joined["step"][order]
    new = np.append(True, (np.diff(runs[order]) > 0) | (np.diff(steps) != 0))[: len(order)]
    place, first = np.cumsum(new) - 1, order[new]
    own = {name: values[first] for name, values in joined.items() if name in ("run_id", "step")}
    return own | {
        name: _gathered(values[order], place, len(first)) for name, values in joined.items() if name not in own
    }


def _stacked(parts: Sequence[Columns], name: str) -> np.ndarray:
    here = [part[name] for part in parts if name in part]
    if any(values.dtype.kind not in "fiu" for values in here):
        parts = [{**part, name: texts(part[name])} if name in part else part for part in parts]
        here = [part[name] for part in parts if name in part]
    like = np.concatenate(here)
    return np.concatenate([part[name] if name in part else filled(len(part["run_id"]), like) for part in parts])


def _gathered(values: np.ndarray, place: np.ndarray, length: int) -> np.ndarray:
    """(length,) the last value that is there at each place."""
    out, there = filled(length, values), present(values)
    out[place[there]] = values[there]
    return out


def last_values(points: Columns) -> Columns:
    """A row a run, by run_id: the last value that is there of every column of its points."""
    names, place = np.unique(points["run_id"], return_inverse=True)
    order = np.lexsort((points["step"], place))
    rest = {name: values for name, values in points.items() if name != "run_id"}
    return {"run_id": names} | {name: _gathered(v[order], place[order], len(names)) for name, v in rest.items()}


def with_last_values(runs: Columns, points: Columns) -> Source:
    """Rows of runs, completed with the last values of their curves; runs that have only a curve get a row."""
    last = last_values(points)
    alone = ~np.isin(last["run_id"], runs["run_id"])
    if alone.any():
        extra = {name: values[alone] for name, values in last.items() if name in runs}
        runs = {name: _stacked([runs, extra], name) for name in runs}
    at, known = lookup(last["run_id"], runs["run_id"])
    added = {name: np.where(known, v[at], filled(1, v)) for name, v in last.items() if name not in runs}
    return Source(runs | added, points, (LAST + ", ".join(added),) if added else ())


def lookup(names: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) place of each wanted name among `names`, and whether it is there at all."""
    order = np.argsort(names, kind="stable")
    at = order[np.minimum(np.searchsorted(names, wanted, sorter=order), len(names) - 1)]
    return at, names[at] == wanted


def completed(points: Runs, runs: Runs) -> Runs:
    """Points with `flops` and `loss`; C follows from the runs' own columns, aloud. Raises DataError where it cannot.

    A share of the run's C by tokens, else 6 N tokens, else a share of C by steps.
    """
    if "loss" not in points and "train_loss" in points:
        points = points.with_columns(loss=np.full(len(points), np.nan))
    points["loss"]
    if "flops" in points:
        return points
    own = _of_runs(points, runs)
    tokens = points.numbers("tokens")
    with np.errstate(all="ignore"):
        choices = {
            "C of the run x tokens / D": own["flops"] * tokens / own["tokens"],
            "6 N tokens": 6 * own["n_params"] * tokens,
            "C of the run x step / steps": own["flops"] * points.numbers("step") / own["steps"],
        }
    for rule, flops in choices.items():
        if np.isfinite(flops).any():
            return points.with_columns(flops=flops).noted(f"flops are not on the curves: {rule}")
    raise DataError(
        f"{points.source}: {points.lacks('flops')}; allowed: flops or tokens on the curves with n_params of the runs, "
        "or flops of the runs"
    )


def _of_runs(points: Runs, runs: Runs) -> Mapping[str, np.ndarray]:
    """(points,) N, D, C and the last step of the run of each point; NaN where unknown."""
    names, place = np.unique(points["run_id"], return_inverse=True)
    steps = np.zeros(len(names))
    np.fmax.at(steps, place, points.numbers("step"))
    own = {name: np.full(len(names), np.nan) for name in ("n_params", "tokens", "flops")} | {"steps": steps}
    if len(runs) and "run_id" in runs:
        at, known = lookup(runs["run_id"], names)
        for name, unknown in own.items():
            values = runs.numbers(name)[at]
            own[name] = np.where(known & (values > 0), values, unknown)
    return {name: values[place] for name, values in own.items()}
