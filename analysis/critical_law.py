"""The critical batch over the loss: B_crit = B* / L^(1 / alpha_B) (Kaplan et al. 2020, equation 5.3).

Dimension letters: K runs of a target, R resamples, T targets, U pairs of a batch and a seed.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from analysis.critical_batch import Tradeoff, as_arrays, refits
from analysis.lines import lines
from analysis.load import DataError
from analysis.uncertainty.resampling import band, percentile, resample


@dataclasses.dataclass(frozen=True)
class CriticalLaw:
    """ln B_crit = `intercept` - `power` ln L, B_crit in windows; `samples_RxT`: B_crit of every target by resamples.

    The runs of a batch and seed are drawn for all targets together, since a target is a place on the same curves.
    """

    intercept: float
    power: float  # 1 / alpha_B
    power_interval: tuple[float, float]
    level: float
    samples_RxT: np.ndarray
    lines_Rx2: np.ndarray  # intercepts and slopes of the resamples

    def b_crit(self, loss: np.ndarray) -> np.ndarray:
        """Windows at which a loss (n,) has its critical batch."""
        return np.exp(self.intercept - self.power * np.log(loss))

    def band(self, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits (n,) of the central share `level` of the resampled laws."""
        return band(np.exp(self.lines_Rx2[:, :1] + self.lines_Rx2[:, 1:] * np.log(loss)), self.level)


def critical_law(found: Sequence[Tradeoff], resamples: int = 1000, level: float = 0.9, seed: int = 0) -> CriticalLaw:
    """The law through the critical batches of several targets, by least squares in logarithms. Raises DataError for
    fewer than two targets."""
    if len({one.target for one in found}) < 2:
        raise DataError(f"critical batch over loss: {len(found)} targets with a hyperbola; allowed: two or more")
    log_loss_T = np.log([one.target for one in found])
    intercept, slope = lines(log_loss_T, np.log([[one.b_crit for one in found]]))[0]
    samples_RxT = _drawn(found, resamples, seed)
    whole_Rx1 = np.isfinite(samples_RxT).all(axis=1, keepdims=True)
    lines_Rx2 = lines(log_loss_T, np.where(whole_Rx1, np.log(samples_RxT), np.nan))
    interval = percentile(-lines_Rx2[:, 1], level)
    return CriticalLaw(float(intercept), float(-slope), interval, level, samples_RxT, lines_Rx2)


def _drawn(found: Sequence[Tradeoff], resamples: int, seed: int) -> np.ndarray:
    """(R, T) critical batches of resampled runs, the same pairs of a batch and a seed for all targets."""
    pairs = sorted({pair for one in found for pair in _pairs(one)})
    weights_RxU, place = resample(np.arange(len(pairs)), resamples, seed), {pair: u for u, pair in enumerate(pairs)}
    drawn = [refits(*as_arrays(one.tuned), weights_RxU[:, [place[pair] for pair in _pairs(one)]]) for one in found]
    return np.stack([each_Rx2[:, 1] for each_Rx2 in drawn], axis=1)


def _pairs(found: Tradeoff) -> list[tuple[int, int]]:
    """Batch and number of the seed of every run behind a hyperbola, as `as_arrays` orders them."""
    return [(one.batch_size, k) for one in found.tuned for k in range(len(one.steps))]
