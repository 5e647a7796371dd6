"""Scaling laws as one shape: a sum of power terms, perhaps raised to one outer exponent.

With x = ln(inputs) the logarithm of such a law is `s * logsumexp_k(ln c_k - sum_j e_kj x_j)`: every term is linear in
the parameters, so value, gradient and Hessian of any entry of `LAWS` come from one routine. A further law is one entry.

Dimension letters: B batch of parameter vectors, N points, K terms, P parameters.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from scaling_laws.config import ConfigError, nearest

EXPONENT_GRID = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)


@dataclasses.dataclass(frozen=True)
class Term:
    """`coefficient * prod_j input_j ** -exponent_j`; an exponent is a parameter's name or a fixed number."""

    coefficient: str
    powers: tuple[tuple[str, str | float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Law:
    """A law for the loss. `parameters` are in the solver's order: ln coefficients, exponents, the outer exponent."""

    name: str
    formula: str
    source: str
    terms: tuple[Term, ...]
    outer: str = ""
    outer_grid: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5)
    natural: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] = dict

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """One per term."""
        return tuple(term.coefficient for term in self.terms)

    @property
    def exponent_names(self) -> tuple[str, ...]:
        """Free exponents, each once, in order of appearance."""
        names = [name for term in self.terms for _, name in term.powers if isinstance(name, str)]
        return tuple(dict.fromkeys(names))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the solver's parameters."""
        return self.coefficient_names + self.exponent_names + ((self.outer,) if self.outer else ())

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the runs that the law reads, each once."""
        return tuple(dict.fromkeys(name for term in self.terms for name, _ in term.powers))

    @property
    def floor(self) -> int | None:
        """Index of the constant term (the irreducible loss E), if there is one."""
        constants = [k for k, term in enumerate(self.terms) if not term.powers]
        return constants[0] if constants else None


def _kaplan_natural(raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ratio, outer = raw["ratio"], raw["alpha_D"]
    return {"N_c": raw["U"] ** (1 / ratio), "D_c": raw["V"], "alpha_N": ratio * outer, "alpha_D": outer}


LAWS = {
    law.name: law
    for law in (
        Law(
            "chinchilla",
            "L = E + A / N^alpha + B / D^beta",
            "Hoffmann et al. 2022, equation 2",
            (Term("E"), Term("A", (("n_params", "alpha"),)), Term("B", (("tokens", "beta"),))),
        ),
        Law(
            "power",
            "L = A / C^gamma",
            "Kaplan et al. 2020, equation 1.3",
            (Term("A", (("flops", "gamma"),)),),
        ),
        Law(
            "power_floor",
            "L = E + A / C^gamma",
            "Henighan et al. 2020, equation 1.1",
            (Term("E"), Term("A", (("flops", "gamma"),))),
        ),
        Law(
            "kaplan",
            "L = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D",
            "Kaplan et al. 2020, equation 1.5",
            (Term("U", (("n_params", "ratio"),)), Term("V", (("tokens", 1.0),))),
            outer="alpha_D",
            natural=_kaplan_natural,
        ),
    )
}


def get(name: str) -> Law:
    """The law of that name. Raises ConfigError naming the nearest."""
    if name not in LAWS:
        raise ConfigError(f"law: {name!r}; allowed: {', '.join(LAWS)}{nearest(name, LAWS)}")
    return LAWS[name]


@dataclasses.dataclass(frozen=True)
class Design:
    """A law at given points: term k at point i is exp(theta . terms[k, i] + offset[k, i]), with centred inputs."""

    law: Law
    terms_KxNxP: np.ndarray
    offset_KxN: np.ndarray
    shift_KxP: np.ndarray  # ln c_k (uncentred) = ln c_k (centred) + shift[k] . theta + fixed[k]
    fixed_K: np.ndarray

    def uncentre(self, theta: np.ndarray) -> np.ndarray:
        """(..., P) parameters for centred inputs -> parameters for the inputs as given."""
        out = np.array(theta, dtype=float)
        n_terms = len(self.fixed_K)
        out[..., :n_terms] += theta @ self.shift_KxP.T + self.fixed_K
        return out

    def centre(self, theta: np.ndarray) -> np.ndarray:
        """Inverse of `uncentre` (the shift reads exponents only)."""
        out = np.array(theta, dtype=float)
        n_terms = len(self.fixed_K)
        out[..., :n_terms] -= theta @ self.shift_KxP.T + self.fixed_K
        return out


def design(law: Law, inputs: Mapping[str, np.ndarray], centred: bool = True) -> Design:
    """The law at N points; `inputs` maps each of `law.inputs` to a positive (N,) array."""
    logs = {name: np.log(np.asarray(inputs[name], dtype=float)) for name in law.inputs}
    n_terms, n_points, n_parameters = len(law.terms), len(next(iter(logs.values()))), len(law.parameters)
    terms = np.zeros((n_terms, n_points, n_parameters))
    offset, fixed = np.zeros((n_terms, n_points)), np.zeros(n_terms)
    shift = np.zeros((n_terms, n_parameters))
    for k, term in enumerate(law.terms):
        terms[k, :, k] = 1
        for name, exponent in term.powers:
            mean = logs[name].mean() if centred else 0.0
            if isinstance(exponent, str):
                column = law.parameters.index(exponent)
                terms[k, :, column] -= logs[name] - mean
                shift[k, column] += mean
            else:
                offset[k] -= exponent * (logs[name] - mean)
                fixed[k] += exponent * mean
    return Design(law, terms, offset, shift, fixed)


def log_terms(points: Design, theta_BxP: np.ndarray) -> np.ndarray:
    """(K, B, N) logarithms of the terms."""
    return np.matmul(theta_BxP, points.terms_KxNxP.transpose(0, 2, 1)) + points.offset_KxN[:, None, :]


def log_sum(z_KxBxN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """logsumexp over the terms (B, N) and each term's share (K, B, N)."""
    top = z_KxBxN.max(axis=0)
    shares = np.exp(z_KxBxN - top)
    total = shares.sum(axis=0)
    shares /= total
    return top + np.log(total), shares


def log_prediction(points: Design, theta_BxP: np.ndarray) -> np.ndarray:
    """(B, N) logarithm of the law."""
    value, _ = log_sum(log_terms(points, theta_BxP))
    return value * theta_BxP[:, -1:] if points.law.outer else value


def natural(law: Law, theta: np.ndarray) -> dict[str, np.ndarray]:
    """(..., P) uncentred parameters -> the law's published names; coefficients exponentiated."""
    n_terms = len(law.terms)
    raw = {name: np.exp(theta[..., k]) for k, name in enumerate(law.coefficient_names)}
    raw |= {name: theta[..., n_terms + k] for k, name in enumerate(law.parameters[n_terms:])}
    return law.natural(raw)


def predict(law: Law, theta: np.ndarray, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Loss (B, N) of uncentred parameters (B, P) at points (N,)."""
    return np.exp(log_prediction(design(law, inputs, centred=False), np.atleast_2d(theta)))
