"""Global fit and 4000 resamples, ours and the reference's, turn by turn in one process; CPU-seconds and objectives."""

import hashlib
from pathlib import Path

import numpy as np

from analysis import solver, uncertainty
from scripts.benchmarks import ours, reference
from scripts.benchmarks.measure import Journal, cpu, spread
from scripts.benchmarks.report import Row, progress

SLICES = 90  # the reference's 4500 starts and 4000 resamples, cut into as many shares
QUICK = 3
FASTER = 200
ABOVE = 1e-9


def rows(columns: dict[str, np.ndarray], stopping: str, full: bool, cache: Path) -> list[Row]:
    """Ratio and objectives against the reference that stops as `stopping` says, on a few slices or on all."""
    wanted = range(SLICES) if full else range(QUICK)
    journal = Journal(cache / "against_scipy.jsonl", _settings(columns, stopping)) if full else None
    weights = uncertainty.resample(np.arange(len(columns["loss"])), reference.RESAMPLES, seed=0)
    turns: list[dict] = []
    for i in wanted:
        best = min(turns, key=lambda turn: turn["value"], default=None)

        def turn(i: int = i, best: dict | None = best) -> dict:
            return _turn(columns, weights, stopping, i, best)

        turns.append(journal.get(str(i), turn) if journal else turn())
        progress(f"against scipy ({stopping} tolerances): slice {i + 1} of {len(wanted)}")
    return _rows(columns, weights, turns, stopping)


def _settings(columns: dict[str, np.ndarray], stopping: str) -> dict[str, str]:
    data = hashlib.sha256(b"".join(columns[name].tobytes() for name in sorted(columns))).hexdigest()[:12]
    return {"points": data, "stopping": stopping, "ours": ours.version(), "slices": str(SLICES)}


def shares(i: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and resamples of slice i: a draw without order, the same in every run; the slices make up the whole."""
    order = np.random.default_rng(0).permutation(len(reference.GRID))
    return order[i::SLICES], np.arange(reference.RESAMPLES)[i::SLICES]


def _turn(columns, weights_RxN: np.ndarray, stopping: str, i: int, best: dict | None) -> dict:
    """Ours in full, then slice i of the reference; its resamples start from the best start seen so far."""
    (found, values), our_cpu = cpu(lambda: fit_and_refit(columns, weights_RxN))
    stop, (starts, resamples) = reference.STOPPING[stopping], shares(i)
    points = reference.Points(*(np.log(columns[name]) for name in ("n_params", "tokens", "loss")))
    ends, search_cpu = cpu(lambda: [reference.search(points, reference.GRID[s], stop) for s in starts])
    theta, value = min(ends, key=lambda end: end[1])
    if best is not None and best["value"] <= value:
        theta, value = np.array(best["theta"]), best["value"]
    theirs, refit_cpu = cpu(lambda: [reference.refit(points, theta, weights_RxN[r], stop) for r in resamples])
    return {
        "our_cpu": our_cpu,
        "search_cpu": search_cpu * len(reference.GRID) / len(starts),
        "refit_cpu": refit_cpu * reference.RESAMPLES / len(resamples),
        "our_value": found.value,
        "theta": theta.tolist(),
        "value": value,
        "our_values": values[resamples].tolist(),
        "values": theirs,
    }


def fit_and_refit(columns: dict[str, np.ndarray], weights_RxN: np.ndarray) -> tuple[solver.Solution, np.ndarray]:
    """Our global fit and the objectives of all resamples."""
    task = ours.problem("chinchilla", columns, columns["loss"], reference.DELTA)
    found = solver.solve(task)
    return found, ours.refit(task, found.theta, weights_RxN)


def _rows(columns, weights, turns: list[dict], stopping: str) -> list[Row]:
    whole = "" if len(turns) == SLICES else f"; extrapolated from {len(turns)} of {SLICES} slices"
    values = {"turns": turns, "points": len(columns["loss"]), "resamples": len(weights)}
    ratio, low, high = spread((turn["search_cpu"] + turn["refit_cpu"]) / turn["our_cpu"] for turn in turns)
    own, search, refit = (spread(turn[name] for turn in turns)[0] for name in ("our_cpu", "search_cpu", "refit_cpu"))
    measured = f"{ratio:.0f} ({low:.0f} to {high:.0f}): {own:.2f} against {search:.0f} + {refit:.0f} CPU-s{whole}"
    value, theirs = turns[0]["our_value"], min(turn["value"] for turn in turns)
    mine, other = (np.concatenate([turn[name] for turn in turns]) for name in ("our_values", "values"))
    excess = mine / other - 1
    above = f"{np.mean(excess > ABOVE):.2%} of them above; absolute {(mine - other).max():+.1e} at most"
    return [
        Row(f"times faster than SciPy, {stopping} tolerances", f">= {FASTER}", measured, ratio >= FASTER, values),
        Row(
            "objective of the data, ours over the reference's, less 1",
            f"<= {ABOVE:g}",
            f"{value / theirs - 1:+.1e}; {value:.13e}, {theirs:.13e}",
            value / theirs - 1 <= ABOVE,
        ),
        Row(
            f"the same on {len(excess)} resamples, the largest",
            f"<= {ABOVE:g}",
            f"{excess.max():+.1e}; {above}",
            bool(excess.max() <= ABOVE),
        ),
    ]
