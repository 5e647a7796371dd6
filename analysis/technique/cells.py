"""The cells of a table: one technique at one strength, one shape, one length of training, at its best learning rate."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from analysis.load import FITTED, DataError, Runs
from analysis.load.columns import texts

BASELINE = "none"
SHAPE = ("width", "depth")
PLANNED = ("steps", "batch_size", "context")  # of which tokens are the product
SEEDS = ("seed", "data_seed")
ONE = ("family", "task", "parametrization")  # of which a table may hold one: the baseline's law is of it alone
APART = ("base_width", "base_depth", "batch_size", "context", "unique_tokens", "optimizer", "schedule",
         "weight_decay", "trunk", "source_run")  # fmt: skip
COSTS = ("extra_flops", "pretrain_flops")
NO_RATE = "no learning rate finished at every seed"

Place = tuple[Any, ...]  # what a technique leaves alone: shape and tokens
By = Mapping[float, Mapping[Any, int]]  # rate -> seed -> row


@dataclasses.dataclass(frozen=True)
class Cell:
    """The runs at the best rate: their seeds and ln losses (S,), mean FLOPs with the technique's own, and sunk ones.

    `edge`: the rate is the lowest or the highest of several tried. `reason`: why the cell has no loss, or nothing.
    """

    technique: str
    strength: float
    place: Place
    said: str
    n_params: float
    tokens: float
    flops: float
    sunk: float = 0.0
    learning_rate: float = math.nan
    edge: bool = False
    seeds: tuple[Any, ...] = ()  # None in a table without seeds, which pairs no runs
    log_losses_S: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    run_ids: tuple[str, ...] = ()
    reason: str = ""

    @property
    def log_loss(self) -> float:
        """Mean over seeds."""
        return float(self.log_losses_S.mean())

    @property
    def residuals_S(self) -> np.ndarray:
        """ln losses about their mean."""
        return self.log_losses_S - self.log_loss

    @property
    def dof(self) -> int:
        """Degrees of freedom of the spread over seeds."""
        return len(self.log_losses_S) - 1


def cells(runs: Runs) -> list[Cell]:
    """Every cell in the table's order. Raises DataError for a missing column, two runs of one rate and seed, or a table
    of several families, tasks or parametrisations."""
    _check_one(runs)
    runs = runs.with_columns(loss=runs.only_numbers("loss"), **_costs(runs))
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, key in enumerate(zip(_techniques(runs), _strengths(runs), _places(runs), strict=True)):
        groups[key].append(i)
    finished = np.isfinite(runs["loss"]) & (runs["loss"] > 0)
    if "status" in runs:
        finished = finished & np.isin(texts(runs["status"]), FITTED)
    return [_cell(runs, key, rows, finished) for key, rows in groups.items()]


def _check_one(runs: Runs) -> None:
    for name in ONE:
        values = sorted(set(texts(runs[name]).tolist())) if name in runs else []
        if len(values) > 1:
            raise DataError(f"{runs.source}: {name} is {', '.join(values)}; allowed: one, chosen by --where")


def _costs(runs: Runs) -> dict[str, np.ndarray]:
    """Optional FLOPs, 0 where the table has none."""
    return {name: np.nan_to_num(runs.only_numbers(name)) if name in runs else np.zeros(len(runs)) for name in COSTS}


def _techniques(runs: Runs) -> list[str]:
    """Names, BASELINE where there is none."""
    return [name.strip() or BASELINE for name in texts(runs["technique"]).tolist()]


def _strengths(runs: Runs) -> list[float]:
    if "strength" not in runs:
        return [0.0] * len(runs)
    return np.nan_to_num(runs.only_numbers("strength").astype(float)).tolist()


def _places(runs: Runs) -> list[Place]:
    """Width and depth where the table has both, else N; and tokens, of a run that ended early those planned."""
    shapes = np.stack([runs.numbers(name) for name in SHAPE], axis=1)
    known = [bool(np.isfinite(shape).all()) for shape in shapes]
    planned = np.prod([runs.numbers(name) for name in PLANNED], axis=0)
    tokens = np.where(np.isfinite(planned), planned, runs["tokens"]).tolist()
    sizes = runs["n_params"].tolist()
    return [(*(shapes[i].tolist() if known[i] else (sizes[i],)), tokens[i]) for i in range(len(runs))]


def _cell(runs: Runs, key: tuple[Any, ...], rows: Sequence[int], finished: Any) -> Cell:
    technique, strength, place = key
    by = _by_rate(runs, rows)
    rate, why = _best(by, runs["loss"], finished)
    own = list(by[rate].values()) if rate is not None else list(rows)
    about = {name: float(runs[name][own].mean()) for name in ("n_params", "flops", *COSTS)}
    cell = Cell(
        technique=technique,
        strength=strength,
        place=place,
        said=_said(place),
        n_params=about["n_params"],
        tokens=place[-1],
        flops=about["flops"] + about["extra_flops"],
        sunk=about["pretrain_flops"],
        reason=why,
    )
    if rate is None:
        return cell
    return dataclasses.replace(
        cell,
        learning_rate=rate or math.nan,
        edge=len(by) > 1 and rate in (min(by), max(by)),
        seeds=tuple(by[rate]) if "seed" in runs else (None,) * len(own),
        log_losses_S=np.log(runs["loss"][own]),
        run_ids=tuple(runs.run_id(i) for i in own),
    )


def _said(place: Place) -> str:
    shape = f"width {place[0]:g} depth {place[1]:g}" if len(place) == 3 else f"N {place[0]:.4g}"
    return f"{shape} D {place[-1]:.4g}"


def _by_rate(runs: Runs, rows: Sequence[int]) -> By:
    """Rows by rate and seed; in a table without seeds each row is its own. Raises DataError for two of both."""
    rates = np.nan_to_num(runs.numbers("learning_rate"))[rows].tolist()
    names = [name for name in SEEDS if name in runs] if "seed" in runs else []
    seeds = list(zip(*(runs.numbers(name)[rows].tolist() for name in names), strict=True)) if names else list(rows)
    found: dict[float, dict[Any, int]] = defaultdict(dict)
    for rate, seed, row in zip(rates, seeds, rows, strict=True):
        if seed in found[rate]:
            twice = [found[rate][seed], row]
            differ = [name for name in APART if name in runs and len(set(runs[name][twice].tolist())) > 1]
            raise DataError(
                f"{runs.source}: {runs.run_id(twice[0])} and {runs.run_id(row)} are one technique, shape, length, "
                f"learning rate and seed, unlike in {', '.join(differ) or 'other settings'}; allowed: one, chosen by "
                "--where"
            )
        found[rate][seed] = row
    return found


def _best(by: By, losses: np.ndarray, finished: Any) -> tuple[float | None, str]:
    """The rate with the least mean loss over the seeds that were tried at the most rates, of those rates at which every
    seed finished; and why there is none."""
    sound = {rate: own for rate, own in by.items() if all(finished[row] for row in own.values())}
    if not sound:
        return None, NO_RATE
    tried = [seed for own in sound.values() for seed in own]
    most = max(tried.count(seed) for seed in tried)
    shared = {seed for seed in tried if tried.count(seed) == most}
    means = {
        rate: fmean(losses[row] for seed, row in own.items() if seed in shared)
        for rate, own in sound.items()
        if shared & set(own)
    }
    return min(means, key=lambda rate: (means[rate], rate)), ""
