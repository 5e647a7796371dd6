"""Cooldown branches of one trunk against separate cosine runs of the same tokens, and what the token axis costs.

    scripts/bench trunks                       about ten minutes of one core; stopped, the same command goes on
    scripts/bench trunks --out=FOLDER          writes runs.csv, losses.csv and the figure there

The shape, budgets and seeds of experiments/configs/trunks.py. Cosine runs get the best of five peak rates at each
budget, the branches, which share a trunk, the best at the middle one; of seeds that take no part in the comparison.
Then five seeds a schedule: cosine runs each to their own horizon, and `wsd` branches from one trunk a seed; and two
seeds of `constant` runs at the branches' rate, whose parameters are averaged over a window, as in Kaddour (2022). The
exit code is 0 whatever was measured.
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
from experiments.configs import trunks as recipe
from scaling_laws import table
from scaling_laws.config import ExperimentConfig, replace
from scaling_laws.sweep import study
from scripts.benchmarks.report import Row, lines, progress

TUNING_SEEDS = (100, 101)
RATES = (0.25, 0.5, 1.0, 2.0, 4.0)  # times the recipe's
SCHEDULES: Mapping[str, dict[str, Any]] = {
    "cosine": {"optimizer.schedule": "cosine", "optimizer.warmup_steps": 0, "train.average": "none"},
    "wsd": {},
    "constant": {"optimizer.schedule": "constant", "train.average": "window", "train.average_window": 0.2}
    | {"sweep.seeds": (0, 1)},
}
KEPT = ("run_id", "trunk", "schedule", "learning_rate", "seed", "tokens", "flops", "steps", "own_steps", "loss")
KEPT += ("loss_se", "averaged_loss", "status")
NEAR, POINTS = 2.0, 3.0  # bars: seed standard deviations, percentage points


@dataclasses.dataclass(frozen=True)
class Point:
    """One schedule at one token budget: mean held-out losses over seeds, nats per token."""

    schedule: str
    tokens: int
    seeds: int
    loss: float
    std: float  # over seeds, of one run
    averaged_loss: float | None


def run() -> None:
    """Trains what is missing, prints the comparison and writes it to --out. Raises ConfigError for bad input."""
    workdir, out = Path(flags.FLAGS.workdir), Path(flags.FLAGS.out)
    found: list[dict[str, Any]] = []
    budgets = sorted(recipe.get_config().sweep.budgets)
    middle = budgets[len(budgets) // 2]
    for schedule, changes in SCHEDULES.items():
        like = "wsd" if schedule == "constant" else schedule  # the rate before its cooldown is that of the branches
        alone = [(budget,) for budget in budgets]
        for group in alone if schedule == "cosine" else [budgets]:
            tuned_at = group[0] if schedule == "cosine" else middle
            rate = best_rate(replace(recipe.get_config(), SCHEDULES[like]), tuned_at, workdir / "rates" / like)
            progress(f"{schedule} at {tuned_at:.3g}: peak rate {rate:.4g}")
            chosen = {"sweep.budgets": tuple(group), "optimizer.learning_rate": rate}
            found += trained(replace(recipe.get_config(), changes | chosen), workdir / schedule)
    seen = points(found)
    print("\n".join(lines([*compared(seen), cost(found), *averages(seen)])))
    write_atomically(out / "runs.csv", csv_bytes(({k: row[k] for k in KEPT} for row in found), KEPT))
    fields = [field.name for field in dataclasses.fields(Point)]
    write_atomically(out / "losses.csv", csv_bytes((dataclasses.asdict(point) for point in seen), fields))
    static.save(drawing(seen), out)


def best_rate(config: ExperimentConfig, budget: float, workdir: Path) -> float:
    """The peak rate with the lowest mean loss over the tuning seeds at a budget."""
    tuning = {"sweep.budgets": (budget,), "sweep.seeds": TUNING_SEEDS, "sweep.lr_multipliers": RATES}
    losses: dict[float, list[float]] = {}
    for row in trained(replace(config, tuning), workdir):
        losses.setdefault(row["learning_rate"], []).append(row["loss"] if row["status"] == "finished" else np.inf)
    tried = {rate: float(np.mean(each)) for rate, each in losses.items()}
    best = min(tried, key=lambda rate: tried[rate])
    edge = "  AT THE EDGE" if best in (min(tried), max(tried)) else ""
    progress(", ".join(f"{rate:.4g}: {loss:.4f}" for rate, loss in sorted(tried.items())) + edge)
    return best


def trained(config: ExperimentConfig, workdir: Path) -> list[dict[str, Any]]:
    """The rows of a sweep, trained as far as they are not there yet."""
    config = replace(config, {"sweep.workers": flags.FLAGS.workers})
    done = study.run_sweep(config, workdir, say=progress)
    if done.summary.interrupted:
        raise KeyboardInterrupt
    wanted = {planned.run_id for planned in done.plan.runs}
    return [row for row in table.read_runs(workdir).to_pylist() if row["run_id"] in wanted]


def points(rows: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Means over seeds, by schedule and tokens; runs that did not finish are left out."""
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["status"] == "finished":
            groups.setdefault((row["schedule"], row["tokens"]), []).append(row)
    return [_point(*key, group) for key, group in sorted(groups.items())]


