"""Several forms of the law behind one forecast, each weighted by how it foretold budgets that it had not seen.

The weights are pseudo-BMA+ (Yao, Vehtari, Simpson and Gelman 2018, section 3.4): in proportion to the exponential of
the summed ln densities that a form gave the held-out runs, averaged over redraws of these runs (the Bayesian
bootstrap), so that a form that was luckier by a little does not take it all. Held out are the largest budgets, for a
forecast extrapolates (Bürkner, Gabry and Vehtari 2020 leave the future out likewise). Akaike weights would ask how well
a form fits where runs are, which tells little of how it goes on; stacking, with a few held-out runs, gives all weight
to one of two forms that foretell alike.

Dimension letters: K forms, R redraws, N held-out runs, B redraws of these.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis import compare, forecasting, laws, select
from analysis.fitting import Fit
from analysis.load import DataError, Runs
from analysis.options import Options
from analysis.study import fit_of
from scaling_laws.config import ConfigError
from scaling_laws.progress import Progress

POINT = ("n_params", "tokens", "flops")  # what a forecast gives of a run
JUDGED = 200  # redraws behind a held-out prediction, of which only the spread is read
ROUNDS = 1000  # redraws of the held-out runs
LEAST = 1e-4  # weight below which a form is none
SPREAD = (0.16, 0.84)  # quantiles one standard deviation to either side of the median


@dataclasses.dataclass(frozen=True)
class Form:
    """One law fitted to all runs, its weight, and the rms of ln(predicted / observed) over the held-out runs."""

    fit: Fit
    weight: float = 1.0
    error: float | None = None


@dataclasses.dataclass(frozen=True)
class Forms:
    """The forms behind a forecast, the main law first; `absent`: forms left out, with the reason."""

    members: tuple[Form, ...]
    absent: dict[str, str] = dataclasses.field(default_factory=dict)
    held_out: int = 0  # runs that the weights rest on

    @property
    def weights_K(self) -> np.ndarray:
        """(K,) weights, 1 in all."""
        return np.array([member.weight for member in self.members])

    def losses(self, point: dict[str, float], seed: int = 0) -> np.ndarray:
        """(K, R) losses of a new run at N, D and C: as many redraws of every form as the main law has, each with the
        noise of a run."""
        rows = []
        for k, member in enumerate(self.members):
            with np.errstate(all="ignore"):  # some redraws run off to infinity; `interval` leaves them out
                drawn = member.fit.predict_samples(**point | member.fit.held)
            drawn = np.resize(drawn, rows[0].shape if rows else drawn.shape)
            spread = np.random.default_rng([seed, k]).standard_normal(drawn.shape)
            rows.append(drawn * np.exp(forecasting.noise(member.fit)[0] * spread))
        return np.stack(rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {form.fit.law: {"weight": form.weight, "held_out_error": form.error} for form in self.members}
        return {"members": told, "absent": self.absent, "held_out": self.held_out}


def interval(draws_KxR: np.ndarray, weights_K: np.ndarray, level: float) -> tuple[float, float]:
    """The central interval of a mixture of K samples. Raises DataError where a form of weight has no finite draw."""
    low, high = _quantiles(draws_KxR, weights_K, [(1 - level) / 2, (1 + level) / 2])
    return low, high


def median(draws_KxR: np.ndarray, weights_K: np.ndarray) -> float:
    """The middle of a mixture of K samples. Raises as `interval`."""
    return _quantiles(draws_KxR, weights_K, [0.5])[0]


def _quantiles(draws_KxR: np.ndarray, weights_K: np.ndarray, at: list[float]) -> list[float]:
    finite_KxR = np.isfinite(draws_KxR)
    if not finite_KxR[weights_K > 0].any(axis=1).all():
        raise DataError("forms: no redraw has a finite loss there; allowed: a point nearer to the runs, or --forms=")
    each_KxR = np.where(finite_KxR, weights_K[:, None] / np.maximum(finite_KxR.sum(axis=1, keepdims=True), 1), 0.0)
    kept = each_KxR > 0
    return np.quantile(draws_KxR[kept], at, weights=each_KxR[kept], method="inverted_cdf").tolist()


def default_names(runs: Runs, main: Fit) -> tuple[str, ...]:
    """Of the laws that `analysis.compare` tries those over N and D; where the main law reads C alone, those over C."""
    read = {"flops"} if laws.get(main.law).inputs == ("flops",) else {"n_params", "tokens"}
    return tuple(name for name in compare.default_laws(runs) if read <= {*laws.get(name).inputs})


def weigh(runs: Runs, main: Fit, names: Sequence[str], options: Options) -> Forms:
    """The forms `names` beside the main law of `options`, fitted to `runs`, with their weights.

    Held out are budgets above a quarter of the largest, or the largest alone where that leaves too few. A form that
    cannot be fitted is absent by name, all of them where the main law cannot be judged. Raises ConfigError for a law
    that does not exist, is none of loss, or reads what a forecast does not give.
    """
    others = [name for name in dict.fromkeys(names) if name != main.law]
    for name in others:
        _check(laws.get(name))
    if not others:
        return Forms((Form(main),))
    kind = "delta" if options.interval == "delta" else "bootstrap"
    options = dataclasses.replace(options, interval=kind)
    judged = dataclasses.replace(options, bootstrap=JUDGED)
    absent: dict[str, str] = {}
    with Progress(len(others), "forms") as shown, np.errstate(all="ignore"):  # some redraws run off to infinity
        try:
            smaller, unseen = _held_out(runs)
            fits, scores = [main], [_judged(fit_of(smaller, judged), unseen)]
        except (ConfigError, DataError) as reason:
            return Forms((Form(main),), dict.fromkeys(others, f"nothing to weigh it by: {reason}"))
        for done, name in enumerate(others, 1):
            try:
                own = {"law": name, "terms": None, "breaks": None, "fixed": None}
                score = _judged(fit_of(smaller, dataclasses.replace(judged, **own)), unseen)
                fits.append(fit_of(runs, dataclasses.replace(options, **own)))
                scores.append(score)
            except DataError as reason:
                absent[name] = str(reason)
            shown.update(done, name)
    weights_K = weights_of(np.stack([density for density, _ in scores]))
    members = zip(fits, weights_K.tolist(), (error for _, error in scores), strict=True)
    return Forms(tuple(Form(*member) for member in members), absent, len(unseen))


def weights_of(log_density_KxN: np.ndarray) -> np.ndarray:
    """(K,) pseudo-BMA+ weights, 1 in all, of the ln densities that K forms gave N runs; tiny ones are 0."""
    n_runs = log_density_KxN.shape[1]
    counts_BxN = n_runs * np.random.default_rng(0).dirichlet(np.ones(n_runs), size=ROUNDS)
    score_BxK = counts_BxN @ log_density_KxN.T
    share_BxK = np.exp(score_BxK - score_BxK.max(axis=1, keepdims=True))
    weights_K = (share_BxK / share_BxK.sum(axis=1, keepdims=True)).mean(axis=0)
    weights_K = np.where(weights_K < LEAST, 0.0, weights_K)
    return weights_K / weights_K.sum()


def _check(law: laws.Law) -> None:
    if law.target != "loss":
        raise ConfigError(f"forms: {law.name!r} is a law of {law.target}; allowed: laws of loss")
    if more := [name for name in law.inputs if name not in (*POINT, *law.conditions)]:
        raise ConfigError(f"forms: {law.name!r} reads {', '.join(more)}; allowed: laws over {', '.join(POINT)}")


def _held_out(runs: Runs) -> tuple[Runs, Runs]:
    try:
        return select.split_holdout(runs, compare.HOLDOUT)
    except ConfigError:
        return select.split_holdout(runs, "budgets=1")


def _judged(law: Fit, unseen: Runs) -> tuple[np.ndarray, float]:
    """(N,) ln density of ln loss that a fit gives runs that it has not seen, normal around its value, and its error.

    The variance is that of the redraws there and that of a run. Raises DataError where no redraw is a number there.
    """
    inputs = {name: unseen[name] for name in laws.get(law.law).inputs}
    miss_N = np.log(law.predict(**inputs) / unseen["loss"])
    logs_RxN = np.log(law.predict_samples(**inputs))
    if not np.isfinite(logs_RxN).any(axis=0).all():
        raise DataError(f"{unseen.source}: no redraw of law {law.law!r} has a finite loss at the largest budgets")
    low_N, high_N = np.nanquantile(np.where(np.isfinite(logs_RxN), logs_RxN, np.nan), SPREAD, axis=0)
    variance_N = ((high_N - low_N) / 2) ** 2 + forecasting.noise(law)[0] ** 2
    density_N = -0.5 * (miss_N**2 / variance_N + np.log(2 * np.pi * variance_N))
    return density_N, float(np.sqrt(np.mean(miss_N**2)))
