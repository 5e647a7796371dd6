"""The baseline: its law through the means of its cells, how far seeds and the law scatter, and redraws of both.

Redraws are a parametric bootstrap. Each cell's mean is drawn about the law by the noise between seeds, pooled over
cells with n - 1 in place of n, and by what the law misses beyond that; the law is fitted anew to every draw. Each
draw's scale is drawn too, sd x sqrt(dof / chi^2_dof), so that the draws follow Student's t as few seeds ask.

Dimension letters: R resamples, K cells.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from analysis import laws
from analysis.fitting import Fit, fit
from analysis.frontier import Compute, compute_relation
from analysis.load import DataError, Runs
from analysis.options import Options
from analysis.technique.cells import Cell
from analysis.weighting import noise_over
from scaling_laws.config import ConfigError

SPARE = 3  # cells beyond the law's parameters from which on its misfit is told from noise
TOLD = 2.0  # standard errors from which on a slope of the noise over N counts
CHOICES = ("seed_noise", "none")  # of weights


@dataclasses.dataclass(frozen=True)
class Noise:
    """Standard deviations of ln loss: `shape_K` is that between seeds of one cell as it goes with N, up to the factor
    `seed` of `dof` degrees of freedom; `misfit` is the law's, of `spare` degrees."""

    shape_K: np.ndarray
    seed: float
    dof: int
    misfit: float
    spare: int

    @property
    def known(self) -> bool:
        """Whether anything tells how far a loss may be off."""
        return self.dof > 0 or self.spare > 0


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Cells with a loss, the law as a surface (E, A, B, alpha, beta, outer), and R redraws of it.

    `z_RxK`: the standard normal draws behind each cell's seed noise, `scale_R` those of its size.
    """

    cells: tuple[Cell, ...]
    fit: Fit
    surface: dict[str, float]
    samples: dict[str, np.ndarray]  # each (R, 1)
    compute: Compute
    noise: Noise
    z_RxK: np.ndarray
    scale_R: np.ndarray

    def find(self, cell: Cell) -> int | None:
        """The number of the cell at the same place."""
        return next((k for k, own in enumerate(self.cells) if own.place == cell.place), None)

    def column(self, name: str) -> np.ndarray:
        """(K,) of a cell's number."""
        return np.array([getattr(cell, name) for cell in self.cells], dtype=float)


def baseline_of(cells: Sequence[Cell], source: str, options: Options, rng: np.random.Generator) -> Baseline:
    """The baseline of cells without technique. Raises DataError where there are too few for the law, ConfigError for a
    law that is no surface of N and D, or weights other than CHOICES."""
    law = laws.get(options.law_name)
    if law.surface is None:
        names = ", ".join(name for name, entry in laws.LAWS.items() if entry.surface)
        raise ConfigError(f"law: {law.name!r} is no loss over N and D alone; allowed: {names}")
    if options.weights not in CHOICES:
        raise ConfigError(f"weights: {options.weights!r}; allowed: {', '.join(CHOICES)}")
    kept = tuple(cell for cell in cells if not cell.reason)
    if not kept:
        raise DataError(f"{source}: no cell of the baseline finished; allowed: rows of technique none with a loss")
    table, shape_K, dof = _table(kept, source)
    found = fit(
        table,
        law=law.name,
        objective=options.objective,
        delta=options.delta,
        weights="noise" if options.weights == CHOICES[0] and dof else "none",
        fixed=options.held,
    )
    noise = _noise(kept, found, table, shape_K, len(law.parameters) - len(options.held))
    draws = options.bootstrap if noise.known else 0
    z_RxK, scale_R = rng.standard_normal((draws, len(kept))), student_scale(rng, noise.dof, draws)
    drawn = _redrawn(found, table, noise, kept, z_RxK * scale_R[:, None], rng) if draws else {}
    surface = law.surface({name: np.asarray(value) for name, value in found.coefficients.items()})
    samples = law.surface(drawn) if drawn else {name: np.zeros(0) for name in surface}
    return Baseline(
        cells=kept,
        fit=found,
        surface={name: float(value) for name, value in surface.items()},
        samples={name: np.asarray(values)[:, None] for name, values in samples.items()},
        compute=compute_relation(*(table[name] for name in ("n_params", "tokens", "flops"))),
        noise=noise,
        z_RxK=z_RxK,
        scale_R=scale_R,
    )


