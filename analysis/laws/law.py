"""What a scaling law is here: a sum of terms, perhaps raised to one outer exponent.

A term is a coefficient times powers of inputs times, where a law needs it, a factor of another shape. With x =
ln(inputs) the logarithm of the law is `outer * logsumexp_k(ln c_k - sum_j e_kj x_j + shape_k)`. Coefficients enter
linearly before the logarithm (so that they can be projected out), powers linearly after it (so that their derivatives
are constants), and only the shapes need a derivative of their own.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from analysis.laws.jets import Jet

Columns = dict[str, np.ndarray]
Shape = Callable[[dict[str, Jet], Columns], Jet]

EXPONENT_GRID = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
# what a column counts; the loss, and tokens where a task has no text, have the unit of the table (analysis.load.units)
UNITS = {"n_params": "parameters", "tokens": "tokens", "flops": "FLOP", "unique_tokens": "tokens"}


class Power(NamedTuple):
    """`input ** (scale * exponent)`; the exponent is a parameter's name or a fixed number."""

    input: str
    exponent: str | float
    scale: float = -1.0


@dataclasses.dataclass(frozen=True)
class Term:
    """`coefficient * prod(powers) * exp(shape)`; a shape gets what it `reads`, coefficients as logarithms."""

    coefficient: str
    powers: tuple[Power, ...] = ()
    shape: Shape | None = None
    reads: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter that only shapes read: where starts lie, and the open interval of its values.

    `grid` may be a function of the inputs (name -> (n,) values), as for the place of a break.
    """

    name: str
    grid: tuple[float, ...] | Callable[[Columns], np.ndarray]
    low: float = -np.inf
    high: float = np.inf


@dataclasses.dataclass(frozen=True)
class Law:
    """A law for the column `target`. `parameters` are in the solver's order.

    That order: ln coefficients, exponents, parameters of shapes, the outer exponent. `natural` turns these
    (coefficients no longer logarithms) into published names, and `raw` back.
    """

    name: str
    formula: str
    source: str
    terms: tuple[Term, ...]
    shaped: tuple[Parameter, ...] = ()
    reads: tuple[str, ...] = ()  # inputs that only shapes read
    outer: str = ""
    outer_grid: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5)
    exponent_grid: tuple[float, ...] = EXPONENT_GRID
    target: str = "loss"
    natural: Callable[[dict[str, Any]], dict[str, Any]] = dict
    raw: Callable[[dict[str, Any]], dict[str, Any]] = dict
    conditions: tuple[str, ...] = ()  # inputs that a frontier over N and D holds at a value
    surface: Callable[[dict[str, Any]], dict[str, Any]] | None = None  # E, A, B, alpha, beta, outer over N and D
    # of coefficients and conditions: the size at neutral conditions with the same loss, over the size at these
    multiplier: Callable[[Mapping[str, Any], Mapping[str, Any]], np.ndarray] | None = None

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """One per term."""
        return tuple(term.coefficient for term in self.terms)

    @property
    def exponent_names(self) -> tuple[str, ...]:
        """Free exponents, each once, in order of appearance."""
        names = [power.exponent for term in self.terms for power in term.powers if isinstance(power.exponent, str)]
        return tuple(dict.fromkeys(names))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the solver's parameters."""
        shaped = tuple(parameter.name for parameter in self.shaped)
        return self.coefficient_names + self.exponent_names + shaped + ((self.outer,) if self.outer else ())

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the runs that the law reads, each once."""
        return tuple(dict.fromkeys((*(power.input for term in self.terms for power in term.powers), *self.reads)))

    @property
    def floor(self) -> int | None:
        """Index of the constant term (the irreducible loss E), if there is one."""
        constants = [k for k, term in enumerate(self.terms) if not term.powers and term.shape is None]
        return constants[0] if constants and not self.outer else None

    @property
    def units(self) -> dict[str, str]:
        """Solver's coefficient -> its unit, `loss` that of the losses; others are pure numbers unless named here."""
        return {term.coefficient: _unit(term, self.target) for term in self.terms}


def _unit(term: Term, target: str) -> str:
    parts = [UNITS.get(target, target)]
    for power in term.powers:
        unit = UNITS.get(power.input, power.input)
        if isinstance(power.exponent, str):
            times = {1.0: "", -1.0: "-"}.get(-power.scale, f"{-power.scale:g} ")
            parts.append(f"{unit}^({times}{power.exponent})")
        else:
            parts.append(f"{unit}^{-power.scale * power.exponent:g}")
    return " ".join(parts)


def natural(law: Law, theta: np.ndarray) -> dict[str, np.ndarray]:
    """(..., P) uncentred parameters -> the law's published names; coefficients exponentiated."""
    n_terms = len(law.terms)
    raw = {name: np.exp(theta[..., k]) for k, name in enumerate(law.coefficient_names)}
    raw |= {name: theta[..., n_terms + k] for k, name in enumerate(law.parameters[n_terms:])}
    return law.natural(raw)


def parameters_of(law: Law, coefficients: Mapping[str, Any]) -> np.ndarray:
    """Inverse of `natural`: published names -> (..., P) uncentred parameters; a coefficient of 0 stays about 0."""
    raw = law.raw(dict(coefficients))
    n_terms = len(law.terms)
    columns = [np.asarray(raw[name], dtype=float) for name in law.parameters]
    columns[:n_terms] = [np.log(np.maximum(column, 1e-300)) for column in columns[:n_terms]]
    return np.stack(np.broadcast_arrays(*columns), axis=-1)
