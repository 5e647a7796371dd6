"""Compute budgets of a table of runs: which run belongs to which, and what a slope over their range may be called."""

import numpy as np

from analysis.load import Runs

SAME_BUDGET = 0.1  # ln C: a wider gap starts a new group in tables without a budget column
DECADES, BUDGETS = 2.0, 5  # what makes an exponent
RULE = f"{DECADES:g} decades of C and five budgets make an exponent"


def known_budgets(runs: Runs) -> np.ndarray | None:
    """(n,) budgets in FLOPs where the table states one for every run, else None."""
    budgets = runs.numbers("budget")
    return budgets if np.isfinite(budgets).all() else None


def budget_groups(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """(n,) group number of each run and (groups,) budgets in FLOPs, ascending: as stated, else clusters of `flops`."""
    stated = known_budgets(runs)
    if stated is not None:
        budgets, labels = np.unique(stated, return_inverse=True)
        return labels, budgets
    log_c = np.log(runs["flops"])
    order = np.argsort(log_c, kind="stable")
    labels = np.empty(len(order), dtype=int)
    labels[order] = np.concatenate([[0], np.cumsum(np.diff(log_c[order]) > SAME_BUDGET)])
    return labels, np.array([np.exp(log_c[labels == k].mean()) for k in range(labels.max() + 1)])


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
