"""Crop, noise and mixup beside no augmentation, at equal steps, over three horizons.

    scripts/bench augmentation                 two minutes of two cores; stopped, the same command goes on
    scripts/bench augmentation --out=FOLDER    writes runs.csv, losses.csv and the figure there

The perceptron of experiments/configs/augmentation.py on handwritten digits, eight seeds, each setting by itself. Rates
and decay are the recipe's throughout. The figure has the best strength of each. The exit code is 0 whatever was
measured.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analysis import cli
from analysis.figures import static
from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.figures.style import csv_bytes, write_atomically
from experiments.configs import augmentation as recipe
from scaling_laws import families, table
from scaling_laws.config import OWN_SETTING, replace, run_part
from scaling_laws.sweep import machine, study
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import as_planned
from scripts.benchmarks.report import Row, lines, progress

STEPS = (1000, 4000, 16_000)
SEEDS = range(8)
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    *({"augment.crop": pixels} for pixels in (1, 2)),
    *({"augment.noise": deviation} for deviation in (0.1, 0.3, 1.0)),
    *({"augment.mixup": alpha} for alpha in (0.05, 0.2, 0.8)),
)
KEPT = ("technique", "strength", "steps", "seed", "loss", "accuracy", "train_loss", "flops", "status", "run_id")
ROLES = {"crop": "approach1", "noise": "approach2", "mixup": "approach3"}
DRAWN = (("none", 0.0), ("crop", 1.0), ("noise", 0.3), ("mixup", 0.05))


@dataclasses.dataclass(frozen=True)
class Point:
    """One setting at one horizon: held-out losses in nats and accuracies, means and deviations over seeds."""

    technique: str
    strength: float
    steps: int
    seeds: int
    loss: float
    loss_std: float
    accuracy: float
    accuracy_std: float


def run() -> None:
    """Trains what is missing, prints the comparison and writes it to --out. Raises ConfigError for bad input."""
    out = Path(flags.FLAGS.out)
    rows = trained(Path(flags.FLAGS.workdir))
    seen = points(rows)
    print("\n".join(lines(compared(seen))))
    write_atomically(out / "runs.csv", csv_bytes(({k: row[k] for k in KEPT} for row in rows), KEPT))
    fields = [field.name for field in dataclasses.fields(Point)]
    write_atomically(out / "losses.csv", csv_bytes((dataclasses.asdict(point) for point in seen), fields))
    static.save(drawing(seen), out)


def trained(workdir: Path) -> list[dict[str, Any]]:
    """The rows of every setting, horizon and seed, trained as far as they are not there yet."""
    config = replace(recipe.get_config(), {"sweep.workers": flags.FLAGS.workers})
    base, facts = run_part(config), study.facts_of(config, progress)
    counts = families.count(base.model, facts.spec)
    grid = [
        replace(base, changes | {"train.steps": steps, "train.seed": seed, "train.data_seed": seed})
        for steps in STEPS
        for changes in SETTINGS
        for seed in SEEDS
    ]
    planned = tuple(as_planned(each, counts, facts, Pace(), None, "grid", OWN_SETTING) for each in grid)
    n_workers = machine.worker_count(flags.FLAGS.workers)
    summary, _ = study.train_runs(config, facts, planned, workdir, n_workers, progress)
    if summary.interrupted:
        raise KeyboardInterrupt
    found = {row["run_id"]: row for row in table.read_runs(workdir).to_pylist()}
    return [found[each.run_id] for each in planned]


def points(rows: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Means over seeds, by horizon, technique and strength; runs that did not finish are left out."""
    groups: dict[tuple[str, float, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "finished":
            groups.setdefault((row["technique"], row["strength"], row["steps"]), []).append(row)
    return [_point(*key, group) for key, group in groups.items()]


def _point(technique: str, strength: float, steps: int, group: list[Mapping[str, Any]]) -> Point:
    values = np.array([[row["loss"], row["accuracy"]] for row in group])
    mean, std = values.mean(axis=0).tolist(), values.std(axis=0, ddof=1).tolist()
    return Point(technique, strength, steps, len(group), mean[0], std[0], mean[1], std[1])


def compared(seen: list[Point]) -> list[Row]:
    """Each setting beside none at its horizon."""
    plain = {point.steps: point.loss for point in seen if point.technique == "none"}
    return [
        Row(
            f"{p.steps} steps, {p.technique} {p.strength:g}",
            "",
            f"{p.loss:.4f} ± {p.loss_std:.4f} nats ({p.loss - plain[p.steps]:+.4f}), accuracy {p.accuracy:.4f}",
        )
        for p in seen
    ]


def drawing(seen: list[Point]) -> Drawing:
    """Loss over steps of one strength of each technique, with the spread of the seeds."""
    layers: list[Layer] = []
    for technique, strength in DRAWN:
        mine = [point for point in seen if (point.technique, point.strength) == (technique, strength)]
        x, y, std = (np.array([getattr(p, field) for p in mine], float) for field in ("steps", "loss", "loss_std"))
        name, role = f"{technique} {strength:g}" if strength else technique, ROLES.get(technique, "ink")
        layers.append(Layer("line", name, x, y, role=role, mark="thin", legend=False))
        layers.append(Layer("points", name, x, y, low=y - std, high=y + std, role=role, mark="dot"))
    axes = Axis("optimiser steps", si=True), Axis("held-out loss (nats per example)", log=False)
    caption = "Means over eight seeds; bars are the standard deviation of one run over seeds."
    title = "Augmented digits, read 12, 48 and 190 times"
    return Drawing("augmentation", title, caption, (Panel(*axes, tuple(layers)),))


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("workdir", "runs/bench_augmentation", "folder of the runs, gone on with where it was left")
    flags.DEFINE_string("out", "docs/results/augmentation", "folder for the tables and the figure")
    flags.DEFINE_integer("workers", 0, "processes at a time; 0: one a core", lower_bound=0)


if __name__ == "__main__":
    define_flags()
    cli.main(run)
