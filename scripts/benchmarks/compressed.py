"""Models as files, rounded, slimmed and as they are: bytes, FLOPs, held-out loss, tokens a second, and how long one
window takes.

    scripts/bench compressed               ten minutes of two cores; stopped, the same command goes on
    scripts/bench compressed --out=FILE    writes every figure there, as JSON

A transformer on the packaged text, trained once for each setting with the same seeds: in full precision, rounded after
that training, rounded while it trains; and with a half and a quarter of the heads and hidden units of the first,
trained on for as long. Its FLOPs are those counted from the architecture, and XLA's of the compiled forward pass. Each
is written as `python -m experiments.export` writes it, loaded again and held against its own module bit for bit; then
all files take turns, so that all meet the same clock and the same neighbours. The exit code is 0 whatever was measured.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analysis import cli
from experiments import exported
from scaling_laws import families
from scaling_laws.config import OWN_SETTING, ExperimentConfig, replace, run_part
from scaling_laws.models import traced
from scaling_laws.sweep import machine, study
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import PlannedRun, as_planned
from scaling_laws.train import deployed, latency
from scaling_laws.train.latency import Speed
from scripts.benchmarks.report import Row, lines, progress, write

BOTH = {"quantize.ends": True}
SETTINGS: dict[str, dict[str, Any]] = {
    "full precision": {},
    "8 bits after": BOTH | {"quantize.weight_bits": 8, "quantize.when": "after"},
    "4 bits after": BOTH | {"quantize.weight_bits": 4, "quantize.when": "after"},
    "4 bits in training": BOTH | {"quantize.weight_bits": 4},
    "8 bits, activations too": BOTH | {"quantize.weight_bits": 8, "quantize.activation_bits": 8},
    "half of each block": {"model.slim": 0.5},
    "a quarter of each block": {"model.slim": 0.25},
}
FULL = "full precision"
WINDOWS = 32  # a batch


@dataclasses.dataclass(frozen=True)
class Side:
    """One setting: what its row says, its file, and whether that gives the module's own outputs bit for bit."""

    name: str
    loss: float
    loss_se: float
    float_bytes: int
    model_bytes: int | None
    file_bytes: int
    equal: bool
    speed: Speed
    flops: float  # of the forward pass, a token
    xla_flops: float | None


def run() -> None:
    """Trains what is missing, writes the files, times them and prints the table. Raises ConfigError for bad input."""
    workdir, out = Path(flags.FLAGS.workdir), flags.FLAGS.out
    rows = [row(side) for side in measured(workdir, trained(workdir))]
    print("\n".join(lines(rows)))
    if out:
        write(rows, Path(out))


def trained(workdir: Path) -> dict[str, str]:
    """The run_id of each setting, trained as far as it is not there yet."""
    size = {"model.width": flags.FLAGS.width, "model.depth": flags.FLAGS.depth, "train.steps": flags.FLAGS.steps}
    base = replace(ExperimentConfig(), size | {"train.keep_parameters": True})
    facts = study.facts_of(base, progress)

    def planned(changes: dict[str, Any]) -> PlannedRun:
        one = replace(run_part(base), changes)
        return as_planned(one, families.count_run(one, facts.spec), facts, Pace(), None, "grid", OWN_SETTING)

    source = {"transfer.source": planned(SETTINGS[FULL]).run_id}
    runs = {name: planned(own | (source if "model.slim" in own else {})) for name, own in SETTINGS.items()}
    for later in (False, True):  # what is slimmed begins from the first
        now = tuple(one for one in runs.values() if bool(one.run.transfer.source) == later)
        summary, _ = study.train_runs(base, facts, now, workdir, machine.worker_count(0), progress)
        if summary.interrupted:
            raise KeyboardInterrupt
    return {name: one.run_id for name, one in runs.items()}


def measured(workdir: Path, run_ids: dict[str, str]) -> list[Side]:
    """Each setting's file, all timed in turns."""
    found = {name: exported.model_of(workdir, run_id) for name, run_id in run_ids.items()}
    paths = {name: workdir / "files" / f"{run_id}.stablehlo" for name, run_id in run_ids.items()}
    for name, (_, model) in found.items():
        deployed.write(paths[name], model.exported())
    forwards = {name: deployed.read(path) for name, path in paths.items()}
    _, first = found[next(iter(found))]
    inputs = first.examples(WINDOWS)
    speeds = latency.measured(forwards, inputs, first.task.spec.targets, flags.FLAGS.calls)
    return [
        Side(
            name,
            run["loss"],
            run["loss_se"],
            model.float_bytes,
            run["model_bytes"],
            paths[name].stat().st_size,
            np.asarray(forwards[name](inputs)).tobytes() == np.asarray(model.own()(inputs)).tobytes(),
            speeds[name],
            float(model.counts.forward),
            xla_flops(model, inputs),
        )
        for name, (run, model) in found.items()
    ]


def xla_flops(model: deployed.Model, inputs: np.ndarray) -> float | None:
    """XLA's total of a forward pass, a token."""
    found = traced.xla_flops(model.own().lower(inputs).compile())
    return found and found / (len(inputs) * model.task.spec.targets)


def row(side: Side) -> Row:
    """What a side came to; met where its file is bit for bit its module."""
    speed, stored = side.speed, side.model_bytes or side.float_bytes
    said = (
        f"{side.loss:.4f} ± {side.loss_se:.4f} nats, {stored:,} bytes (file {side.file_bytes:,}), "
        f"{side.flops:,.0f} FLOPs a token (XLA {side.xla_flops or 0:,.0f}), "
        f"{speed.targets_per_second:,.0f} tokens/s, {1e3 * speed.latency_median:.2f} ms (99 %: "
        f"{1e3 * speed.latency_99:.2f})"
    )
    return Row(side.name, "its module's outputs bit for bit", said, side.equal, dataclasses.asdict(side))


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("workdir", "runs/bench_compressed", "folder of the runs, gone on with where it was left")
    flags.DEFINE_string("out", None, "JSON file to write")
    flags.DEFINE_integer("width", 128, "of the transformer", lower_bound=16)
    flags.DEFINE_integer("depth", 4, "its blocks", lower_bound=1)
    flags.DEFINE_integer("steps", 200, "optimiser steps of each run", lower_bound=50)
    flags.DEFINE_integer("calls", 500, "calls of a single window", lower_bound=10)


if __name__ == "__main__":
    define_flags()
    cli.main(run)
