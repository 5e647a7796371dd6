"""Whether the runs can tell a law's parameters apart, before anything is fitted: enough points, inputs that vary."""

from collections.abc import Sequence

import numpy as np

from analysis.load import DataError, Runs, row_list

EXACT = 1e-4  # rms of ln(input) off a relation, below which what it leaves moves no loss by as much as it is rounded
CONSTANT = 1e-9  # relative spread of a column that is one value written with rounding
# Variance inflation 1 / (1 - R^2). From ten on the standard errors are more than three times those of inputs that vary
# apart over the same ranges: as many runs again, nine times over, would be needed to make up for it.
INFLATED = 10.0


def check_design(
    runs: Runs, inputs: Sequence[str], n_parameters: int, law_name: str, log_linear: bool = False
) -> tuple[str, ...]:
    """Notes on inputs that nearly move together. Raises DataError where the law cannot be told from these runs.

    That is: fewer different points than parameters, an input that is constant, or two inputs of which one is a power
    of the other. A relation among three or more is fatal only to a law that is a product of powers (`log_linear`): a
    sum of powers is not linear in the logs, so that such a relation is a note. Inputs that can be 0 are no part of it.
    """
    _check_count(runs, len(runs), n_parameters, law_name)
    for name in inputs:
        _check_varies(runs, name, law_name)
    _check_count(runs, _different_points(runs, inputs, n_parameters), n_parameters, law_name)
    positive = [name for name in inputs if (runs[name] > 0).all()]
    logs_KxN = np.array([np.log(runs[name].astype(float)) for name in positive])
    if len(positive) < 2:
        return ()
    for i in range(len(positive)):
        for j in range(i):
            pair = [positive[j], positive[i]]
            _check_apart(runs, pair, _relation(pair, logs_KxN[[j, i]]), law_name)
    relation = _relation(positive, logs_KxN) if len(positive) > 2 else ""
    if log_linear:
        _check_apart(runs, positive, relation, law_name)
    if relation:
        said = "only the form of the law tells their terms apart"
        return (f"{_listed(positive)} move together: {relation} in all {len(runs)} rows; {said}",)
    return _inflation(positive, logs_KxN)


def _check_count(runs: Runs, n_points: int, needed: int, law_name: str) -> None:
    if n_points < needed:
        points = f" at {n_points} different points" if n_points < len(runs) else ""
        raise DataError(
            f"{runs.source}: {len(runs)} runs{points} for {needed} parameters of law {law_name!r}; "
            f"allowed: {needed} or more"
        )


def _different_points(runs: Runs, inputs: Sequence[str], enough: int) -> int:
    """How many different points there are, or a number from `enough` on where one column has that many values."""
    most = max(len(np.unique(runs[name])) for name in inputs)
    return most if most >= enough else len(np.unique(np.stack([runs[name] for name in inputs], axis=1), axis=0))


def _check_varies(runs: Runs, name: str, law_name: str) -> None:
    values = runs[name]
    if np.ptp(values) <= CONSTANT * abs(values).max():
        raise DataError(
            f"{runs.source}: every run has the same {name}, {values[0]:g} ({row_list(runs.rows)}); "
            f"allowed for law {law_name!r}: several values"
        )


def _check_apart(runs: Runs, names: Sequence[str], relation: str, law_name: str) -> None:
    if relation:
        raise DataError(
            f"{runs.source}: {_listed(names)} move together: {relation} in all {len(runs)} rows "
            f"({row_list(runs.rows)}); law {law_name!r} needs them to vary apart"
        )


def _relation(names: Sequence[str], logs_KxN: np.ndarray) -> str:
    """`tokens = 20 x n_params`: the power product that the inputs obey, or nothing."""
    centered = logs_KxN - logs_KxN.mean(axis=1, keepdims=True)
    axes, spreads, _ = np.linalg.svd(centered, full_matrices=False)
    direction = axes[:, -1]
    if spreads[-1] / np.sqrt(logs_KxN.shape[1]) > EXACT * abs(direction).max():
        return ""
    involved = np.flatnonzero(abs(direction) > 1e-3 * abs(direction).max())
    last = int(involved[-1])
    powers = {int(k): -direction[k] / direction[last] for k in involved[:-1]}
    factor = np.exp(logs_KxN[last].mean() - sum(power * logs_KxN[k].mean() for k, power in powers.items()))
    terms = [names[k] + ("" if abs(power - 1) < 1e-3 else f"^{power:.3g}") for k, power in powers.items()]
    return f"{names[last]} = {' x '.join([f'{factor:.4g}', *terms])}"


def _inflation(names: Sequence[str], logs_KxN: np.ndarray) -> tuple[str, ...]:
    """The variance inflation of the centred, scaled logs: the diagonal of the inverse of their correlations."""
    factors = np.diag(np.linalg.inv(np.corrcoef(logs_KxN)))
    worst = int(factors.argmax())
    if factors[worst] < INFLATED:
        return ()
    others = _listed([name for name in names if name != names[worst]])
    return (
        f"{names[worst]} nearly follows from {others} (R^2 of the logs {1 - 1 / factors[worst]:.4g}): "
        f"standard errors are about {np.sqrt(factors[worst]):.2g} times those of a design where they vary apart",
    )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
