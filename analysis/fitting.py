"""The fit of one law to runs: the optimum with its certificate, intervals, the frontier, and what is not identified."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from analysis import laws, solver, uncertainty
from analysis.budgets import slope_over
from analysis.frontier import Compute, Frontier, compute_relation, exponent_of_n, loss_of, surface_coefficients
from analysis.load import DataError, Runs
from scaling_laws.config import ConfigError


@dataclasses.dataclass(frozen=True)
class Fit:
    """A fitted law. Intervals and samples are empty without draws; `unidentified` names what the data leave open."""

    law: str
    n_points: int
    objective: dict[str, Any]  # name, delta, value
    coefficients: dict[str, float]
    certificate: dict[str, Any]
    ranges: dict[str, tuple[float, float]]  # of n_params, tokens, flops and loss over the fitted runs
    frontier: Frontier | None = None
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

    def predict(self, n_params: Any = None, tokens: Any = None, flops: Any = None) -> np.ndarray:
        """Loss at points given by the law's inputs; arrays broadcast. Raises ConfigError for a missing input."""
        return law_value(self.law, self.coefficients, n_params, tokens, flops)

    def predict_samples(self, n_params: Any = None, tokens: Any = None, flops: Any = None) -> np.ndarray:
        """(n_bootstrap, *points) losses of the resampled laws."""
        shape = np.broadcast_shapes(*(np.shape(x) for x in (n_params, tokens, flops) if x is not None))
        columns = {name: values.reshape(-1, *(1,) * len(shape)) for name, values in self.samples.items()}
        return law_value(self.law, columns, n_params, tokens, flops)

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
        names = [field.name for field in dataclasses.fields(Fit)]
        missing = [name for name in names if name not in data]
        if missing:
            raise DataError(f"fit: no {missing[0]!r} in the JSON; allowed: what python -m analysis.fit --out writes")
        values: dict[str, Any] = {name: data[name] for name in names}
        values["samples"] = {name: np.array(column) for name, column in data["samples"].items()}
        for name in ("intervals", "ranges"):
            values[name] = {key: tuple(value) for key, value in data[name].items()}
        values |= {"unidentified": tuple(data["unidentified"]), "notes": tuple(data["notes"])}
        if data["frontier"]:
            relation = Compute(data["frontier"]["k"], data["frontier"]["p"], data["frontier"]["compute"])
            values["frontier"] = make_frontier(
                data["law"], data["coefficients"], values["samples"], relation, data["level"], data["frontier"]["name"]
            )
        return Fit(**values)


