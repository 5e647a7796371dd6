"""Laws of hyper-parameters: the best learning rate and batch over size, data and compute."""

from analysis.laws.law import Law, Power, Term
from analysis.laws.surfaces import named

BOTH_SIGNS = (-1.0, -0.5, -0.2, 0.2, 0.5, 1.0)


def learning_rate(*columns: str) -> Law:
    """lr = k N^x_n_params D^x_tokens (StepLaw), or over other columns, as flops (DeepSeek)."""
    source = "Li et al. 2025 (Step Law), equation 1; over flops: Bi et al. 2024 (DeepSeek), equation 1"
    return _monomial("learning_rate", "learning_rate", columns or ("n_params", "tokens"), "n_params,tokens", source)


def batch(*columns: str) -> Law:
    """Batch in tokens = k D^x_tokens (StepLaw), or over other columns, as flops (DeepSeek) or loss (critical batch)."""
    source = "Li et al. 2025 (Step Law), equation 1; over loss: Kaplan et al. 2020, equation 1.4"
    return _monomial("batch", "batch_tokens", columns or ("tokens",), "tokens", source)


def _monomial(name: str, target: str, columns: tuple[str, ...], default: str, source: str) -> Law:
    powers = tuple(Power(column, f"x_{column}", 1.0) for column in columns)
    formula = f"{target} = k " + " ".join(f"{column}^x_{column}" for column in columns)
    full = named(name, ",".join(columns), default)
    return Law(full, formula, source, (Term("k", powers),), target=target, exponent_grid=BOTH_SIGNS)
