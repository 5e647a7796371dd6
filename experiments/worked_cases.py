"""Two small cases, worked through: a network that learns 70 rows by heart, and a line by Adam beside least squares.

    python -m experiments.worked_cases --workdir=runs/worked

Trains the recipes `configs/toy_classes.py` and `configs/toy_line.py` and what they are compared with, in half a minute.
Prints what came out, and leaves classes.csv, coefficients.csv, lines.csv and figures in the workdir, beside the runs
table. Stop it at any time: the same command goes on. Exit code 0 when all checks hold, 1 when one is missed, 130 after
Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from experiments import cli
from experiments.configs import toy_classes, toy_line
from experiments.worked import straight_line, two_classes
from experiments.worked.trained import Check, Stopped
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig, run_part

_HELP = "tables of the line, the recipe's own included"
_TABLES = flags.DEFINE_integer("tables", 20, _HELP, lower_bound=1, upper_bound=1000)


def run() -> int:
    """Both cases, one after the other."""
    if cli.config() != ExperimentConfig():
        raise ConfigError(
            "--config: given; allowed: none, for two recipes are trained as they are; with other settings: "
            "python -m experiments.train --config=experiments/configs/toy_line.py"
        )
    workdir = cli.workdir()
    try:
        checks = classes(run_part(toy_classes.get_config()), workdir)
        checks += line(run_part(toy_line.get_config()), _TABLES.value, workdir)
    except Stopped as stopped:
        return command.stopped(stopped.asked.terminated)
    return 0 if all(check.passed for check in checks) else 1


def classes(config: RunConfig, workdir: Path) -> list[Check]:
    """Train, print, write and draw the case of two classes."""
    from analysis.figures import static, worked_cases

    found = two_classes.study(config, workdir)
    print("\n".join(two_classes.lines(found)), flush=True)
    write(workdir / "classes.csv", found.rows, two_classes.COLUMNS)
    static.save(worked_cases.losses(found.curves), workdir / "figures")
    return found.checks


def line(config: RunConfig, n_tables: int, workdir: Path) -> list[Check]:
    """Train, print, write and draw the case of the line."""
    from analysis.figures import static, worked_cases

    found = straight_line.study(config, n_tables, workdir)
    print("\n".join(straight_line.lines(found)), flush=True)
    write(workdir / "coefficients.csv", found.rows, straight_line.COLUMNS)
    write(workdir / "lines.csv", found.arms, straight_line.ARMS)
    static.save(worked_cases.lines(found.x, found.y, straight_line.TRUTH, found.arms), workdir / "figures")
    static.save(worked_cases.distances(found.rows), workdir / "figures")
    return found.checks


def write(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A CSV, whole or not at all."""
    from analysis.figures import style

    style.write_atomically(path, style.csv_bytes(rows, columns))


if __name__ == "__main__":
    cli.main(run)
