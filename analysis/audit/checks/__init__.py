"""The checks: one file for each kind of mistake, all registered here in the order in which they are made.

A check is a module with NAME, TITLE, NEEDS (what a table must hold for it, for people) and check(case), which hands
back Found, Passed or NotChecked.
"""

from types import ModuleType

from analysis.audit.checks import (
    checkpoints,
    collinear,
    edges,
    evaluation,
    failures,
    floor,
    flop_count,
    head,
    misfit,
    objective,
    outliers,
    rates,
    repeats,
    schedule,
    seeds,
    span,
    untuned,
    warmup,
)

CHECKS: tuple[ModuleType, ...] = (
    edges, rates, untuned, collinear, schedule, warmup, checkpoints, span, head, flop_count, repeats, evaluation, seeds,
    failures, floor, objective, outliers, misfit,
)  # fmt: skip
