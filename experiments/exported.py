"""A kept run as one file, and that file beside the model itself: outputs, bytes, speed."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from scaling_laws import table
from scaling_laws.config import ConfigError, of_settings
from scaling_laws.sweep import machine
from scaling_laws.tasks import catalog, unchanged
from scaling_laws.train import deployed, kept, latency
from scaling_laws.train.deployed import Model


def model_of(workdir: Path, run_id: str) -> tuple[Mapping[str, Any], Model]:
    """The row of a run and its model with the parameters that it kept.

    Raises ConfigError where the run is not there or not finished, or its data are no longer those that it was trained
    on; TableError without a table, KeptError without sound parameters.
    """
    rows = table.read_runs(workdir, say=lambda _: None).filter(pc.field("run_id") == run_id).to_pylist()
    if not rows or rows[0]["status"] != "finished":
        state = f"is {rows[0]['status']}" if rows else "is not there"
        raise ConfigError(f"--run: {run_id!r} in {workdir} {state}; allowed: the run_id of a finished run there")
    settings, parameters = of_settings(json.loads(rows[0]["config"])), kept.read(workdir, run_id)
    task = catalog.load(settings.task, machine.task_cache_folder())
    unchanged.check(rows, settings.task, task.content_hash, workdir)
    return rows[0], Model(settings, task, parameters)


def write(model: Model, path: Path) -> None:
    """Write the file of a model, and say how large it is. Raises OSError."""
    deployed.write(path, model.exported())
    print(f"{path}: {path.stat().st_size:,} bytes")


def check(row: Mapping[str, Any], model: Model, path: Path, n_examples: int, calls: int) -> bool:
    """Whether the file of a run's model gives on held-out examples what the model itself gives, bit for bit; prints and
    writes, as JSON beside the file, how large and fast both are.

    Raises DeployedError for a file that is damaged, ConfigError for another model's.
    """
    forwards = {"model": model.own(), "file": deployed.read(path)}
    inputs = model.examples(n_examples)
    try:
        found = np.asarray(forwards["file"](inputs))
    except ValueError as error:  # JAX's, of arguments unlike those that were exported
        raise ConfigError(f"--out: {path} takes no inputs as run {row['run_id']} has them; allowed: its own") from error
    wanted = np.asarray(forwards["model"](inputs))
    if found.shape != wanted.shape:
        raise ConfigError(f"--out: {path} gives outputs {found.shape}; allowed: {wanted.shape} of run {row['run_id']}")
    equal, apart = found.tobytes() == wanted.tobytes(), float(np.abs(found - wanted).max())
    speeds = latency.measured(forwards, inputs, model.task.spec.targets, calls)
    sizes = {"model": model.float_bytes, "file": path.stat().st_size}
    sides = {name: {"bytes": sizes[name], **dataclasses.asdict(speeds[name])} for name in forwards}
    record = {"run_id": row["run_id"], "model_bytes": row["model_bytes"], "equal": equal, "largest_difference": apart}
    deployed.write(path.with_name(f"{path.name}.json"), json.dumps(record | sides, indent=1).encode() + b"\n")
    print("\n".join(lines(sides)))
    print(
        f"{len(inputs)} examples: " + ("outputs are equal bit for bit" if equal else f"outputs differ by {apart:.3g}")
    )
    return equal


def lines(sides: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table, one line a side."""
    found = [f"{'':<6} {'bytes':>12} {'targets/s':>12} {'median ms':>10} {'99 % ms':>10}"]
    for name, each in sides.items():
        late = " ".join(f"{1e3 * each[key]:>10.3f}" for key in ("latency_median", "latency_99"))
        found.append(f"{name:<6} {each['bytes']:>12,} {each['targets_per_second']:>12,.0f} {late}")
    return found
