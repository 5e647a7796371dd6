"""Tables for sums of powers: made up here, and published ones where the user has them.

Columns are positive arrays (n,); losses are in nats per token. Made-up tables depend on their seed alone.
"""

import csv
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

DELTAS = (1e-3, 1e-4)


@dataclasses.dataclass(frozen=True)
class PowerTable:
    """Columns to sum powers of, and the loss (n,) to explain."""

    name: str
    columns: Mapping[str, np.ndarray]
    loss: np.ndarray


@dataclasses.dataclass(frozen=True)
class Truth:
    """L = floor + sum_i share_i (x_i / geometric mean of x_i)^-exponent_i, times noise; one entry a column."""

    shares: tuple[float, ...]
    exponents: tuple[float, ...]
    floor: float = 1.7
    noise: float = 0.005
    outliers: float = 0.0  # share of the points with ten times the noise


Columns = dict[str, np.ndarray]


def _shapes(rng: np.random.Generator, points: int) -> Columns:
    """Transformers: width and depth on a grid, N = 12 d w^2 + 512 w, tokens over three decades."""
    width = 64.0 * rng.integers(2, 33, points)
    depth = rng.integers(2, 41, points).astype(float)
    tokens = 10 ** rng.uniform(8, 11, points)
    return {"width": width, "depth": depth, "n_params": 12 * depth * width**2 + 512 * width, "tokens": tokens}


def _aspect(rng: np.random.Generator, points: int, spread: float) -> Columns:
    """Depth follows width but for a factor exp(+-spread), tokens follow parameters likewise: nearly collinear."""
    columns = _shapes(rng, points)
    columns["depth"] = columns["width"] / 64 * np.exp(spread * rng.standard_normal(points))
    columns["n_params"] = 12 * columns["depth"] * columns["width"] ** 2
    columns["tokens"] = 20 * columns["n_params"] * np.exp(spread * rng.standard_normal(points))
    return columns


def _grid(rng: np.random.Generator, points: int) -> Columns:
    """Few distinct values a column, as sweeps have."""
    columns = {
        "width": rng.choice([128.0, 256, 512, 1024], points),
        "depth": rng.choice([2.0, 4, 8, 16], points),
        "tokens": rng.choice([1e9, 4e9, 1.6e10, 6.4e10], points),
    }
    return columns | {"n_params": 12 * columns["depth"] * columns["width"] ** 2}


def _made(name: str, names: tuple[str, ...], points: int, truth: Truth, draw: Callable = _shapes, *args) -> PowerTable:
    rng = np.random.default_rng(list(name.encode()))
    drawn = draw(rng, points, *args)
    columns = {column: drawn[column] for column in names}
    centred = (x / np.exp(np.log(x).mean()) for x in columns.values())
    powers = zip(truth.shares, centred, truth.exponents, strict=True)
    loss = truth.floor + sum(share * x**-exponent for share, x, exponent in powers)
    scale = np.where(rng.random(points) < truth.outliers, 10 * truth.noise, truth.noise)
    return PowerTable(name, columns, loss * np.exp(scale * rng.standard_normal(points)))


THREE = ("width", "depth", "tokens")
FOUR = ("width", "depth", "n_params", "tokens")


def synthetic() -> Iterator[PowerTable]:
    """Tables made up from a known law."""
    plain3, plain4 = (0.3, 0.2, 0.5), (0.2, 0.15, 0.3, 0.5)
    yield _made("three", THREE, 240, Truth(plain3, (0.5, 0.4, 0.3)))
    yield _made("three_noisy", THREE, 240, Truth(plain3, (0.5, 0.4, 0.3), noise=0.03))
    yield _made("three_outliers", THREE, 240, Truth(plain3, (0.5, 0.4, 0.3), outliers=0.1))
    yield _made("three_few", THREE, 30, Truth(plain3, (0.7, 0.4, 0.3)))
    yield _made("three_grid", THREE, 200, Truth(plain3, (0.7, 0.9, 0.3)), _grid)
    yield _made("three_no_floor", THREE, 240, Truth((0.8, 0.5, 1.2), (0.2, 0.1, 0.15), floor=0.0))
    yield _made("three_aspect", THREE, 240, Truth(plain3, (0.6, 0.4, 0.3)), _aspect, 0.1)
    yield _made("three_aspect_tight", THREE, 240, Truth(plain3, (0.6, 0.4, 0.3)), _aspect, 0.01)
    yield _made("three_absent", THREE, 240, Truth((0.4, 0.0, 0.5), (0.5, 0.3, 0.3)))
    yield _made("three_steep", THREE, 240, Truth((0.1, 0.1, 0.3), (1.5, 1.2, 0.4)))
    yield _made("four", FOUR, 240, Truth(plain4, (0.5, 0.6, 0.3, 0.35)))
    yield _made("four_noisy", FOUR, 240, Truth(plain4, (0.5, 0.6, 0.3, 0.35), noise=0.02))
    yield _made("four_no_floor", FOUR, 240, Truth((0.6, 0.4, 0.5, 1.0), (0.3, 0.2, 0.1, 0.15), floor=0.0))
    yield _made("four_aspect", FOUR, 240, Truth(plain4, (0.5, 0.6, 0.3, 0.35)), _aspect, 0.1)
    yield _made("four_grid", FOUR, 200, Truth(plain4, (0.5, 0.9, 0.3, 0.35)), _grid)
    yield _made("four_outliers", FOUR, 120, Truth(plain4, (0.5, 0.6, 0.3, 0.35), outliers=0.1))


