"""The held-out budget: which shape is trained there once the law of the smaller budgets has named its optimum."""

import dataclasses
import math

from scaling_laws.config import ConfigError
from scaling_laws.sweep import listed
from scaling_laws.sweep.plan import Plan, plan
from scaling_laws.sweep.planned import PlannedRun


def heldout_budget(grid: Plan) -> float:
    """FLOPs of the held-out budget: `sweep.forecast_factor` times the largest fitted one; 0 for none."""
    return grid.config.sweep.forecast_factor * max(grid.config.sweep.budgets)


def heldout_plan(grid: Plan) -> Plan:
    """Every shape of `sweep.widths` and `sweep.depths` at the held-out budget, the learning rate by the sweep's rule.

    Raises ConfigError where no shape can run there, naming the first refusal, where there are no budgets, or no seed
    is asked for.
    """
    listed.refuse(grid.config.sweep, "but budgets, where a larger one is forecast")
    if grid.config.sweep.steps:
        raise ConfigError("sweep.steps: given; allowed: none, but budgets, where a larger one is forecast")
    if not grid.config.sweep.forecast_seeds:
        raise ConfigError("sweep.forecast_seeds: empty; allowed: at least one seed, or sweep.forecast_factor=0")
    sweep = dataclasses.replace(
        grid.config.sweep,
        budgets=(heldout_budget(grid),),
        seeds=grid.config.sweep.forecast_seeds,
        extra_seeds=(),
        lr_multipliers=(1.0,),
        shapes_per_budget=0,
    )
    wider = plan(dataclasses.replace(grid.config, sweep=sweep), grid.facts, grid.pace)
    if not wider.runs:
        first = wider.refusals[0]
        raise ConfigError(
            f"sweep.forecast_factor: no shape can run at {heldout_budget(grid):.3g} FLOPs: {first.reason}"
        )
    return wider


def forecast_runs(grid: Plan, n_opt: float) -> tuple[PlannedRun, ...]:
    """The runs of the held-out budget, one a seed of `sweep.forecast_seeds`, at the shape nearest to `n_opt` in ln N.

    Raises ConfigError as `heldout_plan`, and where `n_opt` is no size: a law of too few runs may have no optimum.
    """
    if not 0 < n_opt < math.inf:
        budget = heldout_budget(grid)
        raise ConfigError(f"sweep.budgets: the law fitted to them puts the best N at {budget:.3g} FLOPs at {n_opt:g}")
    wider = heldout_plan(grid)
    nearest = min(wider.runs, key=lambda each: abs(math.log(each.counts.n_params / n_opt)))
    return tuple(dataclasses.replace(each, purpose="forecast") for each in wider.runs if each.shape == nearest.shape)
