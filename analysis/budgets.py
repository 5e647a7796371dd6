"""Compute budgets of a table of runs: which run belongs to which, and what a slope over their range may be called."""

import numpy as np

from analysis.load import Runs

SAME_BUDGET = 0.1  # ln C: a wider gap starts a new group in tables without a budget column
WIDEST = 0.4  # ln C: a chain of runs that spans more is no budget but several, with runs between them
BINS = 5  # to SAME_BUDGET, in which a wide chain is searched for its densest places
DECADES, BUDGETS = 2.0, 5  # what makes an exponent
RULE = f"{DECADES:g} decades of C and five budgets make an exponent"


def known_budgets(runs: Runs) -> np.ndarray | None:
    """(n,) budgets in FLOPs where the table states one for every run, else None."""
    budgets = runs.numbers("budget")
    return budgets if np.isfinite(budgets).all() else None


def budget_groups(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """(n,) group number of each run and (groups,) budgets in FLOPs, ascending: as stated, else clusters of `flops`.

    A cluster is a chain of runs without a gap of SAME_BUDGET; in a chain wider than WIDEST the densest stretches of
    twice SAME_BUDGET are budgets, densest first, and what is left between two of them is a group of its own.
    """
    stated = known_budgets(runs)
    if stated is not None:
        budgets, labels = np.unique(stated, return_inverse=True)
        return labels, budgets
    log_c = np.log(runs["flops"])
    order = np.argsort(log_c, kind="stable")
    starts = np.flatnonzero(np.diff(log_c[order], prepend=-np.inf) > SAME_BUDGET)
    first = np.concatenate([_divided(chain) for chain in np.split(log_c[order], starts[1:])])
    labels = np.empty(len(order), dtype=int)
    labels[order] = np.cumsum(first) - 1
    return labels, np.exp(np.bincount(labels, log_c) / np.bincount(labels))


def _divided(chain: np.ndarray) -> np.ndarray:
    """(n,) booleans: where a budget begins in an ascending chain of ln C."""
    first = np.arange(len(chain)) == 0
    if chain[-1] - chain[0] <= WIDEST:
        return first
    bins = ((chain - chain[0]) * (BINS / SAME_BUDGET)).astype(int)
    count, owner = np.bincount(bins), np.zeros(bins[-1] + 1, dtype=int)
    reach = np.ones(2 * BINS + 1, dtype=int)
    while (owner == 0).any():
        densest = int(np.convolve(np.where(owner == 0, count, 0), reach, "same")[owner == 0].argmax())
        center = int(np.flatnonzero(owner == 0)[densest])
        window = slice(max(0, center - BINS), center + BINS + 1)
        owner[window] = np.where(owner[window] == 0, owner.max() + 1, owner[window])
    return first | (np.diff(owner[bins], prepend=0) != 0)


def shared_budgets(runs: Runs) -> list[tuple[float, np.ndarray]]:
    """(budget in FLOPs, row numbers) of every budget with at least two sizes, ascending."""
    labels, budgets = budget_groups(runs)
    groups = [(float(budget), np.flatnonzero(labels == k)) for k, budget in enumerate(budgets)]
    return [(budget, rows) for budget, rows in groups if len(np.unique(runs["n_params"][rows])) > 1]


def along_budget(runs: Runs, rows: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) along one budget, from its smallest to its largest size: the straight line of its ln D over ln N."""
    x, y = np.log(runs["n_params"][rows]), np.log(runs["tokens"][rows])
    slope, intercept = np.polyfit(x, y, 1)
    grid = np.linspace(x.min(), x.max(), points)
    return np.exp(grid), np.exp(intercept + slope * grid)


def slope_name(flops: np.ndarray, count: int | None = None) -> str:
    """`exponent`, or `local slope` below two decades of C or (where budgets are counted) five budgets."""
    wide = len(flops) > 0 and np.log10(flops.max() / flops.min()) >= DECADES - 1e-9
    return "exponent" if wide and (count is None or count >= BUDGETS) else "local slope"


def slope_over(runs: Runs) -> str:
    """`slope_name` over the range of the runs: of their stated budgets, or of their final C where none are stated.

    What a run spends is a step short of its budget: budgets of 1e10 to 1e12 are two decades all the same.
    """
    stated = known_budgets(runs)
    return slope_name(runs["flops"]) if stated is None else slope_name(stated, len(np.unique(stated)))