def published(folder: Path) -> Iterator[PowerTable]:
    """Real runs from the folders of published tables in `folder`; a table that is not there is left out."""
    for path, read in _PUBLISHED.items():
        if (folder / path).exists():
            with (folder / path).open(newline="") as file:
                yield from read(list(csv.DictReader(file)))


def _table(name: str, rows: list[dict[str, str]], loss: str, **columns: str) -> PowerTable:
    """Columns ours=theirs of the rows that have a loss."""
    kept = [row for row in rows if row[loss]]
    numbers = {ours: np.array([float(row[theirs]) for row in kept]) for ours, theirs in columns.items()}
    return PowerTable(name, numbers, np.array([float(row[loss]) for row in kept]))


def _chinchilla(rows: list[dict[str, str]]) -> Iterator[PowerTable]:
    rows = sorted(rows, key=lambda row: float(row["loss"]))[:-5]
    rows = [row | {"D": str(float(row["Training FLOP"]) / (6 * float(row["Model Size"])))} for row in rows]
    yield _table("chinchilla_ndc", rows, "loss", n_params="Model Size", tokens="D", flops="Training FLOP")


def _gadre(rows: list[dict[str, str]]) -> Iterator[PowerTable]:
    rows = [row for row in rows if row["dataset_name"] == "c4_original"]
    yield _table("gadre_ndm", rows, "loss_c4_val", n_params="N", tokens="D", tokens_per_param="tok_mult")


def _gadre_models(rows: list[dict[str, str]]) -> Iterator[PowerTable]:
    shaped = []
    for row in rows:
        shape = dict(part.split("=") for part in Path(row["model"]).stem.split("_") if "=" in part)
        if {"d", "l"} <= shape.keys():
            shaped.append(row | {"w": shape["d"], "l": shape["l"]})
    yield _table("gadre_shapes", shaped, "loss_c4_val", width="w", depth="l", tokens="D")
    yield _table(
        "gadre_counts", shaped, "loss_c4_val", width="w", n_params="N", n_non_embedding="N_no_embed", tokens="D"
    )


def _datablations(rows: list[dict[str, str]]) -> Iterator[PowerTable]:
    yield _table("datablations_ndu", rows, "loss", n_params="N", tokens="D", unique_tokens="U_unique_tokens")


def _steplaw(rows: list[dict[str, str]]) -> Iterator[PowerTable]:
    best: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        cell = row["N"], row["D"]
        if cell not in best or float(row["loss"]) < float(best[cell]["loss"]):
            best[cell] = row
    yield _table("steplaw_best", list(best.values()), "loss", width="h", depth="numl", tokens="D")
    some = rows[::6]
    yield _table("steplaw_shapes", some, "loss", width="h", depth="numl", n_params="N", tokens="D")
    yield _table("steplaw_rates", some, "loss", n_params="N", tokens="D", learning_rate="lr", batch="bs")


def _porian(rows: list[dict[str, str]]) -> Iterator[PowerTable]:
    kept = [row for row in rows if row["dataset"] == "rw" and row["hparams"] == "tuned"]
    yield _table("porian_ndc", kept, "loss", n_params="N", tokens="D", flops="flops")


_PUBLISHED = {
    "epoch_chinchilla/svg_extracted_data.csv": _chinchilla,
    "gadre/runs_full.csv": _gadre,
    "gadre/models.csv": _gadre_models,
    "datablations/parametric_fit_points.csv": _datablations,
    "steplaw/dense_lr_bs_loss.csv": _steplaw,
    "porian/isoflop_points.csv": _porian,
}
