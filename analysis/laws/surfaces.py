"""Laws of loss over parameters, data and compute."""

import numpy as np

from analysis.laws import jets
from analysis.laws.jets import Jet
from analysis.laws.law import EXPONENT_GRID, Columns, Law, Parameter, Power, Term

EITHER_WAY = (-1.0, -0.3, *EXPONENT_GRID)  # a column may as well raise the loss
REPEATS = (-1.0, 0.5, 1.5, 2.5, 4.0)  # ln R
LIMITS = (-14.0, 14.0)  # ln R: repetition is worth nothing, or as much as fresh data


def _constants(c: dict) -> dict:
    return {name: c[name] for name in ("E", "A", "B", "alpha", "beta")}


def _chinchilla_surface(c: dict) -> dict:
    return _constants(c) | {"outer": np.ones_like(c["A"])}


CHINCHILLA = Law(
    "chinchilla",
    "L = E + A / N^alpha + B / D^beta",
    "Hoffmann et al. 2022, equation 2",
    (Term("E"), Term("A", (Power("n_params", "alpha"),)), Term("B", (Power("tokens", "beta"),))),
    surface=_chinchilla_surface,
)


def _kaplan_natural(raw: dict) -> dict:
    ratio, outer = raw["ratio"], raw["alpha_D"]
    return {"N_c": raw["U"] ** (1 / ratio), "D_c": raw["V"], "alpha_N": ratio * outer, "alpha_D": outer}


def _kaplan_raw(c: dict) -> dict:
    ratio = c["alpha_N"] / c["alpha_D"]
    return {"U": c["N_c"] ** ratio, "V": c["D_c"], "ratio": ratio, "alpha_D": c["alpha_D"]}


def _kaplan_surface(c: dict) -> dict:
    raw = _kaplan_raw(c)
    one = np.ones_like(raw["V"])
    return {"E": 0 * one, "A": raw["U"], "B": raw["V"], "alpha": raw["ratio"], "beta": one, "outer": raw["alpha_D"]}


KAPLAN = Law(
    "kaplan",
    "L = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D",
    "Kaplan et al. 2020, equation 1.5",
    (Term("U", (Power("n_params", "ratio"),)), Term("V", (Power("tokens", 1.0),))),
    outer="alpha_D",
    natural=_kaplan_natural,
    raw=_kaplan_raw,
    surface=_kaplan_surface,
)


def power(x: str = "flops") -> Law:
    """A straight line in logarithms."""
    source = "Kaplan et al. 2020, equation 1.3"
    return Law(named("power", x, "flops"), f"L = A / {x}^gamma", source, (Term("A", (Power(x, "gamma"),)),))


def power_floor(x: str = "flops") -> Law:
    """A power law above an irreducible loss."""
    terms = (Term("E"), Term("A", (Power(x, "gamma"),)))
    source = "Henighan et al. 2020, equation 1.1"
    return Law(named("power_floor", x, "flops"), f"L = E + A / {x}^gamma", source, terms)


def power_sum(*columns: str) -> Law:
    """E plus one power of each column: width, depth, N, D, or whatever a table has."""
    columns = columns or ("n_params", "tokens")
    terms = (Term("E"), *(Term(f"A_{name}", (Power(name, f"a_{name}"),)) for name in columns))
    formula = "L = E + " + " + ".join(f"A_{name} / {name}^a_{name}" for name in columns)
    surface = _power_sum_surface if set(columns) == {"n_params", "tokens"} else None
    name = named("power_sum", ",".join(columns))
    source = "McLeish et al. 2025 (Gemstones)"
    return Law(name, formula, source, terms, exponent_grid=EITHER_WAY, surface=surface)


def _power_sum_surface(c: dict) -> dict:
    pairs = {"A": "A_n_params", "B": "A_tokens", "alpha": "a_n_params", "beta": "a_tokens"}
    return {"E": c["E"], **{ours: c[theirs] for ours, theirs in pairs.items()}, "outer": np.ones_like(c["E"])}


