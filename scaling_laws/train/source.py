"""The runs that another rests on, as their rows of the runs table tell of them; the one it begins from. No JAX here."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from scaling_laws import table
from scaling_laws.config import ConfigError, ModelConfig, RunConfig, leaves, non_defaults, said

# settings of a model, and of its parametrisation, that change nothing of what its parameters mean
FREE = ("model.dtype", "model.remat", "model.layers", "model.head_init", "model.balance")
DOWNWARD = ("model.slim",)  # of which a run may have less: of the source's units those that do most
SCHEME = ("train.parametrization", "train.base_width", "train.base_depth")


def workdir_of(run: RunConfig, workdir: Path) -> Path:
    """Where the source of a run is, which itself is in `workdir`."""
    return Path(run.transfer.source_workdir or workdir)


def of(run: RunConfig, workdir: Path) -> Mapping[str, Any] | None:
    """The row of a run's source; None where it has none.

    Raises as `finished`, and ConfigError where the source is another model or one under other rules: of the same
    tensors another function.
    """
    if not run.transfer.source:
        return None
    name = run.transfer.source
    row = finished("transfer.source", name, workdir_of(run, workdir))
    theirs, ours = json.loads(row["config"]), non_defaults(run)
    for path, field, _ in leaves(run):
        if path in SCHEME or (path.startswith("model.") and path not in FREE):
            here, there = (settings.get(path, field.metadata["neutral"]) for settings in (ours, theirs))
            if here != there and not (path in DOWNWARD and here < there):
                limit = "at most " if path in DOWNWARD else ""
                raise ConfigError(
                    f"{path}: {said(here)}; allowed: {limit}{said(there)}, as transfer.source {name} has it"
                )
    return row


def model(row: Mapping[str, Any], run: RunConfig) -> ModelConfig:
    """The model of a run's source: the run's own but for what the run may have less of."""
    return dataclasses.replace(run.model, slim=json.loads(row["config"]).get("model.slim", 1.0))


def finished(setting: str, name: str, workdir: Path) -> Mapping[str, Any]:
    """The row of the run `name` in `workdir`, which a setting names.

    Raises ConfigError where it is not in the table or has not finished, TableError where there is no table.
    """
    rows = table.read_runs(workdir, say=lambda _: None).filter(pc.field("run_id") == name).to_pylist()
    if not rows:
        raise ConfigError(f"{setting}: no run {name} in {workdir}; allowed: the run_id of a finished run there")
    (row,) = rows
    if row["status"] != "finished":
        raise ConfigError(f"{setting}: run {name} in {workdir} is {row['status']}; allowed: a finished run")
    return row


def check_full(setting: str, name: str, run: RunConfig) -> None:
    """Raises ConfigError where the outputs of the run `name` are those of rounded parameters or activations: whoever
    rebuilds it from its model alone would have others."""
    if run.quantize.weight_bits or run.quantize.activation_bits:
        raise ConfigError(f"{setting}: run {name} is rounded (quantize); allowed: one in full precision")


def flops(*rows: Mapping[str, Any] | None) -> float | None:
    """Training FLOPs of the runs that another rests on, each once, and of what they rest on themselves; None without
    any."""
    distinct = {row["run_id"]: row for row in rows if row is not None}
    if not distinct:
        return None
    parts = ("flops", "extra_flops", "pretrain_flops")
    return sum(row[part] or 0.0 for row in distinct.values() for part in parts)
