"""Cooldown branches of one trunk against separate cosine runs of the same tokens, and what the token axis costs.

    scripts/bench trunks                       about ten minutes of one core; stopped, the same command goes on
    scripts/bench trunks --out=FOLDER          writes the tables, losses.csv and the figures there

The shape, budgets and seeds of experiments/configs/trunks.py, trained as `experiments.schedules` says: five seeds of
cosine runs to each horizon and of `wsd` branches from one trunk a seed, at the best of five rates, and two seeds of
`constant` runs whose parameters are averaged over a window, as in Kaddour (2022). The exit code is 0 whatever was
measured.
"""

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path

from absl import flags

from analysis import cli, schedules
from analysis.figures import schedules as pictures
from analysis.figures import static
from analysis.figures.style import csv_bytes, write_atomically
from analysis.load import Runs, load
from experiments import schedules as trained
from experiments.configs import trunks as recipe
from scaling_laws.config import replace
from scaling_laws.table.store import CURVES_FILE, RUNS_FILE
from scripts.benchmarks.report import Row, lines

POINTS = 3.0  # bar: percentage points
RESAMPLES = 1000  # behind the bands


def run() -> None:
    """Trains what is missing, prints the comparison and writes it to --out. Raises ConfigError for bad input."""
    workdir, out = Path(flags.FLAGS.workdir), Path(flags.FLAGS.out)
    for summary in trained.train(replace(recipe.get_config(), {"sweep.workers": flags.FLAGS.workers}), workdir):
        if summary.interrupted:
            raise KeyboardInterrupt
    runs = load(workdir, needs=schedules.NEEDS)
    seen = schedules.points(runs)
    print("\n".join(lines([*compared(seen), cost(runs), *averages(seen)])))
    write(runs, out)
    for name in (Path(RUNS_FILE), Path(CURVES_FILE), Path(trained.TUNING) / RUNS_FILE):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(workdir / name, out / name)


def compared(seen: list[schedules.Point]) -> list[Row]:
    """Branches against cosine runs at each token budget, in standard deviations of a run over seeds."""
    return [
        Row(
            f"branch - cosine, {one.tokens:,} tokens",
            f"within {schedules.NEAR:g}",
            f"{one.branch:.4f} against {one.cosine:.4f}: {one.value:+.1f} standard deviations of {one.std:.4f}",
            abs(one.value) <= schedules.NEAR,
        )
        for one in schedules.apart(seen)
    ]


def cost(runs: Runs) -> Row:
    """Steps that the branches trained over those of separate runs, against .2 + .8 max(D) / sum(D)."""
    found = schedules.cost(runs)
    said = f"{found.share:.2%} of separate runs, by the formula {found.formula:.2%}"
    met = abs(found.share - found.formula) <= POINTS / 100
    return Row("cost of the token axis", f"within {POINTS:g} points", said, met)


def averages(seen: Iterable[schedules.Point]) -> list[Row]:
    """The loss of averaged parameters beside that of the last ones."""
    return [
        Row(f"{p.schedule}, {p.tokens:,} tokens: last and averaged", "", f"{p.loss:.4f}, {p.averaged_loss:.4f}")
        for p in seen
        if p.averaged_loss == p.averaged_loss
    ]


def write(runs: Runs, out: Path) -> None:
    """losses.csv and the figures."""
    seen, fields = schedules.points(runs), [field.name for field in dataclasses.fields(schedules.Point)]
    write_atomically(out / "losses.csv", csv_bytes((dataclasses.asdict(point) for point in seen), fields))
    static.save(pictures.losses(seen, schedules.laws(runs, RESAMPLES)), out)
    static.save(pictures.cost(schedules.cost(runs)), out)


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("workdir", "runs/bench_trunks", "folder of the sweeps, gone on with where it was left")
    flags.DEFINE_string("out", "docs/results/trunks", "folder for the tables and the figures")
    flags.DEFINE_integer("workers", 1, "processes at a time; 0: one a core", lower_bound=0)


if __name__ == "__main__":
    define_flags()
    cli.main(run)