def _point(schedule: str, tokens: int, group: list[Mapping[str, Any]]) -> Point:
    losses = np.array([row["loss"] for row in group])
    averaged = [row["averaged_loss"] for row in group if row["averaged_loss"] is not None]
    std = float(losses.std(ddof=1)) if len(losses) > 1 else float("nan")
    mean = float(np.mean(averaged)) if averaged else None
    return Point(schedule, tokens, len(group), float(losses.mean()), std, mean)


def compared(seen: list[Point]) -> list[Row]:
    """Branches against cosine runs at each token budget, in standard deviations of a run over seeds."""
    by = {(point.schedule, point.tokens): point for point in seen}
    rows = []
    for (schedule, tokens), cosine in by.items():
        branch = by.get(("wsd", tokens))
        if schedule == "cosine" and branch:
            std = float(np.sqrt((cosine.std**2 + branch.std**2) / 2))
            apart = (branch.loss - cosine.loss) / std
            said = f"{branch.loss:.4f} against {cosine.loss:.4f}: {apart:+.1f} standard deviations of {std:.4f}"
            rows.append(Row(f"branch - cosine, {tokens:,} tokens", f"within {NEAR:g}", said, abs(apart) <= NEAR))
    return rows


def cost(rows: Iterable[Mapping[str, Any]]) -> Row:
    """Steps that the branches trained over those of separate runs, against .2 + .8 max(D) / sum(D)."""
    branches = [row for row in rows if row["trunk"]]
    seeds: dict[str, list[Mapping[str, Any]]] = {}
    for row in branches:
        seeds.setdefault(row["trunk"], []).append(row)
    separate = sum(row["steps"] for row in branches)
    measured = sum(row["own_steps"] for row in branches) / separate
    formula = 0.2 + 0.8 * sum(max(row["steps"] for row in each) for each in seeds.values()) / separate
    said = f"{measured:.2%} of separate runs, by the formula {formula:.2%}"
    return Row("cost of the token axis", f"within {POINTS:g} points", said, abs(measured - formula) <= POINTS / 100)


def averages(seen: list[Point]) -> list[Row]:
    """The loss of averaged parameters beside that of the last ones."""
    return [
        Row(f"{p.schedule}, {p.tokens:,} tokens: last and averaged", "", f"{p.loss:.4f}, {p.averaged_loss:.4f}")
        for p in seen
        if p.averaged_loss is not None
    ]


def drawing(seen: list[Point]) -> Drawing:
    """Loss over tokens by schedule, with the spread of the seeds."""
    roles = {"cosine": ("ink", "cosine to each horizon"), "wsd": ("law", "cooldown branches of one trunk")}
    layers: list[Layer] = []
    mine = [point for point in seen if point.schedule == "constant"]
    x = np.array([point.tokens for point in mine], float)
    for name, field, role in (("constant rate", "loss", "muted"), ("its average", "averaged_loss", "approach1")):
        y = np.array([getattr(point, field) for point in mine], float)
        layers.append(Layer("points", name, x, y, role=role, mark="hollow"))
    for schedule, (role, name) in roles.items():
        mine = [point for point in seen if point.schedule == schedule]
        x, y, std = (np.array([getattr(p, field) for p in mine], float) for field in ("tokens", "loss", "std"))
        layers.append(Layer("line", name, x, y, role=role, mark="thin", legend=False))
        layers.append(Layer("points", name, x, y, low=y - std, high=y + std, role=role, mark="dot"))
    axes = Axis("tokens", si=True), Axis("held-out loss (nats per token)")
    caption = "Means over seeds; bars are the standard deviation of one run over seeds."
    return Drawing("trunks", "Cooldown branches beside separate cosine runs", caption, (Panel(*axes, tuple(layers)),))


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("workdir", "runs/bench_trunks", "folder of the sweeps, gone on with where it was left")
    flags.DEFINE_string("out", "docs/results/trunks", "folder for the tables and the figure")
    flags.DEFINE_integer("workers", 1, "processes at a time; 0: one a core", lower_bound=0)


if __name__ == "__main__":
    define_flags()
    cli.main(run)
