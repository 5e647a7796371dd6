"""The chosen runs, or those of the even grid, as a recipe that `experiments.sweep` takes: one file with a list."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analysis.design.result import NextRuns
from analysis.load import Runs
from analysis.shape_counts import settings_of
from scaling_laws.config import ConfigError

AXES = ("model.width", "model.depth", "train.steps", "train.seed", "train.data_seed", "optimizer.learning_rate")
SAME = 1e-6  # of rates: so near, they are one
ROUNDS = 50  # of reweighting towards least absolute deviations


def spelt(rows: Iterable[Mapping[str, Any]], first_seed: int = 0) -> tuple[str, ...]:
    """Rows of `NextRuns.rows` as `sweep.runs` spells them, seeds numbered from `first_seed`; the largest C first."""
    ordered = sorted(rows, key=lambda row: -row["flops"] / row["seeds"])
    return tuple(
        f"{row['width']}x{row['depth']}x{row['steps']}x{first_seed + seed}"
        for row in ordered
        for seed in range(row["seeds"])
    )


def recipe(found: NextRuns, runs: Runs, name: str, even: bool = False) -> str:
    """Text of a recipe for the design, or for the even grid, which is written to `name`; seeds follow the table's.

    Raises ConfigError for a table without own settings.
    """
    settings = settings_of(runs)
    shaped = all(shape.width for shape in found.candidates.shapes)
    if settings is None or not found.candidates.batch_tokens or not shaped:
        raise ConfigError("--emit: the table has no settings to go by; allowed: the table of a sweep of this project")
    first_seed = int(runs.numbers("seed").max()) + 1 if "seed" in runs else 0
    what = "An even grid" if even else "Runs that python -m analysis.design chose"
    axes = {"model.width": 0, "model.depth": 0, "sweep.lr_check": False, "sweep.forecast_factor": 0.0}
    listed = spelt(found.rows(found.even_J if even else None), first_seed)
    return _text(f"{what} for the {found.target}", _shared(settings) | rates(runs) | axes, listed, name)


def rates(runs: Runs) -> dict[str, Any]:
    """Settings that give every shape its rate: the table's one rate, or c N^x D^y through those of its runs.

    By least absolute deviations, which a few rates off the rule do not move.
    """
    rate = runs.numbers("learning_rate")
    if not np.isfinite(rate).all():
        return {}
    if np.ptp(rate) <= SAME * rate.max():
        return {"optimizer.learning_rate": float(rate[0])}
    logs = np.log(np.stack([runs["n_params"], runs["tokens"]], axis=1).astype(float))
    slopes = np.column_stack([np.ones(len(rate)), logs - logs.mean(axis=0)])
    weight, found = np.ones(len(rate)), np.zeros(3)
    for _ in range(ROUNDS):
        found = np.linalg.lstsq(slopes * weight[:, None], np.log(rate) * weight, rcond=1e-9)[0]
        weight = 1 / np.sqrt(np.maximum(np.abs(np.log(rate) - slopes @ found), 1e-9))
    coefficient = float(np.exp(found[0] - found[1:] @ logs.mean(axis=0)))
    names = ("sweep.lr_coefficient", "sweep.lr_n_exponent", "sweep.lr_d_exponent")
    return {key: float(f"{value:.6g}") for key, value in zip(names, (coefficient, *found[1:].tolist()), strict=True)}


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the runs of the table have in common and the defaults have not."""
    from scaling_laws import config

    defaults = {path: value for path, _, value in config.leaves(config.RunConfig())}
    return {path: value for path, value in settings.items() if path not in AXES and value != defaults.get(path, value)}


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _text(what: str, changes: Mapping[str, Any], listed: tuple[str, ...], name: str) -> str:
    lines = "\n".join(f'        "{key}": {_literal(value)},' for key, value in changes.items())
    every = "\n".join(f'            "{run}",' for run in listed)
    return f'''"""{what}: {len(listed)} runs.

    python -m experiments.sweep --config={name} --workdir=runs/next

What is not named here is as it is by default.
"""

from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """Settings of the table's runs; width x depth x steps x seed of the design."""
    changes = {{
{lines}
        "sweep.runs": (
{every}
        ),
    }}
    return replace(ExperimentConfig(), changes)
'''
