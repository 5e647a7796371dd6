"""How much a finding weighs, in one unit: 1 is a shift of a by .05, or of the forecast loss by 1 %.

Where a refit shows the shift, the part of it beyond chance counts. What no refit of the table can show has a floor:
what the mistake moved where somebody mended one at a time. Porian et al. 2024 went from Kaplan et al.'s exponent to
Hoffmann et al.'s in four steps; means of their two data sets: head counted .15, short warm-up .10, rates tuned .06,
cosine matched .03 of a. For the cosine the floor is higher, since they matched a schedule whose rows were all equally
cut; a table where only some are cut is bent more.
"""

import numpy as np

from analysis.audit.findings import Effect, Estimate

A_UNIT, LOSS_UNIT = 0.05, 0.01
LEVELS = ((2.0, "severe"), (1.0, "serious"), (0.4, "moderate"), (0.0, "minor"))
HEAD, WARMUP, ONE_RATE, MID_SCHEDULE = 0.15 / A_UNIT, 0.10 / A_UNIT, 0.06 / A_UNIT, 1.0
NO_EXPONENT = 4.0  # the table cannot carry an exponent at all
SERIOUS, MODERATE, MINOR = 1.0, 0.5, 0.2  # floors without a published measurement: by judgement


def level_of(score: float) -> str:
    """The word for a score."""
    return next(word for least, word in LEVELS if score >= least)


def measured(effect: Effect) -> float:
    """The larger of the two shifts beyond chance, in units."""
    a = _beyond(effect.a_shift, effect.before.a_interval, effect.after.a_interval)
    logs = [_logs(estimate) for estimate in (effect.before, effect.after)]
    loss = _beyond(effect.loss_shift, *logs)
    return max(a / A_UNIT, loss / LOSS_UNIT)


def _beyond(shift: float, before: tuple[float, float] | None, after: tuple[float, float] | None) -> float:
    """|shift| less what leaving rows out moves by chance: the variances of nested samples' estimates subtract.

    Where the part is the surer one, the whole was not of one kind, and chance explains nothing.
    """
    if not np.isfinite(shift):
        return 0.0
    if before is None or after is None or not np.isfinite([*before, *after]).all():
        return abs(shift)
    halves = [(high - low) / 2 for low, high in (before, after)]
    return max(0.0, abs(shift) - float(np.sqrt(max(halves[1] ** 2 - halves[0] ** 2, 0.0))))


def _logs(estimate: Estimate) -> tuple[float, float] | None:
    interval = estimate.loss_interval
    return None if interval is None or min(interval) <= 0 else (float(np.log(interval[0])), float(np.log(interval[1])))
