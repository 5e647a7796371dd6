"""A table's arms beside its baseline: every cell, what is pooled of them, slopes over compute, the shift of E."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis import counts, load, select
from analysis.load import DataError, Runs
from analysis.options import Options
from analysis.technique.arms import losses_of
from analysis.technique.baseline import Baseline, baseline_of
from analysis.technique.cells import BASELINE, Cell, cells
from analysis.technique.measures import exp, gaps, measures
from analysis.technique.pooling import pooled, shift, slope
from analysis.technique.result import QUANTITIES, Arm, ArmCell, Worth
from analysis.uncertainty import check
from scaling_laws.config import ConfigError
from scaling_laws.table import SETTLED

DEFAULTS = Options(weights="seed_noise", bootstrap=1000, level=0.95)
NEEDS = ("n_params", "tokens", "flops")
NAMED = 3  # places that a note names


def load_runs(path: str | Path, options: Options = DEFAULTS) -> Runs:
    """The rows that have come to an end, diverged ones too, by the options' columns, conditions and conventions.

    Raises DataError where the table has no column technique, and as `load.load`.
    """
    runs = load.load(path, options.columns, options.where, needs=NEEDS, statuses=SETTLED)
    runs["technique"]
    if not options.include_forecasts:
        runs, _ = select.split_forecasts(runs)
    return counts.apply_flops(counts.apply_params(runs, options.params_convention), options.flops_convention)


def worth(runs: Runs, options: Options = DEFAULTS) -> Worth:
    """Every arm of `runs`, which hold technique and strength beside N, D, C and loss (see `load_runs`).

    Raises DataError without a baseline, without an arm, or where the baseline's cells cannot carry the law; ConfigError
    for options that mean nothing here.
    """
    _check(options)
    found = cells(runs)
    own = [cell for cell in found if cell.technique == BASELINE]
    if not own or len(own) == len(found):
        names = ", ".join(dict.fromkeys(cell.technique for cell in found)) or "nothing"
        raise DataError(
            f"{runs.source}: technique is {names}; allowed: rows of {BASELINE!r}, the baseline, and rows of another"
        )
    rng = np.random.default_rng(options.seed)
    base = baseline_of(own, runs.source, options, rng)
    keys = sorted({(cell.technique, cell.strength) for cell in found if cell.technique != BASELINE})
    groups = [[cell for cell in found if (cell.technique, cell.strength) == key] for key in keys]
    return Worth(
        arms=tuple(_arm(group, base, options.level, rng) for group in groups),
        baseline=base,
        level=options.level,
        resamples=len(base.scale_R),
        unit=load.units(runs).loss,
        source=runs.source,
        notes=(*runs.notes, *base.fit.notes, *_notes(found, base)),
    )


def _check(options: Options) -> None:
    check(options.interval, options.bootstrap, options.level)
    if options.interval != "bootstrap":
        raise ConfigError(f"interval: {options.interval!r}; allowed: bootstrap")
    if options.holdout:
        raise ConfigError(f"holdout: {options.holdout!r}; allowed: none, every run of the baseline counts")


def _arm(group: Sequence[Cell], base: Baseline, level: float, rng: np.random.Generator) -> Arm:
    kept = sorted((cell for cell in group if not cell.reason), key=lambda cell: cell.place)
    technique, strength = group[0].technique, group[0].strength
    left_out = {cell.said: cell.reason for cell in group if cell.reason}
    losses = losses_of(kept, base, rng)
    found, gap = measures(kept, losses, base, level), gaps(kept, losses, base)
    flops = np.array([cell.flops for cell in kept])
    said = tuple(
        ArmCell(
            **{name: getattr(cell, name) for name in ("said", "n_params", "tokens", "flops", "sunk")},
            learning_rate=cell.learning_rate,
            edge=cell.edge,
            seeds=len(cell.seeds),
            pairs=losses.pairs_A[a],
            loss=exp(float(losses.point_A[a])),
            gap=exp(float(gap.point_A[a])),
            worth={name: found[name].said_A[a] for name in QUANTITIES},
            run_ids=cell.run_ids,
        )
        for a, cell in enumerate(kept)
    )
    return Arm(
        technique=technique,
        strength=strength,
        cells=said,
        pooled={name: pooled(found[name], level) for name in QUANTITIES},
        slopes={name: slope(found[name], flops, level) for name in ("m_n", "ceg")},
        shift=shift(kept, losses, base, level),
        left_out=left_out,
    )


def _arm_name(cell: Cell) -> str:
    return "the baseline" if cell.technique == BASELINE else f"{cell.technique} {cell.strength:g}"


def _notes(found: Sequence[Cell], base: Baseline) -> list[str]:
    """What a reader has to know of these cells."""
    notes = []
    edges = [cell for cell in found if cell.edge and not cell.reason]
    if edges:
        named = "; ".join(f"{_arm_name(cell)} at {cell.said}" for cell in edges[:NAMED])
        more = f" and {len(edges) - NAMED} more" if len(edges) > NAMED else ""
        notes.append(f"the best learning rate is at the edge of those tried in {len(edges)} cells: {named}{more}")
    lost = [cell for cell in found if cell.technique == BASELINE and cell.reason]
    notes += [f"baseline at {cell.said} left out: {cell.reason}" for cell in lost]
    if not base.noise.known:
        notes.append("no interval: no cell of the baseline was repeated, and the law has no cell to spare")
    elif not base.noise.dof:
        notes.append("no cell of the baseline was repeated: its scatter about the law stands for the noise of a seed")
    return notes
