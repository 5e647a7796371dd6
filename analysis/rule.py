"""A rule for learning rate and batch over N and D, fitted to the best settings of each shape and length of training.

    python -m analysis.rule --runs=runs/rates --out=rule.json
    python -m experiments.sweep --config=... --workdir=... --config.sweep.rule=rule.json

Takes a table in which shapes were tried at three or more learning rates (and, for the batch, at three or more batch
sizes). Minima at the edge of what was tried are listed and left out; an exponent of N or D that vary too little, or
only together, is fixed to 0.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import load
from analysis.interior_settings import Cell, batch_tokens, cells
from analysis.load import DataError, Runs

FORMAT = 2  # of the file, as scaling_laws.sweep.rule reads it
AXES = ("n_params", "tokens")
RANGE = 4.0  # largest over smallest, below which an exponent is not fitted
TOGETHER = 0.98  # correlation of ln N and ln D from which on their exponents are not told apart
DIGITS = 16
# what a rule holds for, and what a bare table is taken for
HELD = {"parametrization": "standard", "base_width": 0, "base_depth": 0, "optimizer": "adamw"}
ANY = [1e-100, 1e100]  # the range of what the table does not say


@dataclasses.dataclass(frozen=True)
class Fitted:
    """coefficient N^a D^b of a setting; `fixed` names the axes whose exponent was set to 0, with the reason."""

    coefficient: float
    exponents: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    points: int
    spread: float  # standard deviation of the logarithm about the rule
    fixed: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def run(values: Any = None) -> None:
    """Reads the flags, fits the rule, prints it and writes `--out`. Raises DataError where no minimum is interior."""
    from absl import flags

    from analysis.summary import write_json

    values = flags.FLAGS if values is None else values
    runs = load.load(values.runs, values.columns, values.where, needs=(*AXES, "loss", "learning_rate"))
    command = f"python -m analysis.rule --runs={values.runs}"
    command += "".join(f" --{name}={getattr(values, name)}" for name in ("columns", "where") if getattr(values, name))
    found = rule(runs, values.level)
    found["source"] = {"command": command, **found["source"]}
    print("\n".join(lines(found)))
    if values.out:
        write_json(Path(values.out), found)


def rule(runs: Runs, level: float = 0.9) -> dict[str, Any]:
    """The rule as plain values, as they are written to the file. Raises DataError for a mixed or unswept table."""
    held = {name: _the_one(runs, name, default) for name, default in HELD.items()}
    if held["parametrization"] != HELD["parametrization"] and not held["base_width"]:
        raise DataError(
            f"{runs.source}: base_width is 0 or missing under {held['parametrization']}; allowed: the base of its "
            "rates (tables written before that column are trained again)"
        )
    found = cells(runs)
    inside, edges = [one for one in found if not one.reason], [one for one in found if one.reason]
    if not inside:
        reasons = "; ".join(f"N {one.n_params:.4g}: {one.reason}" for one in edges[:3])
        raise DataError(f"{runs.source}: none of {len(edges)} shapes has an interior best rate: {reasons}")
    batched = [one for one in inside if one.batch_tokens]
    if len(batched) < len(inside) and len(np.unique(batch_tokens(runs))) > 1:
        raise DataError(
            f"{runs.source}: batches differ between shapes of which each was tried at one; allowed: one batch for all, "
            "chosen by --where, or several at every shape"
        )
    rate = fitted(inside, "learning_rate", level)
    batch = fitted(batched, "batch_tokens", level) if batched else None
    return {
        "format": FORMAT,
        "learning_rate": rate.to_json(),
        "batch_tokens": batch and batch.to_json(),
        "level": level,
        **held,
        "range": _range(runs, inside),
        "source": {"table": table_hash(runs), "runs": len(runs), "cells": len(inside)},
        "cells": [dataclasses.asdict(one) for one in inside],
        "left_out": [dataclasses.asdict(one) for one in edges],
    }


def _the_one(runs: Runs, name: str, default: str | int) -> str | int:
    """The one value of a column, of its default's type. Raises DataError where there are several."""
    values = [default]
    if name in runs:
        column = runs[name] if isinstance(default, str) else np.nan_to_num(runs.numbers(name)).astype(int)
        values = np.unique(column).tolist()
    if len(values) > 1:
        raise DataError(f"{runs.source}: {name} is {', '.join(map(str, values))}; allowed: one, chosen by --where")
    return values[0]


