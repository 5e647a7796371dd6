"""Laws of what a technique does to the loss: sparsity, precision, routing, transfer; and of error over loss."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.laws import jets
from analysis.laws.jets import Jet
from analysis.laws.law import Columns, Law, Parameter, Power, Shape, Term
from analysis.laws.surfaces import named


def _sparsity_natural(raw: dict) -> dict:
    return raw | {"a_D": raw["a_D"] ** (1 / raw["b_D"])}


def _sparsity_multiplier(c: Mapping[str, Any], x: Mapping[str, Any]) -> np.ndarray:
    """[(a_S + c_S) / (a_S density^b_S + c_S)]^(1/b_N): a dense model beside one of N_nz weights that are not 0."""
    return ((c["a_S"] + c["c_S"]) / (c["a_S"] * x["density"] ** c["b_S"] + c["c_S"])) ** (1 / c["b_N"])


# The published form (a_S (1-S)^b_S + c_S) N^-b_N + (a_D/D)^b_D + c, multiplied out.
SPARSITY = Law(
    "sparsity",
    "L = (a_S density^b_S + c_S) / N_nz^b_N + (a_D / D)^b_D + c, density = 1 - S",
    "Frantar et al. 2023, equation 1",
    (
        Term("c"),
        Term("a_S", (Power("density", "b_S", 1.0), Power("n_params", "b_N"))),
        Term("c_S", (Power("n_params", "b_N"),)),
        Term("a_D", (Power("tokens", "b_D"),)),
    ),
    conditions=("density",),
    natural=_sparsity_natural,
    raw=lambda c: c | {"a_D": c["a_D"] ** c["b_D"]},
    multiplier=_sparsity_multiplier,
)


def precision(*columns: str) -> Law:
    """Chinchilla with N_eff = N prod_i (1 - exp(-P_i / gamma_i)); P_i the bits of weights, activations, ..."""
    columns = columns or ("weight_bits",)
    gammas = tuple(Parameter(f"gamma_{name}", (0.5, 1.0, 2.0, 4.0), 1e-2, 100.0) for name in columns)
    terms = (
        Term("E"),
        Term("A", (Power("n_params", "alpha"),), _effective_size(columns), ("alpha", *(g.name for g in gammas))),
        Term("B", (Power("tokens", "beta"),)),
    )
    formula = "L = E + A / N_eff^alpha + B / D^beta, N_eff = N prod_i (1 - exp(-bits_i / gamma_i))"
    name = named("precision", ",".join(columns), "weight_bits")
    source = "Kumar et al. 2024, equation 3"

    def multiplier(c: Mapping[str, Any], x: Mapping[str, Any]) -> np.ndarray:
        return np.prod([-np.expm1(-x[column] / c[f"gamma_{column}"]) for column in columns], axis=0)

    return Law(name, formula, source, terms, shaped=gammas, reads=columns, conditions=columns, multiplier=multiplier)


def _effective_size(columns: tuple[str, ...]) -> Shape:
    def shape(q: dict[str, Jet], x: Columns) -> Jet:
        parts = [jets.log1mexp(x[name] / q[f"gamma_{name}"]) for name in columns]
        return -(q["alpha"] * sum(parts[1:], start=parts[0]))

    return shape


def _routed(q: dict[str, Jet], x: Columns) -> Jet:
    """(b + c log10 N) ln E^, with 1/E^ = 1/(E - 1 + 1/(1/start - 1/max)) + 1/max."""
    most = q["ln_start"] + jets.softplus(q["ln_gap"])
    floor = jets.reciprocal(jets.exp(-q["ln_start"]) - jets.exp(-most))
    log_effective = -jets.log(jets.reciprocal(floor + (x["experts"] - 1)) + jets.exp(-most))
    return (q["b"] + q["c"] * np.log10(x["n_params"])) * log_effective


def _routing_natural(raw: dict) -> dict:
    start = np.exp(raw["ln_start"])
    e_max = start * (1 + np.exp(raw["ln_gap"]))
    return {**{name: raw[name] for name in "abc"}, "d": np.log10(raw["K"]), "E_start": start, "E_max": e_max}


def _routing_raw(c: dict) -> dict:
    places = {"ln_start": np.log(c["E_start"]), "ln_gap": np.log(c["E_max"] / c["E_start"] - 1)}
    return {**{name: c[name] for name in "abc"}, "K": 10.0 ** c["d"], **places}


ROUTING = Law(
    "routing",
    "log10 L = a log10 N + b log10 E^ + c log10 N log10 E^ + d, E^ the experts, saturating between E_start and E_max",
    "Clark et al. 2022, equations 1 and 5",
    (Term("K", (Power("n_params", "a", 1.0),), _routed, ("b", "c", "ln_start", "ln_gap")),),
    shaped=(
        Parameter("b", (-0.3, -0.1, 0.0)),
        Parameter("c", (0.0, 0.01, 0.03)),
        Parameter("ln_start", (0.0, 1.0, 2.0), -3.0, 6.0),
        Parameter("ln_gap", (2.0, 4.0, 6.0), -3.0, 14.0),
    ),
    reads=("experts",),
    exponent_grid=(-0.2, -0.1, -0.05, -0.02),
    natural=_routing_natural,
    raw=_routing_raw,
)

TRANSFER = Law(
    "transfer",
    "D_T = k D_F^alpha N^beta",
    "Hernandez et al. 2021, equation 1.1",
    (Term("k", (Power("finetune_tokens", "alpha", 1.0), Power("n_params", "beta", 1.0))),),
    target="transferred_tokens",
)


def _shortfall(q: dict[str, Jet], x: Columns) -> Jet:
    return jets.log1mexp(q["gamma"] * (x["loss"] - q["L0"]))


# starts in units of the smallest loss: where the error would be 0, and gamma times it
NO_ERROR = np.array([0.99, 0.93, 0.8, 0.6, 0.33])
STEEPNESS = np.array([0.3, 0.8, 1.6, 2.7, 5.4])

ERROR = Law(
    "error",
    "error = eps - k exp(-gamma L)",
    "Gadre et al. 2024, equation 5",
    (Term("eps", (), _shortfall, ("gamma", "L0")),),
    shaped=(
        Parameter("gamma", lambda x: STEEPNESS / x["loss"].min(), 1e-4, 1e12),
        Parameter("L0", lambda x: x["loss"].min() * NO_ERROR),
    ),
    reads=("loss",),
    target="error",
    natural=lambda raw: {"eps": raw["eps"], "k": raw["eps"] * np.exp(raw["gamma"] * raw["L0"]), "gamma": raw["gamma"]},
    raw=lambda c: {"eps": c["eps"], "gamma": c["gamma"], "L0": np.log(c["k"] / c["eps"]) / c["gamma"]},
)
