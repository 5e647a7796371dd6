"""The experiment without a design: an even log grid over N and D of the same cost, to hold a design against."""

import numpy as np

from analysis.design.candidates import Candidates
from analysis.design.costs import Costs

FINEST = 12  # levels a side


def even_grid(costs: Costs, budget: float) -> np.ndarray:
    """(J,) counts: the finest lattice of as many levels of N as of D that the budget holds, each side over its range.

    What is left buys further seeds of the whole lattice, then of its runs from the largest down. Points of the lattice
    that are no candidates (too large a C, a D / N beyond the range) are left out.
    """
    candidates = costs.candidates
    none = np.zeros(len(candidates), dtype=int)
    lattices = [lattice(candidates, levels) for levels in range(2, FINEST + 1)]
    fitting = [counts for counts in lattices if costs.total(counts) <= budget]
    counts = max(fitting, key=lambda one: int(one.sum())) if fitting else none
    chosen = np.flatnonzero(counts)
    while len(chosen) and costs.total(counts + (counts > 0)) <= budget:
        counts = counts + (counts > 0)
    for j in chosen[np.argsort(-candidates.flops_J[chosen], kind="stable")]:
        more = counts.copy()
        more[j] += 1
        counts = more if costs.total(more) <= budget else counts
    return counts


def lattice(candidates: Candidates, levels: int) -> np.ndarray:
    """(J,) one run at each of the candidates nearest to `levels` even levels of ln N, and of ln D."""
    tokens = np.unique(candidates.tokens_J)
    sizes = np.array([shape.n_params for shape in candidates.shapes])
    shapes = {_nearest(sizes, place) for place in np.geomspace(sizes.min(), sizes.max(), levels)}
    rows = {tokens[_nearest(tokens, place)] for place in np.geomspace(tokens[0], tokens[-1], levels)}
    return (np.isin(candidates.shape_J, list(shapes)) & np.isin(candidates.tokens_J, list(rows))).astype(int)


def _nearest(values: np.ndarray, place: float) -> int:
    return int(np.argmin(np.abs(np.log(values / place))))
