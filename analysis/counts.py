"""Which count of parameters serves as N and which count of FLOPs as C: a choice of the reader, said aloud.

Apply N first: `6nd` takes the N in use.
"""

from analysis.load import Runs, usable
from scaling_laws.config import ConfigError, nearest

PARAMS = {
    "n_params": "with embedding and head",
    "n_non_embedding": "without embedding, positions and head",
    "n_effective": "by products a token, attention's included",
}
FLOPS = {
    "flops": ("flops", "as counted"),
    "6nd": ("", "6 N D"),
    "non_embedding": ("flops_non_embedding", "without the head"),
    "effective": ("flops_effective", "by the effective count"),
}


def apply_params(runs: Runs, convention: str = "n_params") -> Runs:
    """Runs whose column n_params is the chosen count, in parameters; rows without it are left out by name.

    Raises ConfigError for an unknown convention, DataError where the table lacks the column.
    """
    if convention not in PARAMS:
        raise _unknown("params_convention", convention, PARAMS)
    if convention == "n_params":
        return runs
    return _replaced(runs, "n_params", convention, f"N is {convention}: {PARAMS[convention]}")


def apply_flops(runs: Runs, convention: str = "flops") -> Runs:
    """Runs whose column flops is the chosen count, in FLOPs; budgets stay as the table states them. Raises as above."""
    if convention not in FLOPS:
        raise _unknown("flops_convention", convention, FLOPS)
    column, meaning = FLOPS[convention]
    if convention == "flops":
        return runs
    note = f"C is {meaning}" + (f" (column {column})" if column else "")
    if not column:
        return runs.with_columns(flops=6.0 * runs["n_params"] * runs["tokens"]).noted(note)
    return _replaced(runs, "flops", column, note)


def _replaced(runs: Runs, ours: str, theirs: str, note: str) -> Runs:
    runs = usable(runs, theirs)
    return runs.with_columns(**{ours: runs[theirs]}).noted(note)


def _unknown(flag: str, value: str, allowed: dict) -> ConfigError:
    return ConfigError(f"{flag}: {value!r}; allowed: {', '.join(allowed)}{nearest(value, allowed)}")
