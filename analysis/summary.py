"""What `python -m analysis.fit` says of a study: approaches 1, 2 and 3 side by side, as lines and as JSON."""

import json
import math
import os
from pathlib import Path
from typing import Any

from analysis import budgets, laws
from analysis.fitting import Fit
from analysis.isoflop import Isoflop
from analysis.load import Exclusion, row_spans
from analysis.study import Study

LISTED = 1000  # rows and names that the JSON lists for one reason; the count is of all
APPROACHES = ("1 envelope of curves", "2 parabola a budget", "3 law")


def lines(study: Study) -> list[str]:
    """The table that is printed. Raises DataError where the law could not be fitted."""
    result = study.require_fit()
    return [*_coefficients(result), *_exponents(study, result), *_evidence(study, result)]


def to_json(study: Study) -> dict[str, Any]:
    """The fit's keys, the other approaches, the scores, and every row that was left out. Raises as `lines`."""
    parts = {"isoflop": study.isoflop, "envelope": study.envelope, "with_bad": study.with_bad}
    found = {name: None if part is None else part.to_json() for name, part in parts.items()}
    left_out = [_left_out(item) for item in study.runs.excluded]
    rest = {"missing": study.missing, "scores": study.scores, "left_out": left_out, "source": study.runs.source}
    return study.require_fit().to_json() | found | rest


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


def _left_out(item: Exclusion) -> dict[str, Any]:
    """One reason with its count, the stretches of its rows from 1, and the names of the runs, the first LISTED each."""
    spans = row_spans(item.rows)[:LISTED]
    return {"reason": item.reason, "count": len(item), "rows": spans, "run_ids": item.names(LISTED)}


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
    draws = f", {_draws(result)} draws" if result.samples else ""
    kind = f"  {result.level:.0%} intervals: {result.interval}{draws}" if result.interval else ""
    return [head, *rows, *filter(None, [kind, _spread(result)])]


def _spread(result: Fit) -> str:
    """One line on how far the choice of objective and single points move what people quote."""
    spread = result.sensitivity.get("spread", {})
    quoted = [name for name in ("a", "E", "alpha", "beta", "gamma", "eta") if name in spread]
    if not quoted:
        return ""
    ranges = ", ".join(f"{name} {spread[name][0]:.4g} to {spread[name][1]:.4g}" for name in quoted)
    return f"  over objectives and dropped points: {ranges}"


def _exponents(study: Study, result: Fit) -> list[str]:
    if laws.get(result.law).target != "loss" or not {"n_params", "tokens", "flops"} <= set(study.runs.columns):
        return []
    found = ["", f"{'N* ~ C^a':<24}{'a':<10}{'interval':<20}from"]
    found.append(_row(APPROACHES[0], study.envelope, study.missing.get("envelope", ""), "points of the envelope"))
    found.append(_row(APPROACHES[1], study.isoflop, study.missing.get("isoflop", ""), _budgets(study.isoflop)))
    front = result.frontier
    if front is None:
        return [*found, f"{APPROACHES[2]:<24}{'-':<10}law {result.law!r} has no frontier over N and D"]
    interval = _interval(front.intervals.get("a"))
    return [*found, f"{APPROACHES[2]:<24}{front.a:<10.4f}{interval:<20}{front.compute.note}{_called(front.name)}"]


def _row(name: str, part: Any, reason: str, source: str) -> str:
    if part is None or not math.isfinite(part.a):
        return f"{name:<24}{'-':<10}{reason or 'fewer than two budgets with an interior minimum'}"
    return f"{name:<24}{part.a:<10.4f}{_interval(part.a_interval):<20}{source}{_called(part.name)}"


def _budgets(part: Isoflop | None) -> str:
    if part is None:
        return ""
    return f"{sum(not group.edge for group in part.groups)} of {len(part.groups)} budgets"


def _evidence(study: Study, result: Fit) -> list[str]:
    sure = result.certificate
    gap = "no other end" if sure["gap_to_second"] is None else f"the next end lies {sure['gap_to_second']:.3g} above"
    sharp = f"gradient {sure['gradient_norm']:.1g}, condition {sure['condition_number']:.1g}"
    found = ["", f"optimum: {sure['agreeing_fraction']:.0%} of {sure['starts']} starts agree, {gap}; {sharp}"]
    noise = result.seed_noise
    if noise:
        found.append(f"seeds: ln loss varies by {noise['sd']:.4f} over {noise['groups']} repeated shapes")
    for name, score in study.scores.items():
        covered = f", {score['coverage']:.0%} inside {score['level']:.0%} intervals" if "coverage" in score else ""
        found.append(f"{name}: {score['runs']} runs, error {score['rms_log_error']:.3%} in ln loss{covered}")
    found += [f"left out: {count} x {reason}" for reason, count in result.excluded.items()]
    found += [study.moved_by_bad()] if study.with_bad else []
    notes = [
        *result.notes,
        *(study.isoflop.notes if study.isoflop else ()),
        *(study.envelope.notes if study.envelope else ()),
    ]
    return found + [f"note: {note}" for note in notes]


def _called(name: str) -> str:
    if name == "exponent":
        return ""
    return f"; a {name}" + (f": {budgets.RULE}" if name == "local slope" else "")


def _interval(pair: tuple[float, float] | None) -> str:
    return f"[{pair[0]:.4g}, {pair[1]:.4g}]" if pair is not None else ""


def _draws(result: Fit) -> int:
    return len(next(iter(result.samples.values()), ()))
