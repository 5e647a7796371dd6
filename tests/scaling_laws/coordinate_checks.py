"""Coordinate checks for the tests: of a run's own rules, of one role alone, and with one number of another table."""

import dataclasses

from analysis import coordinates as verdict
from scaling_laws import parametrization
from scaling_laws.config import RunConfig, replace
from scaling_laws.parametrization import Scheme
from scaling_laws.train import coordinates

STEPS = 10


def with_standards(rules, model, row, field):
    """The table with one number as the standard parametrisation has it."""
    theirs = getattr(getattr(parametrization.rules(Scheme(), model), row), field)
    return dataclasses.replace(rules, **{row: dataclasses.replace(getattr(rules, row), **{field: theirs})})


def check(task, axis, sizes, settings, seeds=range(3), alone="", swapped=()):
    """The check over `sizes` of `axis`; `alone`: the role that learns, `swapped`: a number of standard's table."""
    rows = []
    for size in sizes:
        for seed in seeds:
            own = {f"model.{axis}": size, "train.seed": seed, "train.data_seed": seed}
            run = replace(RunConfig(), settings | own)
            rules = parametrization.rules(Scheme.of(run), run.model)
            rules = with_standards(rules, run.model, *swapped) if swapped else rules
            rules = coordinates.isolated(rules, alone) if alone else rules
            facts = {"parametrization": run.train.parametrization, "size": size, "seed": seed}
            rows += [facts | row for row in coordinates.record(run, task, STEPS, rules)]
    return verdict.check(rows, axis)


def slopes(found):
    return {layer.layer: round(layer.slope, 3) for layer in found.layers}


def assert_only_the_rule_keeps(layer, swapped, task, axis, sizes, settings, seeds=range(3), alone=""):
    """That the layer's slope is within the bound, and is not with standard's number in the place of ours."""
    kept, without = (
        next(one for one in check(task, axis, sizes, settings, seeds, alone, swap).layers if one.layer == layer)
        for swap in ((), swapped)
    )
    assert kept.passed, kept
    assert not without.passed, without
    assert abs(without.slope - kept.slope) > 0.1, (kept.slope, without.slope)
