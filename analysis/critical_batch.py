"""The critical batch: how steps and examples are traded against each other on the way to a loss.

To reach a loss with batches of B takes S steps and E = B S examples with (S / S_min - 1) (E / E_min - 1) = 1
(McCandlish et al. 2018, equation 2.11; Kaplan et al. 2020, equation 5.1), which is S = S_min (1 + B_crit / B) with
B_crit = E_min / S_min. Batches and examples count windows throughout.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.load import DataError
from analysis.uncertainty.resampling import percentile, resample

BEYOND = 1e3  # B_crit is looked for within the batches tried, and by this factor beyond
GRID, ZOOM, ROUNDS = 241, 25, 4
LEAST = 3  # different batches: two fit any curve of two parameters


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run at a constant rate: its curve is a loss (K,) at each of the steps (K,), ascending."""

    batch_size: int
    learning_rate: float
    seed: int
    steps_K: np.ndarray
    losses_K: np.ndarray
    run_id: str = ""

    def reach(self, target: float) -> float:
        """Steps until the loss is at `target`: the first crossing, linear in ln steps; NaN where there is none."""
        below = np.flatnonzero(self.losses_K <= target)
        if not len(below):
            return math.nan
        k = int(below[0])
        if k == 0:
            return math.nan  # before the first point: where, nobody knows
        high, low = self.losses_K[k - 1], self.losses_K[k]
        share = (high - target) / (high - low)
        start, end = np.log(self.steps_K[k - 1 : k + 1])
        return float(np.exp(start + share * (end - start)))


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A batch at a target: the rate that reaches it soonest, and the steps of each seed there."""

    batch_size: int
    learning_rate: float
    steps: tuple[float, ...]  # a seed each
    run_ids: tuple[str, ...]
    edge: float  # 0 for an interior rate; else the rate one step of the grid beyond the edge


@dataclasses.dataclass(frozen=True)
class Tradeoff:
    """The fitted hyperbola of one target. Batches left out, with the reason, are not behind the numbers."""

    target: float
    s_min: float
    e_min: float
    b_crit: float
    intervals: Mapping[str, tuple[float, float]]  # of s_min, e_min and b_crit
    level: float
    tuned: tuple[Tuned, ...]
    left_out: Mapping[int, str]
    spread: float  # standard deviation of ln S about the hyperbola

    def steps(self, batch_size: Any) -> np.ndarray:
        """Steps that batches of this size take to the target."""
        return self.s_min * (1 + self.b_crit / np.asarray(batch_size, float))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self) | {"left_out": {str(batch): why for batch, why in self.left_out.items()}}


def trials_of(rows: Iterable[Mapping[str, Any]], points: Iterable[Mapping[str, Any]]) -> tuple[Trial, ...]:
    """The finished runs among `rows` of the runs table, with their `points` of the curve table (validation loss)."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for point in points:
        if point["loss"] is not None:
            curves.setdefault(point["run_id"], []).append((point["step"], point["loss"]))
    found = []
    for row in rows:
        if row["status"] == "finished" and row["run_id"] in curves:
            steps_K, losses_K = np.array(sorted(curves[row["run_id"]]), float).T
            settings = (row["batch_size"], row["learning_rate"], row["seed"])
            found.append(Trial(*settings, steps_K, losses_K, row["run_id"]))
    return tuple(found)


def tune(trials: Sequence[Trial], batch_size: int, target: float) -> Tuned | None:
    """The rate of a batch with the fewest steps to the target, by the mean of ln S over seeds; None: none gets there.

    A rate counts only where every seed of the batch reached the target with it.
    """
    own = [trial for trial in trials if trial.batch_size == batch_size]
    seeds, rates = sorted({trial.seed for trial in own}), sorted({trial.learning_rate for trial in own})
    steps = {(trial.learning_rate, trial.seed): trial.reach(target) for trial in own}
    ids = {(trial.learning_rate, trial.seed): trial.run_id for trial in own}
    mean = {rate: float(np.mean([math.log(steps.get((rate, seed), math.nan)) for seed in seeds])) for rate in rates}
    there = {rate: value for rate, value in mean.items() if math.isfinite(value)}
    if not there:
        return None
    best = min(there, key=lambda rate: (there[rate], rate))
    beyond = 0.0
    if len(rates) > 1 and best in (rates[0], rates[-1]):
        neighbour = rates[1] if best == rates[0] else rates[-2]
        beyond = best**2 / neighbour
    keys = [(best, seed) for seed in seeds]
    return Tuned(batch_size, best, tuple(steps[key] for key in keys), tuple(ids[key] for key in keys), beyond)


