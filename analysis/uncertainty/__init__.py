"""Intervals: resampled (percentile, BCa), by profile likelihood, by the delta method; joint regions; seed noise.

The unit is the run, or the trunk that several cooldown branches share, never a checkpoint.
"""

from collections.abc import Mapping

import numpy as np

from analysis.uncertainty.bootstrap import bca, bca_interval, bootstrap_thetas, jackknife_thetas, refit
from analysis.uncertainty.delta import delta, delta_thetas
from analysis.uncertainty.noise import repeated_shapes, seed_noise
from analysis.uncertainty.posed import Posed
from analysis.uncertainty.profile import floor_rise, profile, profiles, rise_at
from analysis.uncertainty.quantity import Quantity, coefficients
from analysis.uncertainty.redrawn import refit_to
from analysis.uncertainty.regions import joint
from analysis.uncertainty.resampling import band, percentile, percentiles, resample, standard_errors, units
from analysis.uncertainty.settings import INTERVALS, check
from analysis.uncertainty.student import p_value

__all__ = [
    "INTERVALS",
    "RESAMPLED",
    "Posed",
    "Quantity",
    "band",
    "bca_interval",
    "bootstrap_thetas",
    "check",
    "coefficients",
    "delta_thetas",
    "floor_rise",
    "intervals",
    "jackknife_thetas",
    "joint",
    "p_value",
    "percentile",
    "percentiles",
    "profile",
    "refit",
    "refit_to",
    "repeated_shapes",
    "resample",
    "rise_at",
    "seed_noise",
    "standard_errors",
    "units",
]

RESAMPLED = ("bootstrap", "bca")  # kinds that need draws


def intervals(
    kind: str, posed: Posed, quantities: Mapping[str, Quantity], thetas_RxP: np.ndarray | None, level: float
) -> dict[str, tuple[float, float]]:
    """The interval of every quantity by one of INTERVALS; `thetas_RxP`: resampled optima, which RESAMPLED need."""
    if kind == "profile":
        return profiles(posed, quantities, level)
    if kind == "delta":
        return delta(posed, quantities, level)
    assert thetas_RxP is not None
    if kind == "bca":
        return bca(posed, quantities, thetas_RxP, level)
    return percentiles({name: quantity.of(thetas_RxP) for name, quantity in quantities.items()}, level)
