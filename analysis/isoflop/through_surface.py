"""The minima read off a law that is fitted to all runs at once: at each exact budget, without the parabola's bias."""

import functools
from typing import Any

import numpy as np

from analysis.fitting import Fit
from analysis.frontier import tokens_at
from analysis.isoflop.cells import Cell, Minimum, edge_reason
from scaling_laws.config import ConfigError


def minimum(cell: Cell, fitted: Fit, resamples: int) -> Minimum:
    """N* and D* of the law's frontier at the budget; a resample of the runs is a resample of the law.

    Raises ConfigError for a law without a frontier over N and D.
    """
    front = fitted.frontier
    if front is None:
        raise ConfigError(f"method: 'surface' with law {fitted.law!r}; allowed: a law with a frontier over N and D")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_n, log_d = (float(np.log(value(cell.budget))) for value in (front.n_opt, front.d_opt))
        log_loss = float(np.log(front.loss(cell.budget)))
        n, d, loss = np.full((3, resamples), np.nan)
        if fitted.samples and resamples:
            parts = front.n_opt_samples, front.d_opt_samples, front.loss_samples
            n, d, loss = (np.log(values(cell.budget)) for values in parts)
    curve = functools.partial(_curve, fitted, cell.budget)
    return Minimum(log_n, log_d, log_loss, curve, n, d, loss, edge_reason(cell, log_n))


def _curve(fitted: Fit, budget: float, n_params: Any) -> np.ndarray:
    assert fitted.frontier is not None
    tokens = tokens_at(fitted.frontier.compute, n_params, budget)
    return fitted.predict(n_params=n_params, tokens=tokens, flops=np.full(np.shape(n_params), budget))
