"""One learning rate for all sizes, or a best rate at the end of the rates tried: large and small runs are not alike."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, positive, without
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.audit.proposals import Proposal
from analysis.load import Runs, row_list

NAME, TITLE = "one_learning_rate", "learning rate not tuned at every size"
NEEDS = "column learning_rate, with the rates tried at a size on rows of their own"
SPREAD = 4.0  # largest over smallest N from which on one rate cannot suit all
TRANSFER = ("mup", "completep")  # rules under which one base rate is meant to suit all sizes
LEAST_RATES = 3


def check(case: Case) -> Found | Passed | NotChecked:
    """A constant rate over sizes, and swept cells whose best rate is the lowest or the highest tried."""
    rates = positive(case.table, "learning_rate")
    known = np.isfinite(rates)
    if not known.any():
        return NotChecked(NEEDS)
    sizes = case.table["n_params"][known]
    spread = float(sizes.max() / sizes.min())
    if np.ptp(rates[known]) <= 1e-9 * rates[known].max() and spread >= SPREAD:
        return _one(case, float(rates[known][0]), spread, case.table.rows[known])
    swept = [cell for cell in swept_cells(case.table, rates) if len(np.unique(rates[cell])) >= LEAST_RATES]
    edge = [cell for cell in swept if _at_end(case.table, rates, cell)]
    if edge:
        return _edge(case, rates, swept, edge)
    if swept:
        return Passed(f"the best of the rates tried is an interior one at all {len(swept)} points with three or more")
    return Passed("the rate changes with size; no size has three rates, so whether it is the best one is not known")


def swept_cells(table: Runs, rates: np.ndarray) -> list[np.ndarray]:
    """Row places of each (N, D, seed) that was run at several rates."""
    columns = [table["n_params"], table["tokens"], np.nan_to_num(table.numbers("seed"))]
    _, which = np.unique(np.stack(columns, axis=1).astype(float), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(which.ravel()[order])) + 1)
    return [cell for cell in groups if len(np.unique(rates[cell][np.isfinite(rates[cell])])) > 1]


def _at_end(table: Runs, rates: np.ndarray, cell: np.ndarray) -> bool:
    best = rates[cell][np.argmin(table["loss"][cell])]
    return bool(best in (np.nanmin(rates[cell]), np.nanmax(rates[cell])))


def _one(case: Case, rate: float, spread: float, rows: np.ndarray) -> Found:
    rules = set(map(str, case.table["parametrization"])) if "parametrization" in case.table else set()
    transfers = bool(rules) and rules <= set(TRANSFER)
    said = f"every run has learning rate {rate:g} while N spans a factor of {spread:.3g}"
    excuse = f" ({', '.join(sorted(rules))} is meant to carry it over, which no row tests)" if transfers else ""
    return Found(
        evidence=said + excuse,
        floor=severity.MINOR if transfers else severity.ONE_RATE,
        rows=rows,
        unmended="no row has another rate; tuning moved a by .05 to .07 in Porian et al. 2024",
        proposals=_sweeps(case, rate),
        picture="rates",
    )


def _sweeps(case: Case, rate: float) -> tuple[Proposal, ...]:
    """Half and twice the rate at the cheapest and at a middle budget: whether the best rate moves with size."""
    places = case.cheapest_near_optimum(len(case.cells))
    chosen = dict.fromkeys([places[0], places[len(places) // 2]])
    return tuple(case.again(place, learning_rate=rate * factor) for place in chosen for factor in (0.5, 2.0))


def _edge(case: Case, rates: np.ndarray, swept: list[np.ndarray], edge: list[np.ndarray]) -> Found:
    table, rows = case.table, np.sort(np.concatenate([case.table.rows[cell] for cell in edge]))
    sizes = np.unique([table["n_params"][cell[0]] for cell in edge])
    named = ", ".join(f"{size:.3g}" for size in sizes[:6]) + (" and more" if len(sizes) > 6 else "")
    return Found(
        evidence=f"at {len(edge)} of {len(swept)} points with a sweep the best rate is the lowest or highest tried "
        f"(N {named}; {row_list(rows)})",
        floor=severity.ONE_RATE * len(edge) / len(swept),
        rows=rows,
        mend=without(rows, "its best rate is at the edge of those tried"),
        mended="without the points whose best rate is at the edge",
        proposals=tuple(_past(table, rates, cell) for cell in sorted(edge, key=lambda c: table["flops"][c[0]])[:3]),
        picture="rates",
    )


def _past(table: Runs, rates: np.ndarray, cell: np.ndarray) -> Proposal:
    """One more rate beyond the end, a step of the grid further."""
    tried = np.unique(rates[cell][np.isfinite(rates[cell])])
    best = rates[cell][np.argmin(table["loss"][cell])]
    rate = tried[0] ** 2 / tried[1] if best == tried[0] else tried[-1] ** 2 / tried[-2]
    n, d, c = (float(table[name][cell[0]]) for name in ("n_params", "tokens", "flops"))
    return Proposal(n, d, c, learning_rate=float(rate))
