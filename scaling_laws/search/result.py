"""What a search came to, for people and, as `search.json`, for programs and figures."""

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_laws.search.settings import Search
from scaling_laws.search.trials import OPEN, REFUSED, TOLD, Trial
from scaling_laws.units import loss_text

FILE = "search.json"
Row = Mapping[str, Any]


def run_facts(row: Row, value: float) -> dict[str, Any]:
    """What a trial keeps of one of its runs; `flops` by the steps done, so that a run that diverged counts too."""
    fold = json.loads(row["config"]).get("task.fold", 0)
    spent = row["flops"] * row["steps_done"] / row["steps"]
    facts = {name: row[name] for name in ("run_id", "status", "seed")}
    return facts | {"fold": fold, "value": value, "flops": spent}


def best_of(trials: Sequence[Trial], search: Search) -> Trial | None:
    """The trial of the last rung with the lowest value, the earliest of equal ones."""
    told = [trial for trial in trials if trial.value is not None and trial.rung == search.rungs - 1]
    return min(told, key=lambda trial: (trial.value, trial.number), default=None)


def seed_deviation(trial: Trial) -> float | None:
    """Standard deviation over seeds of a trial's mean over folds; None for one seed."""
    by_seed: dict[int, list[float]] = {}
    for run in trial.runs:
        by_seed.setdefault(run["seed"], []).append(run["value"])
    means = [statistics.fmean(values) for values in by_seed.values()]
    return statistics.stdev(means) if len(means) > 1 else None


def compute_spent(trials: Sequence[Trial]) -> list[float]:
    """FLOPs that each trial added, diverged runs by their steps done; a run of several trials counts once."""
    seen: set[tuple[str, str]] = set()
    added = []
    for trial in trials:
        fresh = [run for run in trial.runs if (trial.owner, run["run_id"]) not in seen]
        seen |= {(trial.owner, run["run_id"]) for run in fresh}
        added.append(sum(run["flops"] for run in fresh))
    return added


def described(trials: Sequence[Trial], search: Search, unit: str) -> dict[str, Any]:
    """The whole search as JSON: its settings, its best trial, its compute, and every trial by number.

    `unit`: of the objective.
    """
    best, spent = best_of(trials, search), compute_spent(trials)
    return {
        **search.signature(),
        "objective": search.column,
        "unit": unit,
        "steps": [search.steps(rung) for rung in range(search.rungs)],
        "n_trials": len(trials),
        "n_open": sum(trial.state == OPEN for trial in trials),
        "n_runs": len({(trial.owner, run["run_id"]) for trial in trials for run in trial.runs}),
        "flops": sum(spent),
        "best": best and _trial(best, search) | {"seed_deviation": seed_deviation(best)},
        "trials": [_trial(trial, search) | {"flops": flops} for trial, flops in zip(trials, spent, strict=True)],
    }


def _trial(trial: Trial, search: Search) -> dict[str, Any]:
    facts = {name: getattr(trial, name) for name in ("number", "state", "rung", "first", "value", "reason")}
    places = {axis.field: axis.place(trial.changes[axis.field]) for axis in search.space.axes if trial.changes}
    return facts | {"changes": dict(trial.changes), "places": places, "runs": [dict(run) for run in trial.runs]}


def write(found: Mapping[str, Any], workdir: Path) -> Path:
    """Writes search.json into `workdir`, whole or not at all."""
    path, draft = workdir / FILE, workdir / f".{FILE}.{os.getpid()}"
    draft.write_text(json.dumps(found, indent=1) + "\n")
    os.replace(draft, path)
    return path


def lines(found: Mapping[str, Any]) -> list[str]:
    """The best trial and the whole compute, for the terminal."""
    told = sum(trial["state"] == TOLD for trial in found["trials"])
    refused = sum(trial["state"] == REFUSED for trial in found["trials"])
    others = [f", {count} {state}" for state, count in ((REFUSED, refused), (OPEN, found["n_open"])) if count]
    spent = f"{told} trials told{''.join(others)}, {found['n_runs']} runs, {found['flops']:.4g} FLOPs in all"
    best = found["best"]
    if best is None:
        return [f"search: {spent}; none has a value yet"]
    spread = f" ± {best['seed_deviation']:.2g} over seeds" if best["seed_deviation"] is not None else ""
    changes = " ".join(f"--config.{name}={value}" for name, value in best["changes"].items())
    value = f"{found['objective']} {loss_text(best['value'])} {found['unit']}{spread}"
    return [f"search: {spent}", f"best: trial {best['number']}: {value}: {changes}"]
