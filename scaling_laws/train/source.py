"""The run that another begins from, as its row of the runs table tells of it. No JAX here."""

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

    Raises ConfigError where it is not in the table, has not finished, or is another model or one under other rules: of
    the same tensors another function. TableError where there is no table.
    """
    if not run.transfer.source:
        return None
    name, folder = run.transfer.source, workdir_of(run, workdir)
    rows = table.read_runs(folder, say=lambda _: None).filter(pc.field("run_id") == name).to_pylist()
    if not rows:
        raise ConfigError(f"transfer.source: no run {name} in {folder}; allowed: the run_id of a finished run there")
    (row,) = rows
    if row["status"] != "finished":
        raise ConfigError(f"transfer.source: run {name} in {folder} is {row['status']}; allowed: a finished run")
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


def flops(row: Mapping[str, Any] | None) -> float | None:
    """Training FLOPs of a source, and of its own sources before; None without one."""
    return None if row is None else row["flops"] + (row["pretrain_flops"] or 0.0)
