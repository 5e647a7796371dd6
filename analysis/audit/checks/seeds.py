"""Seed noise not measured: nothing says how far two runs that should be equal lie apart."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import Runs

NAME, TITLE = "seed_noise", "seed noise not measured"
NEEDS = "column seed"
SEEDS, SIZES = 3, 3


def check(case: Case) -> Found | Passed | NotChecked:
    """At least three seeds at three sizes, at the same N, D and learning rate."""
    if not np.isfinite(case.runs.numbers("seed")).any():
        return NotChecked(NEEDS)
    sizes = _repeated_sizes(case.runs)
    if len(sizes) >= SIZES:
        return Passed(f"{SIZES} seeds or more at {len(sizes)} sizes")
    lacking = case.cheapest_near_optimum(SIZES)
    return Found(
        evidence=f"{len(sizes)} sizes have {SIZES} seeds at one N and D, where {SIZES} are the least: how far equal "
        "runs lie apart is read off the fit's own residuals",
        floor=severity.MINOR,
        rows=np.array([], dtype=int),
        unmended="the noise moves intervals, not the estimate",
        proposals=tuple(case.again(place, seeds=SEEDS - 1) for place in lacking),
    )


def _repeated_sizes(runs: Runs) -> np.ndarray:
    """Sizes N that have SEEDS different seeds at one D and learning rate."""
    rates = np.nan_to_num(runs.numbers("learning_rate"))
    points = np.stack([runs["n_params"], runs["tokens"], rates], axis=1).astype(float)
    different, which = np.unique(points, axis=0, return_inverse=True)
    pairs = np.unique(np.stack([which.ravel(), runs.numbers("seed")], axis=1), axis=0)
    count = np.bincount(pairs[:, 0].astype(int), minlength=len(different))
    return np.unique(different[count >= SEEDS, 0])