def law_value(law_name: str, c: dict[str, Any], n_params: Any, tokens: Any, flops: Any) -> np.ndarray:
    """Loss of coefficients under their published names, at points that broadcast against them."""
    given = {"n_params": n_params, "tokens": tokens, "flops": flops}
    law = laws.get(law_name)
    for name in law.inputs:
        if given[name] is None:
            raise ConfigError(f"predict: law {law_name!r} needs {name}; allowed: {', '.join(law.inputs)}")
    x = {name: np.asarray(given[name], dtype=float) for name in law.inputs}
    surface = surface_coefficients(law_name, c)
    if surface is not None:
        return loss_of(surface, x["n_params"], x["tokens"])
    total = np.zeros(())
    for term in law.terms:
        powers = [x[name] ** -(c[e] if isinstance(e, str) else e) for name, e in term.powers]
        total = total + c[term.coefficient] * math.prod(powers)
    return total


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
) -> Fit:
    """The law that minimises the SUM over runs of the objective, from many starts, all resamples in one batch.

    huber and lad act on ln loss with `delta` as Huber's corner; log_mse squares ln residuals; mse residuals.
    `compute` replaces the relation C = k N^(1+p) D that is otherwise read off the runs.
    Raises ConfigError for unknown names and DataError for fewer points than parameters.
    """
    entry, target = laws.get(law), solver.Objective(objective, delta)
    uncertainty.check(interval, bootstrap, level)
    _check_points(runs, entry)
    points = laws.design(entry, {name: runs[name] for name in entry.inputs})
    y = np.log(runs["loss"].astype(float))
    best = solver.solve(points, y, target)
    thetas = _resampled(points, y, target, best.theta, runs, bootstrap, interval, seed)
    samples = {} if thetas is None else laws.natural(entry, points.uncentre(thetas))
    coefficients = {name: float(value) for name, value in laws.natural(entry, points.uncentre(best.theta)).items()}
    relation = compute or compute_relation(runs["n_params"], runs["tokens"], runs["flops"])
    unidentified = _unidentified(points, y, best, thetas, level)
    return Fit(
        law=law,
        n_points=len(runs),
        objective={"name": objective, "delta": delta, "value": best.value},
        coefficients=coefficients,
        certificate=best.certificate(),
        ranges={name: _range(runs[name]) for name in ("n_params", "tokens", "flops", "loss")},
        frontier=make_frontier(law, coefficients, samples, relation, level, slope_over(runs)),
        intervals=uncertainty.percentiles(samples, level),
        standard_errors=uncertainty.standard_errors(samples),
        samples=samples,
        interval=interval if samples else "",
        level=level,
        residual_sd=float(np.std(laws.log_prediction(points, best.theta[None])[0] - y)),
        seed_noise=uncertainty.seed_noise(runs),
        unidentified=unidentified,
        excluded=runs.excluded_counts(),
        notes=(*runs.notes, *(f"{name} is not identified by these runs" for name in unidentified)),
    )


def make_frontier(
    law: str,
    coefficients: dict[str, float],
    samples: dict[str, np.ndarray],
    relation: Compute,
    level: float,
    name: str,
) -> Frontier | None:
    """The law's frontier with bands, or None for a law without one over N and D."""
    surface = surface_coefficients(law, coefficients)
    if surface is None:
        return None
    bands = surface_coefficients(law, samples) if samples else None
    intervals = {}
    if bands:
        a = exponent_of_n(bands, relation.p)
        intervals = uncertainty.percentiles({"a": a, "b": 1 - (1 + relation.p) * a}, level)
    return Frontier(surface, relation, bands or {}, intervals, name)


def _resampled(points, y, target, theta, runs, bootstrap, interval, seed) -> np.ndarray | None:
    if interval == "delta":
        return uncertainty.delta_thetas(points, y, target, theta, uncertainty.units(runs), seed)
    if bootstrap == 0:
        return None
    return uncertainty.bootstrap_thetas(points, y, target, theta, uncertainty.units(runs), bootstrap, seed)


def _check_points(runs: Runs, law: laws.Law) -> None:
    needed = len(law.parameters)
    if len(runs) < needed:
        raise DataError(
            f"{runs.source}: {len(runs)} runs for {needed} parameters of law {law.name!r}; allowed: {needed} or more"
        )
    for name in law.inputs:
        if len(np.unique(runs[name])) < 2:
            raise DataError(
                f"{runs.source}: every run has the same {name}; allowed for law {law.name!r}: several values"
            )


def _unidentified(points, y, best, thetas, level) -> tuple[str, ...]:
    """Terms that the data let vanish: at the bound, or there in more than the interval's lower tail of resamples."""
    names = list(best.at_bound)
    floor = points.law.floor
    if thetas is not None and floor is not None:
        gone = thetas[:, floor] <= y.min() - 0.5 * solver.VANISHED
        if gone.mean() > (1 - level) / 2:
            names.append(points.law.coefficient_names[floor])
    return tuple(dict.fromkeys(names))


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def read_fit(path: str | Path) -> Fit:
    """The fit in a JSON file written by `--out`. Raises DataError."""
    try:
        return Fit.from_json(json.loads(Path(path).read_text()))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a fit: {error}".splitlines()[0]) from error
