"""What an experiment is to find out, as a question of optimal design: a loss, the exponent a, or which law holds.

Loss and exponent are numbers computed from the parameters of the law. Which of two laws holds is turned into such a
number: with e the gap between what the one foretells and the best fit of the other, gamma in ln loss = other + gamma e
is 1 where the one holds and 0 where the other does; 1 / variance of gamma is the sum of squares by which the other law
must miss, the criterion of T-optimality (Atkinson and Fedorov 1975, equation 2).
Dimension letters: R draws, n runs that are there, J candidates, P parameters.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis import laws, solver, uncertainty
from analysis.design.candidates import Candidates
from analysis.design.errors import Errors
from analysis.design.information import Question
from analysis.fitting import Fit, exponent_quantity
from analysis.frontier import Compute, Frontier
from analysis.load import DataError, Runs
from analysis.uncertainty import Quantity
from scaling_laws.config import ConfigError

WEAK_COEFFICIENT, WEAK_OTHER = 3.0, 1.0  # standard deviations of what is believed without runs, of ln coefficients too
DRAWS = 24
OVER = ("n_params", "tokens")


def surface_of(law_name: str) -> laws.Law:
    """The law. Raises ConfigError for one that is not a closed surface over N and D."""
    law = laws.get(law_name)
    if law.surface is None or set(law.inputs) != set(OVER):
        named = [name for name, each in laws.LAWS.items() if each.surface and set(each.inputs) == set(OVER)]
        raise ConfigError(f"law: {law_name!r}; allowed for a design: {', '.join(named)}")
    return law


def draws_of(found: Fit, most: int = DRAWS) -> np.ndarray:
    """(R, P) uncentred parameters: resamples of the fit, evenly from first to last; without any the optimum alone."""
    law = surface_of(found.law)
    theta = laws.parameters_of(law, found.samples or {name: np.array([v]) for name, v in found.coefficients.items()})
    theta = theta[np.isfinite(theta).all(axis=1)]
    if not len(theta):
        raise DataError(f"law {found.law!r}: no resample has finite coefficients; allowed: more runs")
    return theta[np.unique(np.linspace(0, len(theta) - 1, min(most, len(theta))).astype(int))]


def points_of(law: laws.Law, runs: Runs, candidates: Candidates) -> laws.Design:
    """The law at the runs, then at the candidates."""
    n = {"n_params": candidates.n_params_J, "tokens": candidates.tokens_J}
    return laws.design(law, {name: np.concatenate([runs[name].astype(float), n[name]]) for name in law.inputs})


def loss_quantity(points: laws.Design, at: Mapping[str, float], compute: Compute) -> Quantity:
    """The loss of the compute-optimal model at C, or at N and D, on its logarithm. Raises ConfigError for others."""
    if set(at) not in ({"flops"}, {"n_params", "tokens"}):
        raise ConfigError(f"at: {', '.join(at)}; allowed: flops=..., or n_params=...,tokens=...")
    if not all(0 < value < np.inf for value in at.values()):
        raise ConfigError(f"at: {dict(at)}; allowed: positive numbers")
    surface = points.law.surface
    assert surface is not None

    def loss(theta: np.ndarray) -> np.ndarray:
        front = Frontier(surface(laws.natural(points.law, points.uncentre(theta))), compute)
        with np.errstate(all="ignore"):
            return front.loss(at["flops"]) if "flops" in at else front.value(at["n_params"], at["tokens"])

    return Quantity("loss", loss, log=True)


def quantity(points: laws.Design, target: str, at: Mapping[str, float], compute: Compute) -> Quantity:
    """The number that the target `loss` or `exponent` names."""
    return loss_quantity(points, at, compute) if target == "loss" else exponent_quantity(points, compute.p)


def about_number(
    found: Fit, runs: Runs, candidates: Candidates, errors: Errors, errors_n: np.ndarray, wanted: Any
) -> Question:
    """How the runs narrow a number: `wanted` makes its Quantity of points. `errors_n`: sd of the runs' ln losses."""
    points = points_of(surface_of(found.law), runs, candidates)
    theta = points.centre(draws_of(found))
    slopes = points.slope(theta)[1]
    target_RxP = wanted(points).gradient(theta)
    sound = np.isfinite(target_RxP).all(axis=1) & np.isfinite(slopes).all(axis=(1, 2)) & (target_RxP**2).any(axis=1)
    if not sound.any():
        raise DataError(f"law {found.law!r}: the target has no finite slope at any resample; allowed: more runs")
    slopes, target_RxP, n = _held(found, slopes[sound]), target_RxP[sound], len(runs)
    prior = _information(slopes[:, :n], errors_n) + weak(points.law)
    return Question(candidates, errors, slopes[:, n:], target_RxP, prior)