def _gadre_natural(raw: dict) -> dict:
    gain = 6.0 ** raw["eta"]
    return {"E": raw["E"], "a": raw["A"] * gain, "b": raw["B"] * gain, "eta": raw["eta"]}


def _gadre_raw(c: dict) -> dict:
    gain = 6.0 ** c["eta"]
    return {"E": c["E"], "A": c["a"] / gain, "B": c["b"] / gain, "eta": c["eta"]}


def _gadre_surface(c: dict) -> dict:
    raw = _gadre_raw(c)
    twice = 2 * raw["eta"]
    constants = {name: raw[name] for name in ("E", "A", "B")}
    return constants | {"alpha": twice, "beta": twice, "outer": np.ones_like(twice)}


# With C = 6 N D and M = D / N: M^eta C^-eta = 6^-eta N^(-2 eta), and M^-eta C^-eta = 6^-eta D^(-2 eta).
GADRE = Law(
    "gadre",
    "L = E + (a M^eta + b M^-eta) C^-eta, M = D / N, C = 6 N D",
    "Gadre et al. 2024, equation 4",
    (Term("E"), Term("A", (Power("n_params", "eta", -2.0),)), Term("B", (Power("tokens", "eta", -2.0),))),
    natural=_gadre_natural,
    raw=_gadre_raw,
    surface=_gadre_surface,
)


def _saturating(repeats: Jet | np.ndarray, scale: Jet) -> Jet:
    """ln(1 + R* (1 - exp(-R / R*))): how many times its unique part R further passes are worth, as a logarithm."""
    return jets.log(1 + scale * (1 - jets.exp(-(repeats / scale))))


def _repeated_tokens(q: dict[str, Jet], x: Columns) -> Jet:
    """-beta ln(D' / D)."""
    unique = np.minimum(x["unique_tokens"], x["tokens"])
    gain = _saturating(x["tokens"] / unique - 1, jets.exp(q["ln_R_D"]))
    return -(q["beta"] * (gain - np.log(x["tokens"] / unique)))


def _excess_parameters(q: dict[str, Jet], x: Columns) -> Jet:
    """-alpha ln(N' / N); the useful size is the one that is optimal for the unique tokens, where C = 6 N D."""
    alpha, beta = q["alpha"], q["beta"]
    log_g = (jets.log(alpha) + q["A"] - jets.log(beta) - q["B"]) / (alpha + beta)
    log_n = np.log(x["n_params"])
    log_unique = np.log(np.minimum(x["unique_tokens"], x["tokens"]))
    log_useful = jets.minimum(log_g + beta / alpha * (log_g + log_unique), log_n)
    over = jets.exp(log_n - log_useful) - 1.0
    return -(alpha * (_saturating(over, jets.exp(q["ln_R_N"])) + log_useful - log_n))


DATA_CONSTRAINED = Law(
    "data_constrained",
    "L = E + A / N'^alpha + B / D'^beta, D' = U + U R_D (1 - exp(-(D/U - 1) / R_D)), N' likewise",
    "Muennighoff et al. 2023, equations 5 and 6",
    (
        Term("E"),
        Term("A", (Power("n_params", "alpha"),), _excess_parameters, ("alpha", "beta", "A", "B", "ln_R_N")),
        Term("B", (Power("tokens", "beta"),), _repeated_tokens, ("beta", "ln_R_D")),
    ),
    shaped=(Parameter("ln_R_D", REPEATS, *LIMITS), Parameter("ln_R_N", REPEATS, *LIMITS)),
    reads=("unique_tokens",),
    conditions=("unique_tokens",),
    natural=lambda raw: _constants(raw) | {"R_D": np.exp(raw["ln_R_D"]), "R_N": np.exp(raw["ln_R_N"])},
    raw=lambda c: _constants(c) | {"ln_R_D": np.log(c["R_D"]), "ln_R_N": np.log(c["R_N"])},
)


def named(name: str, arguments: str, default: str = "") -> str:
    """`name(arguments)`, or the bare name where the arguments are the default."""
    return name if arguments == default else f"{name}({arguments})"
