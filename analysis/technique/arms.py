"""The losses of an arm as the baseline's law sees them, and what they are worth, cell by cell, with joint redraws.

Where the baseline has the cell and some of its seeds, the loss is the law's times the mean ratio over those seeds: that
takes out the noise that seeds share and what the law misses there. Else it is the cell's own mean.

Dimension letters: R resamples, A cells of the arm.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from analysis.technique import equivalents
from analysis.technique.baseline import Baseline, student_scale
from analysis.technique.cells import Cell

FEW = 2  # degrees of freedom below which the arm's own spread is not used
INDEPENDENT = -math.sqrt(0.5)  # correlation of a difference with its subtrahend where the two share nothing


@dataclasses.dataclass(frozen=True)
class Pairs:
    """A cell beside the baseline's at the same place: ln ratios over shared seeds, and their and the baseline's
    deviations from the means, in units of the baseline's noise."""

    base: int
    log_ratios: np.ndarray
    off: np.ndarray
    base_off: np.ndarray


@dataclasses.dataclass(frozen=True)
class Losses:
    """ln losses of an arm's cells with their redraws, and the number of shared seeds (0: unpaired)."""

    point_A: np.ndarray
    draws_RxA: np.ndarray
    pairs_A: tuple[int, ...]
    bases_A: tuple[int | None, ...]  # the baseline's cell at the same place


def losses_of(cells: Sequence[Cell], base: Baseline, rng: np.random.Generator) -> Losses:
    """The losses of an arm; redraws share those of the baseline, cell by cell, where seeds are paired."""
    bases = tuple(base.find(cell) for cell in cells)
    paired = [_pairs(cell, k, base) for cell, k in zip(cells, bases, strict=True)]
    ratios = _Ratios.of([one for one in paired if one is not None], base, rng)
    alone = _Alone.of(cells, base, rng)
    points, draws = [], []
    for cell, pairs in zip(cells, paired, strict=True):
        if pairs is None:
            points.append(cell.log_loss)
            draws.append(cell.log_loss + alone.draw(cell, base, rng))
            continue
        own = base.cells[pairs.base]
        ratio = float(pairs.log_ratios.mean())
        points.append(float(equivalents.log_loss(base.surface, own.n_params, own.tokens)) + ratio)
        law = equivalents.log_loss(base.samples, own.n_params, own.tokens)[:, 0] if len(base.scale_R) else np.zeros(0)
        draws.append(law + ratio + ratios.draw(pairs, base, rng))
    counts = tuple(0 if one is None else len(one.log_ratios) for one in paired)
    draws_RxA = np.array(draws).reshape(len(cells), len(base.scale_R)).T
    return Losses(np.array(points), draws_RxA, counts, bases)


def _pairs(cell: Cell, k: int | None, base: Baseline) -> Pairs | None:
    """None without a shared seed."""
    if k is None:
        return None
    own = base.cells[k]
    at = {seed: i for i, seed in enumerate(own.seeds) if seed is not None}
    shared = [(i, at[seed]) for i, seed in enumerate(cell.seeds) if seed in at]
    if not shared:
        return None
    here, there = (np.array(places) for places in zip(*shared, strict=True))
    ratios, losses, unit = cell.log_losses_S[here] - own.log_losses_S[there], own.log_losses_S[there], _unit(base, k)
    return Pairs(k, ratios, (ratios - ratios.mean()) / unit, (losses - losses.mean()) / unit)


def _unit(base: Baseline, k: int | None, n_params: float = math.nan) -> float:
    """The baseline's noise as it goes with N, at cell k or else nearest to N."""
    if k is None:
        k = int(np.abs(np.log(base.column("n_params") / n_params)).argmin())
    return float(base.noise.shape_K[k])


@dataclasses.dataclass(frozen=True)
class _Ratios:
    """The spread of ln ratios between seeds, and their correlation with the baseline's own losses."""

    sd: float
    correlation: float
    scale_R: np.ndarray

    @staticmethod
    def of(paired: Sequence[Pairs], base: Baseline, rng: np.random.Generator) -> "_Ratios":
        dof, draws = sum(len(one.log_ratios) - 1 for one in paired), len(base.scale_R)
        if dof < FEW:  # twice the variance of one loss: as if the seeds shared nothing
            alone = math.hypot(base.noise.seed, 0.0 if base.noise.dof else base.noise.misfit)
            return _Ratios(math.sqrt(2) * alone, INDEPENDENT, base.scale_R)
        off, base_off = (np.concatenate([getattr(one, name) for one in paired]) for name in ("off", "base_off"))
        size = math.sqrt(float(off @ off) * float(base_off @ base_off))
        correlation = float(off @ base_off) / size if size > 0 else 0.0
        return _Ratios(math.sqrt(float(off @ off) / dof), correlation, student_scale(rng, dof, draws))

    def draw(self, pairs: Pairs, base: Baseline, rng: np.random.Generator) -> np.ndarray:
        """(R,) by which the mean ratio is off."""
        count = len(pairs.log_ratios)
        common = self.correlation * math.sqrt(count / len(base.cells[pairs.base].seeds))
        fresh = rng.standard_normal(len(base.scale_R))
        z_R = common * base.z_RxK[:, pairs.base] + math.sqrt(1 - common**2) * fresh
        return self.sd * _unit(base, pairs.base) / math.sqrt(count) * self.scale_R * z_R


@dataclasses.dataclass(frozen=True)
class _Alone:
    """The spread of an arm's own losses between seeds, of the baseline's where it has too few, and the law's misfit."""

    sd: float
    scale_R: np.ndarray
    misfit_R: np.ndarray

    @staticmethod
    def of(cells: Sequence[Cell], base: Baseline, rng: np.random.Generator) -> "_Alone":
        dof, draws = sum(cell.dof for cell in cells), len(base.scale_R)
        misfit_R = base.noise.misfit * student_scale(rng, base.noise.spare, draws)
        if dof < FEW:
            return _Alone(base.noise.seed, base.scale_R, misfit_R)
        units = [_unit(base, base.find(cell), cell.n_params) for cell in cells]
        squares = sum(((cell.residuals_S / unit) ** 2).sum() for cell, unit in zip(cells, units, strict=True))
        return _Alone(math.sqrt(squares / dof), student_scale(rng, dof, draws), misfit_R)

    def draw(self, cell: Cell, base: Baseline, rng: np.random.Generator) -> np.ndarray:
        """(R,) by which the cell's mean is off the law of the arm."""
        unit = _unit(base, base.find(cell), cell.n_params)
        seeds, law = rng.standard_normal((2, len(base.scale_R)))
        return self.sd * unit / math.sqrt(len(cell.seeds)) * self.scale_R * seeds + self.misfit_R * law