def _range(runs: Runs, inside: Sequence[Cell]) -> dict[str, list[float]]:
    """Where the rule was measured."""
    found = {name: [getattr(one, name) for one in inside] for name in AXES}
    batches = batch_tokens(runs)
    found["batch_tokens"] = batches[batches > 0].tolist()
    return {name: [float(min(values)), float(max(values))] if values else ANY for name, values in found.items()}


def table_hash(runs: Runs) -> str:
    """Hash of the numbers that a rule rests on, whatever the order of rows and the kind of file."""
    columns = [runs.numbers(name) for name in (*AXES, "learning_rate", "loss")] + [batch_tokens(runs)]
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:DIGITS]


def fitted(inside: Sequence[Cell], setting: str, level: float) -> Fitted:
    """The power law of one setting by least squares in logarithms, profile intervals at `level`."""
    from analysis import fit as fits

    values = np.array([getattr(one, setting) for one in inside])
    axes = {name: np.array([getattr(one, name) for one in inside]) for name in AXES}
    fixed = _fixed(axes)
    free = [name for name in AXES if name not in fixed]
    names = {f"x_{name}": name for name in free}
    if not free:
        middle, spread = float(np.exp(np.log(values).mean())), float(np.log(values).std())
        return Fitted(middle, dict.fromkeys(AXES, 0.0), {}, len(inside), spread, fixed)
    law = {"learning_rate": "learning_rate", "batch_tokens": "batch"}[setting]
    table = Runs({**axes, setting: values}, "best settings")
    interval = "profile" if len(inside) > len(free) + 1 else "bootstrap"  # of no draws: none
    found = fits.fit(table, f"{law}({','.join(free)})", objective="log_mse", interval=interval, level=level)
    exponents = dict.fromkeys(AXES, 0.0) | {name: found.coefficients[key] for key, name in names.items()}
    intervals = {names.get(key, "coefficient"): pair for key, pair in found.intervals.items()}
    return Fitted(found.coefficients["k"], exponents, intervals, len(inside), found.residual_sd, fixed)


def _fixed(axes: dict[str, Any]) -> dict[str, str]:
    """The axes whose exponent these points cannot tell, and why."""
    count = len(axes["tokens"])
    spans = {name: float(values.max() / values.min()) for name, values in axes.items()}
    fixed = {name: f"varies {span:.3g}-fold, less than {RANGE:g}" for name, span in spans.items() if span < RANGE}
    if not fixed and count < 3:
        fixed["tokens"] = f"{count} points for three coefficients"
    if not fixed:
        together = abs(float(np.corrcoef(np.log(axes["n_params"]), np.log(axes["tokens"]))[0, 1]))
        if together > TOGETHER:
            fixed["tokens"] = f"varies with N (correlation {together:.3f}); the exponent of N is along that line"
    return fixed


def lines(found: dict[str, Any]) -> list[str]:
    """The rule in words."""
    text = []
    for name in ("learning_rate", "batch_tokens"):
        law = found[name]
        if law is None:
            continue
        powers = " ".join(f"{axis}^{value:.4g}" for axis, value in law["exponents"].items())
        text.append(
            f"{name} = {law['coefficient']:.4g} {powers}   ({law['points']} points, within {law['spread']:.1%})"
        )
        text += [
            f"  {key}: [{low:.4g}, {high:.4g}] {found['level']:.0%}" for key, (low, high) in law["intervals"].items()
        ]
        text += [f"  exponent of {axis} fixed to 0: {why}" for axis, why in law["fixed"].items()]
    text += [f"left out: N {one['n_params']:.4g}, D {one['tokens']:.4g}: {one['reason']}" for one in found["left_out"]]
    text.append(
        f"for {found['parametrization']}{_base(found)} with {found['optimizer']}, measured at "
        + ", ".join(f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in found["range"].items())
    )
    return text


def _base(found: dict[str, Any]) -> str:
    read = [f"{name.replace('_', ' ')} {found[name]}" for name in ("base_width", "base_depth") if found[name]]
    return f" ({', '.join(read)})" if read else ""


def _define_flags() -> None:
    from absl import flags

    from analysis import options

    flags.DEFINE_string("runs", None, options.RUNS_HELP, required=True)
    flags.DEFINE_string("columns", None, "ours=theirs pairs, as n_params=N,tokens=D,loss=loss")
    flags.DEFINE_string("where", None, "keep rows for which this holds, as \"parametrization == 'mup'\"")
    flags.DEFINE_float("level", 0.9, "share of the intervals", lower_bound=0.5, upper_bound=0.999)
    flags.DEFINE_string("out", None, "JSON file to write")


if __name__ == "__main__":
    from analysis import cli

    _define_flags()
    cli.main(run)
