"""The best learning rate and batch of each shape and length of training, where they lie inside what was tried.

Unlike `optimal_settings`, which takes what was best among many runs, the minimum of a parabola in ln lr through a few
runs, and then in ln batch; a minimum at the edge of what was tried is no minimum, is listed and left out.
"""

import dataclasses
import math

import numpy as np

from analysis.isoflop.parabola import parabolas, vertices
from analysis.load import DataError, Runs, group_keys

NEAR = 2  # points on either side of the lowest that its parabola goes through
LEAST = 3  # values of a setting that make a parabola


@dataclasses.dataclass(frozen=True)
class Minimum:
    """Of one setting in ln: the value at the least loss, the loss there, and why it is none, or nothing."""

    value: float
    loss: float
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One shape at one length of training; `batch_tokens` 0 where a single batch was tried."""

    n_params: float
    tokens: float
    learning_rate: float
    batch_tokens: float
    loss: float
    runs: int
    reason: str = ""


def minimum(values_K: np.ndarray, losses_K: np.ndarray) -> Minimum:
    """The least loss over a positive setting: a parabola in its logarithm through the lowest and those around it."""
    order = np.argsort(values_K)
    log_K, losses_K = np.log(values_K[order]), losses_K[order]
    k = int(losses_K.argmin())
    lowest = Minimum(float(np.exp(log_K[k])), float(losses_K[k]))
    if len(log_K) < LEAST:
        return dataclasses.replace(lowest, reason=f"only {len(log_K)} tried")
    if k in (0, len(log_K) - 1):
        return dataclasses.replace(lowest, reason=f"the best, {lowest.value:.3g}, is at the edge of those tried")
    near = slice(max(0, k - NEAR), k + NEAR + 1)
    u_K = log_K[near] - log_K[k]
    fitted = parabolas(u_K, losses_K[near], np.ones((1, len(u_K))))
    place = float(vertices(fitted)[0])
    if not log_K[0] < place + log_K[k] < log_K[-1]:
        return dataclasses.replace(lowest, reason="the parabola through the losses has no minimum inside")
    depth = float(np.polynomial.polynomial.polyval(place, fitted[0]))
    return Minimum(math.exp(place + log_K[k]), depth)


def cells(runs: Runs) -> list[Cell]:
    """Every shape and budget (length where there is no budget) that was tried at several rates or batches.

    The loss at a setting is the mean over the seeds that were tried at the most rates. Where several batches have an
    interior rate, the batch is the minimum over their least losses and the rate follows between them in logarithms.
    Raises DataError for a missing column.
    """
    batch, rate = batch_tokens(runs), runs["learning_rate"].astype(float)
    found = []
    keys = group_keys(runs, ("n_params",))
    for key in np.unique(keys):
        own = np.flatnonzero(keys == key)
        if len(np.unique(rate[own])) * len(np.unique(batch[own])) > 1:
            found.append(_cell(runs, own, rate, batch))
    if not found:
        raise DataError(f"{runs.source}: no shape was tried at two learning rates; allowed: three or more each")
    return found


def batch_tokens(runs: Runs) -> np.ndarray:
    """(n,) tokens a step; 0 where the table does not say."""
    if "batch_tokens" in runs:
        return runs.numbers("batch_tokens")
    return np.nan_to_num(runs.numbers("batch_size") * runs.numbers("context"))


def _cell(runs: Runs, own: np.ndarray, rate: np.ndarray, batch: np.ndarray) -> Cell:
    tried = np.unique(batch[own])
    minima = {value: _over_rates(runs, own[batch[own] == value], rate) for value in tried.tolist()}
    inside = {value: one for value, one in minima.items() if not one.reason}
    best = min(minima, key=lambda value: minima[value].loss)
    size, tokens = float(runs["n_params"][own[0]]), float(np.median(runs["tokens"][own]))
    chosen, reason, depth = minima[best].value, minima[best].reason, minima[best].loss
    if len(tried) == 1 or reason:
        return Cell(size, tokens, chosen, 0.0 if len(tried) == 1 else best, depth, len(own), reason)
    places = np.array(sorted(inside))
    over = minimum(places, np.array([inside[value].loss for value in sorted(inside)]))
    rates = np.log([inside[value].value for value in sorted(inside)])
    chosen = float(np.exp(np.interp(math.log(over.value), np.log(places), rates)))
    reason = f"batch: {over.reason}" if over.reason else ""
    return Cell(size, tokens, chosen, over.value, over.loss, len(own), reason)


def _over_rates(runs: Runs, own: np.ndarray, rate: np.ndarray) -> Minimum:
    own = own[_seeds_of_most(runs, own, rate)]
    values, place = np.unique(rate[own], return_inverse=True)
    place = place.ravel()
    losses = np.bincount(place, runs["loss"][own]) / np.bincount(place)
    return minimum(values, losses)


def _seeds_of_most(runs: Runs, own: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """(k,) whether a run has one of the seeds that were tried at the most rates: others would favour theirs."""
    seeds = np.nan_to_num(runs.numbers("seed"))[own]
    counts = {seed: len(np.unique(rate[own][seeds == seed])) for seed in np.unique(seeds)}
    return np.isin(seeds, [seed for seed, count in counts.items() if count == max(counts.values())])
