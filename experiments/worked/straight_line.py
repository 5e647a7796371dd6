"""The case of a straight line: Adam beside least squares, on the recipe's table and more, and without an intercept."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.worked.trained import Check, Trained, trained
from scaling_laws.config import RunConfig, replace

if TYPE_CHECKING:
    from analysis.least_squares import Line

TRUTH = {"intercept": 2.0, "slope": 3.0}  # of scaling_laws.tasks.generated_tables.toy_line
ROWS = 100  # of a table
AGREES = 0.05  # standard errors between Adam and least squares, at most
RECOVERED = 2.0  # standard errors between Adam and the truth, at most, in the recipe's own table
FAILS = 4.0  # times the squared error of the line with an intercept that the line without has, at least
COLUMNS = (
    "table",
    "parameter",
    "truth",
    "least_squares",
    "standard_error",
    "adam",
    "adam_from_truth",
    "adam_from_least_squares",
)
ARMS = ("line", "intercept", "slope", "slope_from_truth", "train_loss", "heldout_loss", "heldout_loss_se")


@dataclasses.dataclass(frozen=True)
class Straight:
    """A row of COLUMNS a table and parameter, a row of ARMS a line, the rows (n,) of the recipe's table that were
    trained on, and what was asked."""

    rows: list[dict[str, Any]]
    arms: list[dict[str, Any]]
    x: np.ndarray
    y: np.ndarray
    checks: list[Check]


def study(config: RunConfig, n_tables: int, workdir: Path) -> Straight:
    """Train the recipe, its arm without an intercept, and the recipe on further tables. Errors as `trained`."""
    own, without = trained(config, workdir), trained(replace(config, {"model.bias": False}), workdir)
    others = [
        trained(replace(config, {"task.path": path, "task.target": "y"}), workdir)
        for path in further_tables(n_tables, workdir / "tables")
    ]
    rows = [row for number, one in enumerate((own, *others)) for row in compared(number, one)]
    error = fitted(own).slope_se
    arms = [arm(name, one, error) for name, one in (("with intercept", own), ("without intercept", without))]
    train = own.task.train
    return Straight(rows, arms, train["inputs"][:, 0], train["targets"], checks(rows, arms, fitted(own, False)))


def further_tables(n_tables: int, folder: Path) -> list[str]:
    """CSV files of tables 1 to `n_tables` - 1: the next hundreds of rows after those of the recipe's own, table 0."""
    from analysis.figures import style
    from scaling_laws.config import TaskConfig
    from scaling_laws.tasks.generated_tables import toy_line

    columns = {column.name: column.values for column in toy_line(TaskConfig(examples=n_tables * ROWS)).columns}
    paths = []
    for number in range(1, n_tables):
        part = slice(number * ROWS, (number + 1) * ROWS)
        pairs = zip(columns["x"][part], columns["y"][part], strict=True)
        content = style.csv_bytes([{"x": float(x), "y": float(y)} for x, y in pairs], ("x", "y"))
        paths.append(str(style.write_atomically(folder / f"line_{number:02d}.csv", content)))
    return paths


def fitted(one: Trained, intercept: bool = True) -> "Line":
    """Least squares on the rows that a run was trained on."""
    from analysis.least_squares import line

    return line(one.task.train["inputs"][:, 0], one.task.train["targets"], intercept)


def coefficients(one: Trained) -> dict[str, float]:
    """Slope and intercept that a run ended at; without an intercept 0."""
    bias = one.parameters.get("params/linear_bias", np.zeros(1))
    return {"intercept": float(bias[0]), "slope": float(one.parameters["params/linear"][0, 0])}


def compared(number: int, one: Trained) -> list[dict[str, Any]]:
    """The rows of a table: what Adam found beside least squares and beside the truth, in standard errors."""
    closed, found, rows = fitted(one), coefficients(one), []
    for name, truth in TRUTH.items():
        exact, error = getattr(closed, name), getattr(closed, f"{name}_se")
        distances = ((found[name] - truth) / error, (found[name] - exact) / error)
        values = (number, name, truth, exact, error, found[name], *distances)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def arm(name: str, one: Trained, error: float) -> dict[str, Any]:
    """The row of a line; `error`: the standard error of the slope of the line with an intercept."""
    found, train = coefficients(one), one.task.train
    residuals = train["targets"] - found["intercept"] - found["slope"] * train["inputs"][:, 0]
    off, loss = (found["slope"] - TRUTH["slope"]) / error, float(np.mean(residuals**2))
    values = (name, *found.values(), off, loss, one.row["loss"], one.row["loss_se"])
    return dict(zip(ARMS, values, strict=True))


def checks(rows: Sequence[dict[str, Any]], arms: Sequence[dict[str, Any]], origin: "Line") -> list[Check]:
    """Adam agrees with least squares, with the truth in the recipe's table; without an intercept it fails."""
    apart = max(abs(row["adam_from_least_squares"]) for row in rows)
    found = [Check(f"Adam is within {apart:.1g} standard errors of least squares, at most {AGREES:g}", apart <= AGREES)]
    for row in rows[: len(TRUTH)]:
        said = f"{row['parameter']} {row['adam']:.4f}, {row['adam_from_truth']:+.2f} standard errors from the truth"
        found.append(Check(f"{said}, at most {RECOVERED:g}", abs(row["adam_from_truth"]) <= RECOVERED))
    times = arms[1]["train_loss"] / arms[0]["train_loss"]
    said = f"without an intercept the squared error is {times:.1f} times as large, at least {FAILS:g}"
    close = abs(arms[1]["slope"] - origin.slope) <= AGREES * origin.slope_se
    return [*found, Check(said, times >= FAILS), Check("and Adam is at least squares through the origin", close)]


def shares(rows: Sequence[dict[str, Any]]) -> str:
    """How often the truth lies within one and two standard errors, over tables and parameters."""
    off = np.abs([row["adam_from_truth"] for row in rows])
    counts = ", ".join(f"within {k} {np.mean(off <= k):.0%} ({usual} %)" for k, usual in ((1, 68), (2, 95)))
    return f"{len(off)} coefficients of {len(off) // len(TRUTH)} tables, standard errors from the truth: {counts}"


def lines(found: Straight) -> list[str]:
    """The tables and the checks in words."""
    from scaling_laws.sweep.show import align

    head = ("", "truth", "least squares", "standard error", "Adam", "SE from the truth", "SE from least squares")
    table = [
        f"{row['parameter']} {row['truth']:g} {row['least_squares']:.4f} {row['standard_error']:.4f} "
        f"{row['adam']:.4f} {row['adam_from_truth']:+.2f} {row['adam_from_least_squares']:+.0e}".split()
        for row in found.rows[: len(TRUTH)]
    ]
    top = ("", "intercept", "slope", "SE of slope from the truth", "squared error in training", "held out")
    arms = [
        (
            row["line"],
            f"{row['intercept']:.4f}",
            f"{row['slope']:.4f}",
            f"{row['slope_from_truth']:+.2f}",
            f"{row['train_loss']:.4f}",
            f"{row['heldout_loss']:.2f} ± {row['heldout_loss_se']:.2f}",
        )
        for row in found.arms
    ]
    return [*align([head, *table]), shares(found.rows), *align([top, *arms]), *map(str, found.checks)]