def targets(trials: Sequence[Trial], count: int) -> tuple[float, ...]:
    """Losses that every batch reaches at its best rate, evenly spaced, the highest first.

    From where the slowest batch is after a quarter of its steps down to nearly its best. Raises DataError without runs.
    """
    early, late = [], []
    for batch in sorted({trial.batch_size for trial in trials}):
        own = [trial for trial in trials if trial.batch_size == batch]
        late.append(min(float(trial.losses_K.min()) for trial in own))
        early.append(min(float(np.interp(trial.steps_K[-1] / 4, trial.steps_K, trial.losses_K)) for trial in own))
    if not late:
        raise DataError("critical batch: no finished run with a curve; allowed: runs over several batch sizes")
    high, low = max(early), max(late)
    return tuple(float(f"{loss:.4g}") for loss in np.linspace(high, low + 0.1 * (high - low), count))


def tradeoff(
    trials: Sequence[Trial], target: float, resamples: int = 1000, level: float = 0.9, seed: int = 0
) -> Tradeoff:
    """Fit the hyperbola of one target by least squares in ln S over (batch, seed), with resampled intervals.

    Batches that never reach the target, or whose best rate lies at the edge of those tried, are left out by name.
    Raises DataError with fewer than three batches left.
    """
    tuned, left_out = [], {}
    for batch in sorted({trial.batch_size for trial in trials}):
        found = tune(trials, batch, target)
        if found is None:
            left_out[batch] = "the target is not reached"
        elif found.edge:
            left_out[batch] = f"the best rate, {found.learning_rate:.3g}, is at the edge of those tried"
        else:
            tuned.append(found)
    if len(tuned) < LEAST:
        why = "; ".join(f"batch {batch}: {reason}" for batch, reason in left_out.items())
        raise DataError(f"target {target:g}: {len(tuned)} batches; allowed: {LEAST} or more ({why})")
    batch_K, log_S_K = as_arrays(tuned)
    ones = np.ones((1, len(batch_K)))
    s_min, b_crit = hyperbola(batch_K, log_S_K, ones)[0]
    if not math.isfinite(b_crit):
        raise DataError(f"target {target:g}: no critical batch within {BEYOND:g} times those tried")
    drawn = refits(batch_K, log_S_K, resample(np.arange(len(batch_K)), resamples, seed))
    samples = {"s_min": drawn[:, 0], "e_min": drawn[:, 0] * drawn[:, 1], "b_crit": drawn[:, 1]}
    residual_K = log_S_K - math.log(s_min) - np.log1p(b_crit / batch_K)
    return Tradeoff(
        target=target,
        s_min=float(s_min),
        e_min=float(s_min * b_crit),
        b_crit=float(b_crit),
        intervals={name: percentile(values, level) for name, values in samples.items()},
        level=level,
        tuned=tuple(tuned),
        left_out=left_out,
        spread=float(np.sqrt((residual_K**2).sum() / max(1, len(residual_K) - 2))),
    )


def as_arrays(tuned: Sequence[Tuned]) -> tuple[np.ndarray, np.ndarray]:
    """(K,) batch sizes and (K,) ln steps of all seeds."""
    batch_K = np.array([one.batch_size for one in tuned for _ in one.steps], float)
    return batch_K, np.log([steps for one in tuned for steps in one.steps])


@dataclasses.dataclass(frozen=True)
class Foretold:
    """A batch foretold from the others: its steps, and these over its own (geometric mean of its seeds) with the
    interval of resampled runs of the others."""

    steps: float
    ratio: float
    interval: tuple[float, float]