def about_laws(
    found: Fit,
    rival: Fit,
    runs: Runs,
    candidates: Candidates,
    errors: Errors,
    errors_n: np.ndarray,
    counts_J: np.ndarray,
) -> Question:
    """How the runs tell the law `found` from its `rival`, linear about the rival's best fit to the runs and `counts_J`.

    The target's standard error is 1 / sqrt(sum of squares by which the rival misses, in standard errors).
    """
    points = points_of(surface_of(rival.law), runs, candidates)
    truth = points_of(surface_of(found.law), runs, candidates)
    truth_RxQ = truth.log_prediction(truth.centre(draws_of(found)))
    sd_Q = np.concatenate([errors_n, np.hypot(errors.noise_J, errors.misfit)])
    weights_Q = np.concatenate([np.ones(len(runs)), counts_J]) / sd_Q**2
    used = np.flatnonzero(weights_Q)
    task = solver.problem(points.take(used), truth_RxQ.mean(axis=0)[used], solver.Objective("log_mse"))
    theta = task.clip(points.centre(laws.parameters_of(points.law, rival.coefficients)))
    scaled = weights_Q[used] / weights_Q[used].mean()
    posed = uncertainty.Posed(task, theta, np.arange(len(used)), scaled)
    theta_RxP = uncertainty.refit_to(posed, truth_RxQ[:, used])
    value_RxQ, slopes = points.slope(theta_RxP)
    slopes = np.concatenate([slopes, (truth_RxQ - value_RxQ)[:, :, None]], axis=2)
    sound = np.isfinite(slopes).all(axis=(1, 2))
    if not sound.any():
        raise DataError(f"law {rival.law!r}: it fits no resample of law {found.law!r}; allowed: other laws")
    slopes, n = slopes[sound], len(runs)
    none = np.pad(weak(points.law), (0, 1))
    none[-1, -1] = 1e-6  # gamma itself: as good as nothing is known
    target_RxP = np.zeros((len(slopes), slopes.shape[2]))
    target_RxP[:, -1] = 1
    return Question(candidates, errors, slopes[:, n:], target_RxP, _information(slopes[:, :n], errors_n) + none)


def weak(law: laws.Law) -> np.ndarray:
    """(P, P) information of what is believed of centred parameters before any run."""
    sd = np.full(len(law.parameters), WEAK_OTHER)
    sd[: len(law.terms)] = WEAK_COEFFICIENT
    return np.diag(sd**-2.0)


def _information(slopes_RxnxP: np.ndarray, sd_n: np.ndarray) -> np.ndarray:
    scaled = slopes_RxnxP / sd_n[:, None]
    return scaled.transpose(0, 2, 1) @ scaled


def _held(found: Fit, slopes: np.ndarray) -> np.ndarray:
    """Slopes without those of coefficients that were given."""
    if not found.fixed:
        return slopes
    law = laws.get(found.law)
    others = {name: np.array([1.3, 1.7, 2.9]) for name in found.coefficients}
    theta = laws.parameters_of(law, others | dict(found.fixed))
    return slopes * (np.ptp(theta, axis=0) > 1e-12)
