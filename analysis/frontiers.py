"""The frontier of a fitted law: in closed form where it has one, else numerically, else none."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis import laws, uncertainty
from analysis.frontier import Compute, Frontier, exponent_of_n
from analysis.laws import Law
from analysis.load import Runs
from analysis.numeric_frontier import NumericFrontier


def held_at(law: Law, runs: Runs) -> dict[str, float]:
    """Median over the runs of the inputs beside N and D that a frontier holds, as unique tokens or bits."""
    return {name: float(np.median(runs[name])) for name in law.conditions}


def make_frontier(
    law_name: str,
    coefficients: Mapping[str, Any],
    samples: Mapping[str, np.ndarray],
    relation: Compute,
    level: float,
    name: str,
    held: Mapping[str, float] | None = None,
    at: float = 1e21,
) -> Frontier | NumericFrontier | None:
    """N*, D* and loss over C with bands from `samples`; None for a law that is not one of loss over N and D.

    `name` is what a closed form's exponent may be called; `held` fixes the law's other inputs, and `at` is the C at
    which a numeric frontier's slope is read.
    """
    law = laws.get(law_name)
    if law.target != "loss":
        return None
    if law.surface is not None:
        return _closed(law, coefficients, samples, relation, level, name)
    others = set(law.inputs) - {"n_params", "tokens"}
    if not {"n_params", "tokens"} <= set(law.inputs) or others != set(law.conditions) or not others <= set(held or {}):
        return None
    return _numeric(law, coefficients, samples, relation, level, dict(held or {}), at)


def _closed(law: Law, coefficients, samples, relation: Compute, level: float, name: str) -> Frontier:
    assert law.surface is not None
    surface, bands = law.surface(dict(coefficients)), law.surface(dict(samples)) if samples else {}
    intervals = {}
    if bands:
        a = exponent_of_n(bands, relation.p)
        intervals = uncertainty.percentiles({"a": a, "b": 1 - (1 + relation.p) * a}, level)
    return Frontier(surface, relation, bands, intervals, name)


def _numeric(law: Law, coefficients, samples, relation: Compute, level: float, held, at: float) -> NumericFrontier:
    def loss_of(c: Mapping[str, Any]):
        rows = {name: np.atleast_1d(np.asarray(values, dtype=float)) for name, values in c.items()}

        def loss(n_params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
            shape = np.broadcast_shapes(n_params.shape, tokens.shape)
            fixed = {name: np.full(shape, value) for name, value in held.items()}
            return laws.value_each(law, rows, {"n_params": n_params, "tokens": tokens, **fixed})

        return loss

    return NumericFrontier(loss_of(coefficients), relation, at, loss_of(samples) if samples else None, level)