def foretold(found: Tradeoff, batch_size: int, resamples: int = 1000, seed: int = 0) -> Foretold | None:
    """The steps of one of the batches behind a hyperbola by the hyperbola of the others; None where they fix none."""
    batch_K, log_S_K = as_arrays([one for one in found.tuned if one.batch_size != batch_size])
    _, own_K = as_arrays([one for one in found.tuned if one.batch_size == batch_size])
    once, drawn = np.ones((1, len(batch_K))), resample(np.arange(len(batch_K)), resamples, seed)
    s_min, b_crit = refits(batch_K, log_S_K, np.concatenate([once, drawn])).T
    steps = s_min * (1 + b_crit / batch_size)
    if not len(own_K) or not math.isfinite(steps[0]):
        return None
    ratios = steps / math.exp(own_K.mean())
    return Foretold(float(steps[0]), float(ratios[0]), percentile(ratios[1:], found.level))


def refits(batch_K: np.ndarray, log_S_K: np.ndarray, weights_RxK: np.ndarray) -> np.ndarray:
    """(R, 2) `hyperbola` of runs that were drawn so often; NaN where a draw has too few batches to fix one."""
    present = np.stack([(weights_RxK[:, batch_K == batch] > 0).any(axis=1) for batch in np.unique(batch_K)])
    enough_R = present.sum(axis=0) >= LEAST
    found = np.full((len(weights_RxK), 2), np.nan)
    if enough_R.any():
        found[enough_R] = hyperbola(batch_K, log_S_K, weights_RxK[enough_R])
    return found


def hyperbola(batch_K: np.ndarray, log_S_K: np.ndarray, weights_RxK: np.ndarray) -> np.ndarray:
    """(R, 2) S_min and B_crit of ln S = ln S_min + ln(1 + B_crit / B) by weighted least squares.

    S_min follows from B_crit; that is searched on a grid of its logarithm, which is then narrowed. NaN where the best
    B_crit lies at the end of the grid: the batches were all on one side of it.
    """
    low, high = math.log(batch_K.min() / BEYOND), math.log(batch_K.max() * BEYOND)
    grid_RxG = np.broadcast_to(np.linspace(low, high, GRID), (len(weights_RxK), GRID))
    for _ in range(ROUNDS):
        best_R = _errors(grid_RxG, batch_K, log_S_K, weights_RxK)[0].argmin(axis=1)[:, None]
        inner_R = np.clip(best_R, 1, grid_RxG.shape[1] - 2)
        ends = (np.take_along_axis(grid_RxG, inner_R + step, axis=1) for step in (-1, 1))
        left_Rx1, right_Rx1 = ends
        grid_RxG = left_Rx1 + (right_Rx1 - left_Rx1) * np.linspace(0, 1, ZOOM)
    errors_RxG, intercepts_RxG = _errors(grid_RxG, batch_K, log_S_K, weights_RxK)
    best_R = errors_RxG.argmin(axis=1)[:, None]
    log_b, log_s = (np.take_along_axis(each, best_R, axis=1)[:, 0] for each in (grid_RxG, intercepts_RxG))
    margin = (high - low) / GRID
    inside = (log_b > low + margin) & (log_b < high - margin)
    return np.where(inside[:, None], np.exp(np.stack([log_s, log_b], axis=1)), np.nan)


def _errors(
    log_b_RxG: np.ndarray, batch_K: np.ndarray, log_S_K: np.ndarray, weights_RxK: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums of squares (R, G) at each ln B_crit, and the best ln S_min there."""
    rest_RxGxK = log_S_K - np.log1p(np.exp(log_b_RxG)[:, :, None] / batch_K)
    weights_Rx1xK = weights_RxK[:, None, :]
    log_s_RxG = (weights_Rx1xK * rest_RxGxK).sum(axis=2) / weights_RxK.sum(axis=1)[:, None]
    return (weights_Rx1xK * (rest_RxGxK - log_s_RxG[:, :, None]) ** 2).sum(axis=2), log_s_RxG
