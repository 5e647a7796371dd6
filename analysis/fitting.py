"""The fit of one law to runs: the optimum with its certificate, intervals, the frontier, and what is not identified."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from analysis import laws, sensitivity, solver, uncertainty, weighting
from analysis.budgets import slope_over
from analysis.checks import check_design
from analysis.frontier import Compute, Frontier, compute_relation, exponent_of_n
from analysis.frontiers import held_at, make_frontier
from analysis.load import DataError, Runs
from analysis.numeric_frontier import NumericFrontier
from scaling_laws.config import ConfigError, nearest

GONE = 7.0  # ln: an irreducible loss this far below the smallest loss is as good as none
EXPONENT = "exponent of N* in C"  # beside coefficients, of which one may be called a


@dataclasses.dataclass(frozen=True)
class Fit:
    """A fitted law. Intervals are empty where none were asked for, samples without draws.

    `unidentified` names what the data leave open. The certificate's `floor_profile` says how much worse the law fits
    with its irreducible loss at 0: the scaled rise of the objective (see uncertainty/profile.py) and its p-value.
    """

    law: str
    n_points: int
    objective: dict[str, Any]  # name, delta, value
    coefficients: dict[str, float]
    certificate: dict[str, Any]
    ranges: dict[str, tuple[float, float]]  # of n_params, tokens, flops and loss over the fitted runs
    frontier: Frontier | NumericFrontier | None = None
    intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    standard_errors: dict[str, float] = dataclasses.field(default_factory=dict)
    samples: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)
    interval: str = ""
    level: float = 0.9
    residual_sd: float = 0.0  # of ln loss
    seed_noise: dict[str, Any] | None = None
    unidentified: tuple[str, ...] = ()
    excluded: dict[str, int] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    held: dict[str, float] = dataclasses.field(default_factory=dict)  # other inputs, where the frontier is taken
    fixed: dict[str, float] = dataclasses.field(default_factory=dict)  # coefficients that were given
    sensitivity: dict[str, Any] = dataclasses.field(default_factory=dict)  # variations and their spread

    def predict(self, n_params: Any = None, tokens: Any = None, flops: Any = None, **more: Any) -> np.ndarray:
        """Loss at points given by the law's inputs; arrays broadcast. Raises ConfigError for a missing input."""
        given = {"n_params": n_params, "tokens": tokens, "flops": flops, **more}
        return law_value(self.law, self.coefficients, given)

    def predict_samples(self, n_params: Any = None, tokens: Any = None, flops: Any = None, **more: Any) -> np.ndarray:
        """(n_bootstrap, *points) losses of the resampled laws."""
        given = {"n_params": n_params, "tokens": tokens, "flops": flops, **more}
        return law_value(self.law, self.samples, given)

    def multiplier(self, **conditions: Any) -> np.ndarray:
        """m_N of a fitted technique: N of the neutral model with the same loss over N with it, at the same D.

        `conditions` are the law's own columns, above 0, arrays or numbers: density of 'sparsity', of which N counts the
        weights that are not 0 (Frantar et al. 2023, equation 1); weight_bits of 'precision' (Kumar et al. 2024,
        equation 3). Raises ConfigError for another law, other columns or values.
        """
        law = laws.get(self.law)
        if law.multiplier is None:
            raise ConfigError(f"multiplier: law {self.law!r} has none; allowed: sparsity, precision")
        if set(conditions) != set(law.conditions):
            raise ConfigError(f"multiplier: {', '.join(conditions) or 'nothing'}; allowed: {', '.join(law.conditions)}")
        columns = {name: np.asarray(values, dtype=float) for name, values in conditions.items()}
        for name, values in columns.items():
            if not (values > 0).all():
                raise ConfigError(f"multiplier: {name} {conditions[name]}; allowed: above 0")
        return law.multiplier(self.coefficients, columns)

    def region(
        self, runs: Runs, pair: tuple[str, str] | None = None, level: float | None = None, kind: str = "profile"
    ) -> np.ndarray:
        """(m, 2) closed polygon: the joint region of two coefficients, by default the law's exponents.

        `runs` are those that were fitted; kind: "profile" or "ellipse". Raises ConfigError for other names or kinds,
        for a coefficient that is fixed, and DataError for other runs.
        """
        pair = pair or default_pair(self)
        posed = _posed_again(self, runs)
        quantities = uncertainty.coefficients(posed.task.points, posed.theta)
        for name in pair:
            if name not in quantities:
                raise ConfigError(f"region: {name!r}; allowed: {', '.join(quantities)}{nearest(name, quantities)}")
        return uncertainty.joint(posed, (quantities[pair[0]], quantities[pair[1]]), level or self.level, kind)

    def refitted(self, runs: Runs, log_losses_RxN: np.ndarray) -> dict[str, np.ndarray]:
        """Coefficients (R,) of the law fitted as this one was to R other sets of ln losses at the points of `runs`.

        `runs` are those of this fit; each refit descends from this optimum. Raises DataError for other runs.
        """
        posed = _posed_again(self, runs)
        thetas = uncertainty.refit_to(posed, log_losses_RxN)
        return laws.natural(posed.task.points.law, posed.task.points.uncentre(thetas))

    def reweighted(self, runs: Runs, counts_RxN: np.ndarray) -> dict[str, np.ndarray]:
        """Coefficients (R,) of the law fitted as this one was where run n counts `counts_RxN[r, n]` times.

        `runs` are those of this fit; each refit descends from this optimum. Raises DataError for other runs.
        """
        posed = _posed_again(self, runs)
        thetas = uncertainty.refit(posed, np.asarray(counts_RxN, dtype=float))
        return laws.natural(posed.task.points.law, posed.task.points.uncentre(thetas))

    def to_json(self, samples: bool = True) -> dict[str, Any]:
        """Plain JSON values; `from_json` reads them back (without `samples`: point estimates and intervals only)."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["samples"] = {name: values.tolist() for name, values in self.samples.items()} if samples else {}
        data["frontier"] = self.frontier.to_json() if self.frontier else None
        for name in ("intervals", "ranges"):
            data[name] = {key: list(value) for key, value in data[name].items()}
        return data | {"unidentified": list(self.unidentified), "notes": list(self.notes)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Fit":
        """Inverse of `to_json`. Raises DataError for a file that is not a fit."""
        known = dataclasses.fields(Fit)
        missing = [field.name for field in known if field.name not in data and _is_required(field)]
        if missing:
            raise DataError(f"fit: no {missing[0]!r} in the JSON; allowed: what python -m analysis.fit --out writes")
        values: dict[str, Any] = {field.name: data[field.name] for field in known if field.name in data}
        values["samples"] = {name: np.array(column) for name, column in data["samples"].items()}
        values["ranges"] = {key: tuple(value) for key, value in data["ranges"].items()}
        values["intervals"] = _pairs(data["intervals"])
        values |= {"unidentified": tuple(data["unidentified"]), "notes": tuple(data["notes"])}
        if data["frontier"]:
            relation = Compute(data["frontier"]["k"], data["frontier"]["p"], data["frontier"]["compute"])
            called, held, at = data["frontier"]["name"], data["held"], data["ranges"]["flops"][1]
            front = make_frontier(
                data["law"], data["coefficients"], values["samples"], relation, data["level"], called, held, at
            )
            if isinstance(front, Frontier):
                front = dataclasses.replace(front, intervals=_pairs(data["frontier"]["intervals"]))
            values["frontier"] = front
        return Fit(**values)


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _pairs(intervals: dict[str, list[float | None]]) -> dict[str, tuple[float, float]]:
    """Intervals from JSON, where an end at infinity is null."""
    return {
        name: (-np.inf if low is None else low, np.inf if high is None else high)
        for name, (low, high) in intervals.items()
    }


def default_pair(result: Fit) -> tuple[str, str]:
    """The two coefficients of which a joint region says most: the exponents, or the last two of the law."""
    names = tuple(result.coefficients)
    if {"alpha", "beta"} <= set(names):
        return "alpha", "beta"
    entry = laws.get(result.law)
    exponents = [name for name in names if name not in entry.coefficient_names]
    others = [name for name in names if name not in exponents]
    chosen = ([*others[:1], *exponents] if len(exponents) < 2 else exponents)[-2:]
    if len(chosen) < 2:
        raise ConfigError(f"region: law {result.law!r} has no two coefficients; allowed: laws with two or more")
    return chosen[0], chosen[1]


def _posed_again(result: Fit, runs: Runs) -> uncertainty.Posed:
    """The problem that `result` solved. Raises DataError where `runs` cannot be what it was fitted to."""
    if len(runs) != result.n_points:
        raise DataError(f"region: {len(runs)} runs, where the fit had {result.n_points}; allowed: the runs of the fit")
    entry, chosen = laws.get(result.law), result.objective
    task = _problem(entry, runs, solver.Objective(chosen["name"], chosen["delta"]), result.fixed)
    theta = task.clip(task.points.centre(laws.parameters_of(entry, result.coefficients)))
    weights_N = weighting.weights_of(runs, chosen.get("weights", weighting.EQUAL))
    return uncertainty.Posed(task, theta, uncertainty.units(runs), weights_N)


def _problem(law: laws.Law, runs: Runs, objective: solver.Objective, fixed: dict[str, float] | None) -> solver.Problem:
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    return solver.problem(points, np.log(runs[law.target].astype(float)), objective, _held(law, fixed))


def law_value(law_name: str, coefficients: dict[str, Any], given: dict[str, Any]) -> np.ndarray:
    """Loss (..., *points) of published coefficients of shape (...,) at points that broadcast among themselves."""
    law = laws.get(law_name)
    for name in law.inputs:
        if given.get(name) is None:
            raise ConfigError(f"predict: law {law_name!r} needs {name}; allowed: {', '.join(law.inputs)}")
    points = np.broadcast_arrays(*(np.asarray(given[name], dtype=float) for name in law.inputs))
    flat = {name: values.ravel() for name, values in zip(law.inputs, points, strict=True)}
    found = laws.value(law, coefficients, flat)
    return found.reshape((*found.shape[:-1], *points[0].shape))


def fit(
    runs: Runs,
    law: str = "chinchilla",
    objective: str = "huber",
    delta: float = 1e-3,
    bootstrap: int = 0,
    interval: str = "bootstrap",
    seed: int = 0,
    level: float = 0.9,
    compute: Compute | None = None,
    weights: str = "none",
    fixed: dict[str, float] | None = None,
    vary: bool = False,
) -> Fit:
    """The law that minimises the SUM over runs of the objective, from many starts, all resamples in one batch.

    huber and lad act on ln loss with `delta` as Huber's corner; log_mse squares ln residuals; mse residuals. `weights`
    (see `weighting.weights_of`) multiply each run's part. `compute` replaces the relation C = k N^(1+p) D that is
    otherwise read off the runs. `fixed` holds coefficients, under the law's names, at a value. `interval` is bootstrap
    (percentiles) or bca, both of `bootstrap` resamples of runs or trunks, profile, or delta. `vary` also fits under
    other objectives and without some of the points (see sensitivity.py).
    Raises ConfigError for unknown names and DataError for fewer points than parameters or a design that fixes nothing.
    """
    entry, target = laws.get(law), solver.Objective(objective, delta)
    uncertainty.check(interval, bootstrap, level)
    runs = runs.noted(*check_design(runs, entry.inputs, len(entry.parameters) - len(fixed or {}), law))
    task = _problem(entry, runs, target, fixed)
    points, weights_N = task.points, weighting.weights_of(runs, weights)
    best = solver.solve(task, weights_N)
    posed = uncertainty.Posed(task, best.theta, uncertainty.units(runs), weights_N)
    thetas = _drawn(posed, interval, bootstrap, seed)
    samples = {} if thetas is None else laws.natural(entry, points.uncentre(thetas))
    coefficients = {name: float(value) for name, value in laws.natural(entry, points.uncentre(best.theta)).items()}
    front = _frontier(entry, runs, coefficients, samples, compute, level)
    intervals = _intervals(posed, front, interval, thetas, level)
    certificate = best.certificate() | _floor(posed)
    unidentified = _unidentified(posed, best, thetas, certificate.get("floor_profile"), level)
    return Fit(
        law=law,
        n_points=len(runs),
        objective={"name": objective, "delta": delta, "value": best.value, "weights": weights},
        coefficients=coefficients,
        certificate=certificate,
        ranges={name: _range(runs[name]) for name in _described(entry, runs)},
        frontier=_with_intervals(front, intervals),
        intervals={name: pair for name, pair in intervals.items() if name in coefficients},
        standard_errors=uncertainty.standard_errors(samples),
        samples=samples,
        interval=interval if intervals else "",
        level=level,
        residual_sd=float(np.std(points.log_prediction(best.theta[None])[0] - task.y_N)),
        seed_noise=uncertainty.seed_noise(runs),
        unidentified=unidentified,
        excluded=runs.excluded_counts(),
        notes=(*runs.notes, *(f"{name} is not identified by these runs" for name in unidentified)),
        held=held_at(entry, runs),
        fixed=dict(fixed or {}),
        sensitivity=_sensitivity(posed, runs, front) if vary else {},
    )


def _sensitivity(posed: uncertainty.Posed, runs: Runs, front: Frontier | NumericFrontier | None) -> dict[str, Any]:
    flops = runs.numbers("flops") if "flops" in runs else None
    p = front.compute.p if front is not None else 0.0
    varied = sensitivity.variations(posed.task, posed.theta, posed.weights_N, flops, p)
    spread = {name: list(pair) for name, pair in sensitivity.spread(varied).items()}
    return {"variations": [one.to_json() for one in varied], "spread": spread}


def _held(law: laws.Law, fixed: dict[str, float] | None) -> dict[str, float]:
    """Parameters of the solver that `fixed` holds: those that no other coefficient moves. Raises ConfigError."""
    if not fixed:
        return {}
    names = laws.natural(law, np.ones(len(law.parameters)))
    for name in fixed:
        if name not in names:
            raise ConfigError(f"fixed: law {law.name!r} has no {name!r}; allowed: {', '.join(names)}")
    others = np.array([1.3, 1.7, 2.9])
    theta = laws.parameters_of(law, {name: fixed.get(name, others) for name in names})
    still = np.ptp(theta, axis=0) < 1e-12
    if still.sum() < len(fixed):
        raise ConfigError(f"fixed: {', '.join(fixed)} of law {law.name!r} cannot be held alone; hold others with them")
    return {name: float(theta[0, k]) for k, name in enumerate(law.parameters) if still[k]}


def _described(law: laws.Law, runs: Runs) -> tuple[str, ...]:
    names = dict.fromkeys(("n_params", "tokens", "flops", law.target, *law.inputs))
    return tuple(name for name in names if name in runs)


def _frontier(law, runs, coefficients, samples, compute, level) -> Frontier | NumericFrontier | None:
    if not {"n_params", "tokens", "flops"} <= set(runs.columns) or not (runs["flops"] > 0).all():
        return None
    relation = compute or compute_relation(runs["n_params"], runs["tokens"], runs["flops"])
    at, held = float(runs["flops"].max()), held_at(law, runs)
    return make_frontier(law.name, coefficients, samples, relation, level, slope_over(runs), held, at)


def _drawn(posed: uncertainty.Posed, interval: str, bootstrap: int, seed: int) -> np.ndarray | None:
    """(R, P) parameters behind bands and forecasts: resampled, or from the normal approximation; None without."""
    if interval == "delta":
        return uncertainty.delta_thetas(posed, seed)
    return uncertainty.bootstrap_thetas(posed, bootstrap, seed) if bootstrap else None


def _intervals(posed: uncertainty.Posed, front, interval: str, thetas, level: float) -> dict[str, tuple[float, float]]:
    """Of every coefficient and, where the law has a frontier in closed form, of its exponent a, as EXPONENT."""
    if thetas is None and interval in uncertainty.RESAMPLED:
        return {}
    wanted = uncertainty.coefficients(posed.task.points, posed.theta)
    if isinstance(front, Frontier):
        wanted[EXPONENT] = exponent_quantity(posed.task.points, front.compute.p)
    return uncertainty.intervals(interval, posed, wanted, thetas, level)


def exponent_quantity(points: laws.Design, p: float = 0.0) -> uncertainty.Quantity:
    """The exponent a of N* ~ C^a for C = k N^(1+p) D, of a law with a frontier in closed form."""
    surface_of = points.law.surface
    assert surface_of is not None

    def a(theta: np.ndarray) -> np.ndarray:
        return exponent_of_n(surface_of(laws.natural(points.law, points.uncentre(theta))), p)

    return uncertainty.Quantity(EXPONENT, a)


def _with_intervals(front: Frontier | NumericFrontier | None, intervals: dict[str, tuple[float, float]]):
    """The frontier with the intervals of its exponents: b = 1 - (1 + p) a falls as a rises."""
    if not isinstance(front, Frontier) or EXPONENT not in intervals:
        return front
    low, high = intervals[EXPONENT]
    b = (1 - (1 + front.compute.p) * high, 1 - (1 + front.compute.p) * low)
    return dataclasses.replace(front, intervals={"a": (low, high), "b": b})


def _floor(posed: uncertainty.Posed) -> dict[str, Any]:
    """How much worse the law fits without its floor, for the certificate; nothing for a law without one."""
    law = posed.task.points.law
    if law.floor is None or posed.task.low_P[law.floor] == posed.task.high_P[law.floor]:
        return {}
    rise = uncertainty.floor_rise(posed)
    p_value = uncertainty.p_value(rise**0.5, posed.dof)
    return {"floor_profile": {"name": law.coefficient_names[law.floor], "rise": rise, "p_value": p_value}}


def _unidentified(posed: uncertainty.Posed, best: solver.Solution, thetas, floor, level: float) -> tuple[str, ...]:
    """Terms that the data let vanish.

    At the bound; or a floor whose profile at 0 is within the level, or that is gone from more resamples than the
    interval's lower tail holds.
    """
    names = list(best.at_bound)
    if floor is not None:
        k = posed.task.points.law.floor
        gone = thetas is not None and thetas[:, k] <= posed.task.y_N.min() - GONE
        if floor["p_value"] > 1 - level or np.mean(gone) > (1 - level) / 2:
            names.append(floor["name"])
    return tuple(dict.fromkeys(names))


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def read_fit(path: str | Path) -> Fit:
    """The fit in a JSON file written by `--out`. Raises DataError."""
    try:
        return Fit.from_json(json.loads(Path(path).read_text()))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a fit: {error}".splitlines()[0]) from error