def student_scale(rng: np.random.Generator, dof: int, draws: int) -> np.ndarray:
    """(R,) sqrt(dof / chi^2_dof): what makes of normal draws Student's; 1 without degrees of freedom."""
    return np.sqrt(dof / rng.chisquare(dof, draws)) if dof > 0 else np.ones(draws)


def _table(cells: Sequence[Cell], source: str) -> tuple[Runs, np.ndarray, int]:
    """A row a cell (`noise`: that of the mean loss), the seed noise (K,) as it goes with N, its degrees of freedom."""
    columns = {name: np.array([getattr(cell, name) for cell in cells]) for name in ("n_params", "tokens", "flops")}
    loss, counts = np.exp([cell.log_loss for cell in cells]), np.array([len(cell.seeds) for cell in cells])
    several = [k for k, cell in enumerate(cells) if cell.dof > 0]
    shape_K, dof_G = np.ones(len(cells)), np.array([cells[k].dof for k in several])
    if several:
        squares = np.array([(cells[k].residuals_S ** 2).sum() for k in several])
        shape_K = _over_size(columns["n_params"], columns["n_params"][several], dof_G, squares / dof_G)
    noise = loss * shape_K / np.sqrt(counts)
    return Runs({**columns, "loss": loss, "noise": noise}, f"{source}: the baseline's cells"), shape_K, int(dof_G.sum())


def _over_size(n_K: np.ndarray, n_G: np.ndarray, dof_G: np.ndarray, variance_G: np.ndarray) -> np.ndarray:
    """(K,) sd between seeds: a power of N where it is told from a constant, else the pooled one.

    A slope that is itself noise would weigh the cells by luck, and intervals would be too short. That of ln sd has the
    variance 1 / (2 sum dof (ln N - mean)^2).
    """
    noise_K = noise_over(n_K, n_G, dof_G, variance_G)
    x_G = np.log(n_G) - np.average(np.log(n_G), weights=dof_G)
    span = np.ptp(np.log(n_K)) or 1.0
    slope = np.log(noise_K.max() / noise_K.min()) / span
    if slope**2 * 2 * float(dof_G @ x_G**2) > TOLD**2:
        return noise_K
    return np.full(len(n_K), math.sqrt(float(variance_G @ dof_G) / dof_G.sum()) or 1.0)


def _noise(cells: Sequence[Cell], found: Fit, table: Runs, shape_K: np.ndarray, n_parameters: int) -> Noise:
    dof = sum(cell.dof for cell in cells)
    squares = sum(((cell.residuals_S / sd) ** 2).sum() for cell, sd in zip(cells, shape_K, strict=True))
    seed = math.sqrt(squares / dof) if dof else 0.0
    spare = max(len(cells) - n_parameters, 0)
    if spare < (SPARE if dof else 1):
        return Noise(shape_K, seed, dof, 0.0, 0)
    missed = np.log(table["loss"]) - np.log(found.predict(table["n_params"], table["tokens"]))
    means = (seed * shape_K) ** 2 / np.array([len(cell.seeds) for cell in cells])
    beyond = (missed**2).sum() / spare - means.mean()
    return Noise(shape_K, seed, dof, math.sqrt(max(beyond, 0.0)), spare)


def _redrawn(
    found: Fit, table: Runs, noise: Noise, cells: Sequence[Cell], seeds_RxK: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Coefficients (R,) of the law at draws of the cells' means about it."""
    counts = np.array([len(cell.seeds) for cell in cells])
    misfit_R = noise.misfit * student_scale(rng, noise.spare, len(seeds_RxK))
    off_RxK = seeds_RxK * noise.seed * noise.shape_K / np.sqrt(counts)
    off_RxK = off_RxK + misfit_R[:, None] * rng.standard_normal(seeds_RxK.shape)
    return found.refitted(table, np.log(found.predict(table["n_params"], table["tokens"])) + off_RxK)
