"""What `python -m analysis.fit` makes of a table: approaches 1, 2 and 3 side by side, as lines and as JSON."""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

from analysis import laws, load, select
from analysis.envelope import Envelope, envelope
from analysis.fit import Fit, fit, holdout_score
from analysis.frontier import TWO_DECADES
from analysis.isoflop import Isoflop, isoflop

APPROACHES = ("1 envelope of curves", "2 parabola a budget", "3 law")


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of analysis.fit but the table and the output."""

    columns: str | None = None
    where: str | None = None
    law: str = "chinchilla"
    objective: str = "huber"
    delta: float = 1e-3
    bootstrap: int = 0
    interval: str = "bootstrap"
    level: float = 0.9
    holdout: str | None = None
    include_forecasts: bool = False
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Summary:
    """The three approaches on one table; an absent one with its reason in `missing`."""

    runs: load.Runs  # those that were fitted
    fit: Fit
    isoflop: Isoflop | None
    envelope: Envelope | None
    missing: dict[str, str]
    scores: dict[str, dict[str, Any]]  # "holdout", "forecasts": errors on runs that were not fitted

    def lines(self) -> list[str]:
        """The table that is printed."""
        return [*_coefficients(self.fit), *_exponents(self), *_evidence(self)]

    def to_json(self) -> dict[str, Any]:
        """The fit's keys, the other approaches, the scores, and every row that was left out."""
        parts = {"isoflop": self.isoflop, "envelope": self.envelope}
        found = {name: None if part is None else part.to_json() for name, part in parts.items()}
        left_out = [dataclasses.asdict(item) for item in self.runs.excluded]
        rest = {"missing": self.missing, "scores": self.scores, "left_out": left_out, "source": self.runs.source}
        return self.fit.to_json() | found | rest


def options(values: Any) -> Options:
    """Options from parsed flags."""
    return Options(**{field.name: getattr(values, field.name) for field in dataclasses.fields(Options)})


def summarise(path: str | Path, chosen: Options) -> Summary:
    """Loads, selects, fits and scores. Raises DataError and ConfigError."""
    runs, forecasts = load.load(path, chosen.columns, chosen.where), None
    if not chosen.include_forecasts:
        runs, forecasts = select.split_forecasts(runs)
    runs, held = load.best_rate(runs), None
    if chosen.holdout:
        runs, held = select.split_holdout(runs, chosen.holdout)
    sampling = {"bootstrap": chosen.bootstrap, "seed": chosen.seed, "level": chosen.level}
    result = fit(runs, chosen.law, chosen.objective, chosen.delta, interval=chosen.interval, **sampling)
    missing: dict[str, str] = {}
    unseen = {"holdout": held, "forecasts": forecasts}
    return Summary(
        runs=runs,
        fit=result,
        isoflop=_or_reason(missing, "isoflop", lambda: isoflop(runs, **sampling)),
        envelope=_or_reason(missing, "envelope", lambda: envelope(_curves(path), runs, **sampling)),
        missing=missing,
        scores={name: holdout_score(result, part) for name, part in unseen.items() if part is not None},
    )


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Writes `data` whole or not at all; what is not finite becomes null."""
    text = json.dumps(_finite(data), indent=1, allow_nan=False)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text + "\n")
    os.replace(partial, path)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _curves(path: str | Path) -> load.Runs:
    if not Path(path).is_dir():
        raise load.DataError("a single table of runs has no training curves")
    return load.load_curves(path)


def _or_reason(missing: dict[str, str], name: str, compute: Any) -> Any:
    from scaling_laws.table import TableError

    try:
        return compute()
    except (load.DataError, TableError) as reason:
        missing[name] = str(reason)
        return None


def _coefficients(result: Fit) -> list[str]:
    objective = result.objective
    corner = f" (corner {objective['delta']:g})" if objective["name"] == "huber" else ""
    head = (
        f"{laws.get(result.law).formula}: {result.n_points} runs, {objective['name']}{corner} {objective['value']:.9g}"
    )
    rows = [
        f"  {name:<8} {value:<12.5g}{_interval(result.intervals.get(name))}"
        for name, value in result.coefficients.items()
    ]
    kind = f"  {result.level:.0%} intervals: {result.interval}, {_draws(result)} draws" if result.interval else ""
    return [head, *rows, *filter(None, [kind])]


def _exponents(made: Summary) -> list[str]:
    lines = ["", f"{'N* ~ C^a':<24}{'a':<10}{'interval':<20}from"]
    lines.append(_row(APPROACHES[0], made.envelope, made.missing.get("envelope", ""), "points of the envelope"))
    lines.append(_row(APPROACHES[1], made.isoflop, made.missing.get("isoflop", ""), _budgets(made.isoflop)))
    front = made.fit.frontier
    if front is None:
        return [*lines, f"{APPROACHES[2]:<24}{'-':<10}law {made.fit.law!r} has no frontier over N and D"]
    interval = _interval(front.intervals.get("a"))
    return [*lines, f"{APPROACHES[2]:<24}{front.a:<10.4f}{interval:<20}{front.compute.note}{_called(front.name)}"]


def _row(name: str, part: Any, reason: str, source: str) -> str:
    if part is None or not math.isfinite(part.a):
        return f"{name:<24}{'-':<10}{reason or 'fewer than two budgets with an interior minimum'}"
    return f"{name:<24}{part.a:<10.4f}{_interval(part.a_interval):<20}{source}{_called(part.name)}"


def _budgets(part: Isoflop | None) -> str:
    if part is None:
        return ""
    return f"{sum(not group.edge for group in part.groups)} of {len(part.groups)} budgets"


def _evidence(made: Summary) -> list[str]:
    sure = made.fit.certificate
    gap = "no other optimum" if sure["gap_to_second"] is None else f"next optimum {sure['gap_to_second']:.3g} above"
    lines = ["", f"optimum: {sure['agreeing_fraction']:.0%} of {sure['starts']} starts agree, {gap}"]
    noise = made.fit.seed_noise
    if noise:
        lines.append(f"seeds: ln loss varies by {noise['sd']:.4f} over {noise['groups']} repeated shapes")
    for name, score in made.scores.items():
        covered = f", {score['coverage']:.0%} inside {score['level']:.0%} intervals" if "coverage" in score else ""
        lines.append(f"{name}: {score['runs']} runs, error {score['rms_log_error']:.3%} in ln loss{covered}")
    lines += [f"left out: {count} x {reason}" for reason, count in made.fit.excluded.items()]
    notes = [
        *made.fit.notes,
        *(made.isoflop.notes if made.isoflop else ()),
        *(made.envelope.notes if made.envelope else ()),
    ]
    return lines + [f"note: {note}" for note in notes]


def _called(name: str) -> str:
    return "" if name == "exponent" else f"; a {name}: {TWO_DECADES:g} decades of C and five budgets make an exponent"


def _interval(pair: tuple[float, float] | None) -> str:
    return f"[{pair[0]:.4g}, {pair[1]:.4g}]" if pair is not None else ""


def _draws(result: Fit) -> int:
    return len(next(iter(result.samples.values()), ()))
