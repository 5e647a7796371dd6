"""The chosen runs as recipes that `experiments.sweep` takes.

A sweep trains a grid over widths, depths, steps and seeds; a design is a list of runs. So the list is cut into grids:
of one depth the widths that share their steps, for one seed after the other, and every grid becomes a file. Trunks
stay whole, since runs of one shape and seed stand in one file.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis.design.result import NextRuns
from analysis.design.shapes import settings_of
from analysis.load import Runs
from scaling_laws.config import ConfigError

AXES = ("model.width", "model.depth", "train.steps", "train.seed", "train.data_seed", "optimizer.learning_rate")
SAME = 1e-6  # of rates: so near, they are one
ROUNDS = 50  # of reweighting towards least absolute deviations


class Grid(NamedTuple):
    """A part of a design that is a full grid."""

    depth: int
    widths: tuple[int, ...]
    steps: tuple[int, ...]
    seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.widths) * len(self.steps) * len(self.seeds)


def grids(found: NextRuns, first_seed: int = 0) -> tuple[Grid, ...]:
    """The design as grids, of which every run is in exactly one; seeds are numbered from `first_seed`."""
    by_shape: dict[tuple[int, int], dict[tuple[int, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    rows = found.rows()
    for shape in {(row["depth"], row["width"]) for row in rows}:
        own = [row for row in rows if (row["depth"], row["width"]) == shape]
        for seed in range(max(row["seeds"] for row in own)):
            by_shape[shape][tuple(row["steps"] for row in own if row["seeds"] > seed)].append(first_seed + seed)
    by_rest: dict[tuple, list[int]] = defaultdict(list)
    for (depth, width), layers in sorted(by_shape.items()):
        for steps, seeds in layers.items():
            by_rest[depth, steps, tuple(seeds)].append(width)
    return tuple(Grid(depth, tuple(widths), steps, seeds) for (depth, steps, seeds), widths in by_rest.items())


def recipes(found: NextRuns, runs: Runs, name: str) -> dict[str, str]:
    """File name -> text of a recipe: NAME.py, NAME_2.py, .. Raises ConfigError for a table without own settings."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise ConfigError(f"--emit: {name!r}; allowed: a name of letters, digits, _, - and .")
    settings = settings_of(runs)
    shaped = all(shape.width for shape in found.candidates.shapes)
    if settings is None or not found.candidates.batch_tokens or not shaped:
        raise ConfigError("--emit: the table has no settings to go by; allowed: the table of a sweep of this project")
    shared = _shared(settings) | rates(runs)
    parts = grids(found, first_seed=int(runs.numbers("seed").max()) + 1 if "seed" in runs else 0)
    files = {}
    for k, part in enumerate(parts):
        file = f"{name}.py" if not k else f"{name}_{k + 1}.py"
        files[file] = _text(found, shared | _axes(part), part, file, f"part {k + 1} of {len(parts)}")
    return files


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


def write(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Writes every recipe whole; returns the paths."""
    from analysis.figures.style import write_atomically

    return [write_atomically(folder / name, text.encode()) for name, text in files.items()]


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the runs of the table have in common and the defaults have not."""
    from scaling_laws import config

    defaults = {path: value for path, _, value in config.leaves(config.RunConfig())}
    return {path: value for path, value in settings.items() if path not in AXES and value != defaults.get(path, value)}


def _axes(part: Grid) -> dict[str, Any]:
    return {
        "model.width": 0,
        "model.depth": part.depth,
        "sweep.widths": part.widths,
        "sweep.steps": part.steps,
        "sweep.seeds": part.seeds,
        "sweep.lr_check": False,
        "sweep.forecast_factor": 0.0,
    }


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _text(found: NextRuns, changes: Mapping[str, Any], part: Grid, file: str, which: str) -> str:
    lines = "\n".join(f'        "{key}": {_literal(value)},' for key, value in changes.items())
    share = f"{which}: {len(part)} of {found.after.runs}"
    return f'''"""Runs that python -m analysis.design chose for the {found.target}, {share}.

    python -m experiments.sweep --config={file} --workdir=runs/next

All parts may share a workdir, one after the other. What is not named here is as it is by default.
"""

from scaling_laws.config import ExperimentConfig, replace


def get_config() -> ExperimentConfig:
    """Settings of the table's runs; shapes, steps and seeds of the design."""
    changes = {{
{lines}
    }}
    return replace(ExperimentConfig(), changes)
'''
