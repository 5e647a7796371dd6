"""How forecasts came out: each beside the runs that landed on its target, and all of them together.

Grades follow from the ledger and the runs alone, and are never written into the ledger.
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from analysis import load
from analysis.forecasts.landing import TOLERANCE, answers, began_before, rows_at
from analysis.forecasts.record import Record
from analysis.load import Runs

OPEN, KNOWN, LANDED = "open", "known before", "landed"
GUESSES = ("best", "power")  # the naive ones


@dataclasses.dataclass(frozen=True)
class Landed:
    """One run at a target: what was seen, and the forecast and its interval at the run's own N and D.

    That is the registered value, moved as the registered law moves from the target to there.
    """

    run_id: str
    seen: float
    value: float
    interval: tuple[float, float]

    @property
    def inside(self) -> bool:
        """Whether the interval holds what was seen."""
        return self.interval[0] <= self.seen <= self.interval[1]


@dataclasses.dataclass(frozen=True)
class Grade:
    """A forecast and the runs that answered it, the earliest first; `early`: runs there that began before it."""

    record: Record
    runs: tuple[Landed, ...] = ()
    early: int = 0

    @property
    def state(self) -> str:
        """OPEN, LANDED, or KNOWN: the only runs there began before the forecast was made."""
        return LANDED if self.runs else KNOWN if self.early else OPEN

    @property
    def seen(self) -> float:
        """Mean over the runs; NaN without one."""
        return float(np.mean([run.seen for run in self.runs])) if self.runs else math.nan

    @property
    def error(self) -> float:
        """The forecast over what was seen, less 1, both as means over the runs; NaN without a run."""
        return float(np.mean([run.value for run in self.runs])) / self.seen - 1 if self.runs else math.nan

    @property
    def naive_errors(self) -> dict[str, float]:
        """The same of the naive guesses."""
        best, power = (self.record.naive[name] / self.seen - 1 for name in ("best_loss", "power_law"))
        return dict(zip(GUESSES, (best, power), strict=True))

    @property
    def inside(self) -> bool | None:
        """Whether the interval, which is one for one new run, holds the first of them; None without a run."""
        return self.runs[0].inside if self.runs else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        own = {"state": self.state, "early": self.early, "runs": [dataclasses.asdict(run) for run in self.runs]}
        graded = {"seen": self.seen, "error": self.error, "inside": self.inside, "naive_errors": self.naive_errors}
        return {"forecast": self.record.to_json(), **own, **(graded if self.runs else {})}


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Of the forecasts at one level: how many landed, how many were inside, and Wilson's 95 % interval of the share."""

    level: float
    landed: int
    inside: int
    interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Summary:
    """All forecasts together; shares and errors are of those that landed, NaN without one."""

    made: int
    landed: int
    known: int
    median_error: float  # of the absolute errors
    better: dict[str, float]  # share nearer to what was seen than each naive guess, and than both
    coverage: tuple[Coverage, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def grade(
    records: Sequence[Record], tables: Sequence[str | Path], tolerance: float = TOLERANCE, columns: str = ""
) -> tuple[Grade, ...]:
    """Every forecast with the runs of all tables that answer it. Raises DataError where a table cannot be read."""
    kept: dict[Any, Runs] = {}
    return tuple(_graded(record, tables, tolerance, columns, kept) for record in records)


def summarise(grades: Sequence[Grade]) -> Summary:
    """Error, coverage and the share that beat the naive guesses."""
    landed = [one for one in grades if one.state == LANDED]
    errors = np.array([abs(one.error) for one in landed])
    naive = {name: np.array([abs(one.naive_errors[name]) for one in landed]) for name in GUESSES}
    nearer = {name: errors < naive[name] for name in GUESSES}
    nearer["both"] = np.logical_and.reduce(list(nearer.values()))
    levels = sorted({one.record.forecast["level"] for one in landed})
    return Summary(
        made=len(grades),
        landed=len(landed),
        known=sum(one.state == KNOWN for one in grades),
        median_error=float(np.median(errors)) if landed else math.nan,
        better={name: float(hits.mean()) if landed else math.nan for name, hits in nearer.items()},
        coverage=tuple(_coverage(level, landed) for level in levels),
    )


def wilson(hits: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a binomial share (Wilson 1927; Brown, Cai and DasGupta 2001, equation 4)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    center = (hits + z**2 / 2) / (trials + z**2)
    reach = z * math.sqrt(trials) / (trials + z**2) * math.sqrt(hits / trials * (1 - hits / trials) + z**2 / 4 / trials)
    return max(0.0, center - reach), min(1.0, center + reach)


def _coverage(level: float, landed: Sequence[Grade]) -> Coverage:
    own = [one for one in landed if one.record.forecast["level"] == level]
    inside = sum(bool(one.inside) for one in own)
    return Coverage(level, len(own), inside, wilson(inside, len(own)))


def _graded(record: Record, tables: Sequence[str | Path], tolerance: float, columns: str, kept: dict) -> Grade:
    found: dict[str, tuple[str, Landed]] = {}
    early = set()
    counting = tuple(record.options.get(name) for name in ("columns", "params_convention", "flops_convention"))
    for table in tables:
        key = (str(table), record.column, *counting)
        if key not in kept:
            kept[key] = answers(table, record, columns=columns)
        runs = kept[key]
        runs = runs.select(rows_at(record, runs, tolerance), "elsewhere")
        late = ~began_before(runs, record.made_at)
        early |= {runs.run_id(int(i)) for i in np.flatnonzero(~late)}
        runs = runs.select(late, "began before the forecast")
        runs = load.best_rate(runs) if len(runs) else runs
        for i in range(len(runs)):
            started = str(runs["started_at"][i]) if "started_at" in runs else ""
            found.setdefault(runs.run_id(i), (started, _landed(record, runs, i)))
    ordered = sorted(found.values(), key=lambda pair: (pair[0], pair[1].run_id))
    return Grade(record, tuple(run for _, run in ordered), len(early))


def _landed(record: Record, runs: Runs, i: int) -> Landed:
    moved = record.ratio_at(*(float(runs[name][i]) for name in ("n_params", "tokens", "flops")))
    low, high = record.interval
    seen = float(runs[record.column][i])
    return Landed(runs.run_id(i), seen, record.forecast["value"] * moved, (low * moved, high * moved))
