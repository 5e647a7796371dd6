"""Our side of every comparison, in one place: a law on columns, its global fit, its refits on resamples."""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from analysis import laws, solver


def problem(law: str, columns: Mapping[str, np.ndarray], loss_N: np.ndarray, delta: float = 1e-3) -> solver.Problem:
    """Huber's objective of the law on ln loss; `columns` maps each of the law's inputs to a positive (n,) array."""
    entry = laws.get(law)
    points = laws.design(entry, {name: columns[name] for name in entry.inputs})
    return solver.problem(points, np.log(loss_N), solver.Objective("huber", delta))


def refit(task: solver.Problem, theta: np.ndarray, weights_RxN: np.ndarray) -> np.ndarray:
    """Objective (R,) of the optimum of each resample, all in one batch from the optimum of the data."""
    _, values = solver.descend(task, np.repeat(theta[None], len(weights_RxN), axis=0), weights_RxN)
    return values


@functools.cache
def version() -> str:
    """Hash of the sources of laws and solver: measurements of other sources are not mixed with these."""
    total = hashlib.sha256()
    for package in (laws.__file__, solver.__file__):
        for path in sorted(Path(str(package)).parent.glob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()[:12]
