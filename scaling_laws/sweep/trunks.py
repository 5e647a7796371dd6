"""One trunk, many token budgets: branches of a trunk in ascending order, each from where the one before began to cool.

With the schedule `wsd` and a warm-up in steps, a run is bit for bit any longer run of the same settings until its own
cooldown begins (Haegele et al. 2024, section 4; `config.on_trunk`). So the runs are what they are without trunks, and
sharing only says from which checkpoint a run begins: budgets D_1 < ... < D_n cost
(1 - cooldown) max(D) + cooldown sum(D) steps instead of sum(D).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable

from scaling_laws.config import trunk_steps
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.planned import PlannedRun


def share(runs: Iterable[PlannedRun], pace: Pace) -> tuple[PlannedRun, ...]:
    """The runs in their order, each with the step that it begins at and the seconds of its own steps."""
    runs = tuple(runs)
    shorter: dict[str, int] = {}  # trunk -> where its longest branch so far began to cool
    begins: dict[str, int] = {}
    for planned in sorted(runs, key=_steps):
        if planned.trunk:
            begins[planned.run_id] = shorter.get(planned.trunk, 0)
            shorter[planned.trunk] = trunk_steps(planned.run)
    return tuple(_begun(planned, begins.get(planned.run_id, 0), pace) for planned in runs)


def seconds_ahead(waiting: Iterable[PlannedRun]) -> dict[str, float]:
    """Trunk -> expected seconds of all its waiting branches, which can only go one after the other."""
    seconds: dict[str, float] = defaultdict(float)
    for planned in waiting:
        if planned.trunk:
            seconds[planned.trunk] += planned.expected_seconds
    return seconds


def saving(runs: Collection[PlannedRun]) -> str:
    """`trunks save 43 %: 1.2e+13 of 2.1e+13 FLOPs`; empty where no run is a branch."""
    if not any(planned.trunk for planned in runs):
        return ""
    return describe(sum(planned.own_flops for planned in runs), sum(planned.flops for planned in runs), "save")


def describe(own: float, separate: float, verb: str) -> str:
    """What sharing saves of the training FLOPs of separate runs, in words."""
    return f"trunks {verb} {1 - own / separate:.0%}: {own:.3g} of {separate:.3g} FLOPs"


def _steps(planned: PlannedRun) -> int:
    return planned.run.train.steps


def _begun(planned: PlannedRun, step: int, pace: Pace) -> PlannedRun:
    return lasting(dataclasses.replace(planned, begins_at=step), pace) if step else planned


def lasting(planned: PlannedRun, pace: Pace) -> PlannedRun:
    """The run with the seconds of its own steps at this pace."""
    own = (_steps(planned) - planned.begins_at) * (planned.tokens // _steps(planned))
    return dataclasses.replace(planned, expected_seconds=pace.seconds(planned.run, planned.counts, own))
