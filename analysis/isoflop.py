"""Approach 2: at each compute budget the loss over ln N has a minimum; its N over the budgets is a power of C.

Hoffmann et al. 2022, section 3.2. A parabola in ln N is fitted to the loss of each budget. With alpha != beta its
minimum is biased though the data be noiseless, by the same factor at every C when the grids are centred alike: the
slope is right, the intercept is not. A minimum at the edge of the sizes tried says only that N* lies beyond: dropped.

Dimension letters: B resamples (or 1), N runs.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from analysis import uncertainty
from analysis.budgets import budget_groups, slope_name
from analysis.load import DataError, Runs
from scaling_laws.config import ConfigError, nearest

METHODS = ("parabola",)
MIN_SIZES = 4


@dataclasses.dataclass(frozen=True)
class Group:
    """One budget. `parabola` is (c0, c1, c2) of c0 + c1 u + c2 u^2 with u = ln N - `center`; NaN where not fitted."""

    budget: float
    n_params: np.ndarray
    tokens: np.ndarray
    loss: np.ndarray
    n_opt: float
    d_opt: float
    loss_opt: float
    edge: bool  # dropped from the line, for `reason`
    reason: str
    parabola: tuple[float, float, float]
    center: float
    n_opt_interval: tuple[float, float] | None = None

    def curve(self, n_params: Any) -> np.ndarray:
        """The fitted loss at N."""
        u = np.log(n_params) - self.center
        return self.parabola[0] + self.parabola[1] * u + self.parabola[2] * u**2


@dataclasses.dataclass(frozen=True)
class Isoflop:
    """All budgets and the lines ln N* and ln D* over ln C through those whose minimum is interior."""

    groups: tuple[Group, ...]
    line: tuple[float, float]  # ln N* = line[0] + line[1] ln C; NaN with fewer than two interior budgets
    d_line: tuple[float, float]
    line_samples: np.ndarray  # (n_bootstrap, 2)
    d_line_samples: np.ndarray
    a_interval: tuple[float, float] | None
    b_interval: tuple[float, float] | None
    level: float
    name: str  # "exponent", or "local slope" below two decades of C or five budgets
    notes: tuple[str, ...]

    @property
    def a(self) -> float:
        """Exponent of N* in C."""
        return self.line[1]

    @property
    def b(self) -> float:
        """Exponent of D* in C."""
        return self.d_line[1]

    def n_opt(self, flops: Any) -> np.ndarray:
        """N* on the line."""
        return np.exp(self.line[0] + self.line[1] * np.log(flops))

    def d_opt(self, flops: Any) -> np.ndarray:
        """D* on its line."""
        return np.exp(self.d_line[0] + self.d_line[1] * np.log(flops))

    def n_opt_samples(self, flops: Any) -> np.ndarray:
        """(n_bootstrap, *flops.shape) of N*."""
        x = np.log(np.asarray(flops, dtype=float))
        return np.exp(np.add.outer(self.line_samples[:, 0], 0 * x) + np.multiply.outer(self.line_samples[:, 1], x))

    def to_json(self) -> dict[str, Any]:
        """The lines and one entry a budget."""
        keys = ("budget", "n_opt", "d_opt", "loss_opt", "edge", "reason", "n_opt_interval")
        groups = [{key: getattr(g, key) for key in keys} | {"runs": len(g.loss)} for g in self.groups]
        names = ("a", "a_interval", "b", "b_interval", "level", "name", "line", "d_line")
        return {name: getattr(self, name) for name in names} | {"groups": groups, "notes": list(self.notes)}


def isoflop(
    runs: Runs,
    method: str = "parabola",
    bootstrap: int = 0,
    min_points: int = MIN_SIZES,
    seed: int = 0,
    level: float = 0.9,
) -> Isoflop:
    """Minima over N at each budget, and their line; resamples runs within budgets.

    Budgets come from the column `budget`, or from clusters of `flops`. Raises DataError where no budget has
    `min_points` sizes, ConfigError for an unknown method.
    """
    if method not in METHODS:
        raise ConfigError(f"method: {method!r}; allowed: {', '.join(METHODS)}{nearest(method, METHODS)}")
    uncertainty.check("bootstrap", bootstrap, level)
    labels, budgets = budget_groups(runs)
    weights = uncertainty.resample(uncertainty.units(runs), bootstrap, seed, labels)
    parts = [_group(runs, labels == k, budget, min_points, weights, level) for k, budget in enumerate(budgets)]
    groups = tuple(part[0] for part in parts)
    if all(not np.isfinite(group.center) for group in groups):
        raise DataError(
            f"{runs.source}: no budget has {min_points} sizes; the largest of {len(groups)} has {_most(groups)}"
        )
    kept = [k for k, group in enumerate(groups) if not group.edge]
    x = np.log([groups[k].budget for k in kept])
    n_line = _line(x, np.log([[groups[k].n_opt for k in kept]]))[0]
    d_line = _line(x, np.log([[groups[k].d_opt for k in kept]]))[0]
    n_samples, d_samples = _sample_lines(x, [parts[k][1] for k in kept]), _sample_lines(x, [parts[k][2] for k in kept])
    return Isoflop(
        groups=groups,
        line=(float(n_line[0]), float(n_line[1])),
        d_line=(float(d_line[0]), float(d_line[1])),
        line_samples=n_samples,
        d_line_samples=d_samples,
        a_interval=uncertainty.percentile(n_samples[:, 1], level) if bootstrap else None,
        b_interval=uncertainty.percentile(d_samples[:, 1], level) if bootstrap else None,
        level=level,
        name=slope_name(np.exp(x), len(x)),
        notes=_notes(groups, min_points),
    )


def parabolas(u_N: np.ndarray, loss_N: np.ndarray, weights_BxN: np.ndarray) -> np.ndarray:
    """(B, 3) weighted least-squares c0 + c1 u + c2 u^2; NaN where fewer than three different u have weight."""
    basis = np.stack([np.ones_like(u_N), u_N, u_N**2])
    gram = np.einsum("bn,in,jn->bij", weights_BxN, basis, basis, optimize=True)
    moment = weights_BxN @ (basis * loss_N).T
    sizes, which = np.unique(u_N, return_inverse=True)
    present = np.stack([weights_BxN[:, which == k].sum(axis=1) > 0 for k in range(len(sizes))]).sum(axis=0)
    gram[present < 3] = np.eye(3)
    solved = np.linalg.solve(gram, moment[:, :, None])[:, :, 0]
    solved[present < 3] = np.nan
    return solved


def vertices(parabola_Bx3: np.ndarray) -> np.ndarray:
    """(B,) place of the minimum in u; NaN where the parabola has none."""
    c1, c2 = parabola_Bx3[:, 1], parabola_Bx3[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(c2 > 0, -c1 / (2 * c2), np.nan)


def _group(runs, members, budget, min_points, weights_BxN, level) -> tuple[Group, np.ndarray, np.ndarray]:
    """The budget's group, and (B,) resampled ln N* and ln D*, NaN where a resample has no interior minimum."""
    order = np.flatnonzero(members)[np.argsort(runs["n_params"][members], kind="stable")]
    n, d, loss = runs["n_params"][order], runs["tokens"][order], runs["loss"][order]
    x = np.log(n)
    missing = np.full(len(weights_BxN), np.nan)
    if len(np.unique(n)) < min_points:
        nan = float("nan")
        reason = f"{len(np.unique(n))} sizes, fewer than {min_points}"
        return Group(float(budget), n, d, loss, nan, nan, nan, True, reason, (nan, nan, nan), nan), missing, missing
    center = float(x.mean())
    coefficients = parabolas(x - center, loss, np.ones((1, len(n))))
    place = float(vertices(coefficients)[0])
    reason = _edge_reason(x, loss, place + center)
    d_slope, d_intercept = np.polyfit(x - center, np.log(d), 1)
    value = float(np.polynomial.polynomial.polyval(place, coefficients[0]))
    drawn = vertices(parabolas(x - center, loss, weights_BxN[:, order])) if len(weights_BxN) else missing
    drawn = np.where((drawn + center >= x[0]) & (drawn + center <= x[-1]), drawn, np.nan)
    group = Group(
        budget=float(budget),
        n_params=n,
        tokens=d,
        loss=loss,
        n_opt=float(np.exp(place + center)),
        d_opt=float(np.exp(d_intercept + d_slope * place)),
        loss_opt=value,
        edge=bool(reason),
        reason=reason,
        parabola=(float(coefficients[0, 0]), float(coefficients[0, 1]), float(coefficients[0, 2])),
        center=center,
        n_opt_interval=_exp(uncertainty.percentile(drawn + center, level)) if len(drawn) else None,
    )
    return group, drawn + center, d_intercept + d_slope * drawn


def _notes(groups: tuple[Group, ...], min_points: int) -> tuple[str, ...]:
    """Every dropped minimum by name; budgets that never had a curve as one line."""
    notes = [f"budget {g.budget:.4g} dropped: {g.reason}" for g in groups if g.edge and np.isfinite(g.center)]
    small = [f"{g.budget:.4g}" for g in groups if not np.isfinite(g.center)]
    return (*notes, f"fewer than {min_points} sizes at budgets {', '.join(small)}") if small else tuple(notes)


def _edge_reason(x: np.ndarray, loss: np.ndarray, place: float) -> str:
    sizes = np.unique(x)
    lowest = int(np.argmin([loss[x == size].mean() for size in sizes]))
    if not np.isfinite(place):
        return "edge: the parabola opens downwards, no minimum"
    if place <= sizes[0] or place >= sizes[-1]:
        return f"edge: the minimum lies {'below the smallest' if place <= sizes[0] else 'above the largest'} size"
    if lowest in (0, len(sizes) - 1):
        return f"edge: the lowest loss is at the {'smallest' if lowest == 0 else 'largest'} size"
    return ""


def _line(x_K: np.ndarray, y_BxK: np.ndarray) -> np.ndarray:
    """(B, 2) least-squares intercept and slope over the finite entries; NaN with fewer than two."""
    seen = np.isfinite(y_BxK)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    y, x = np.where(seen, y_BxK, 0), np.where(seen, x_K, 0)
    x_mean, y_mean = x.sum(axis=1, keepdims=True) / count, y.sum(axis=1, keepdims=True) / count
    dx = np.where(seen, x_K - x_mean, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (dx * y).sum(axis=1) / (dx**2).sum(axis=1)
    slope = np.where(seen.sum(axis=1) >= 2, slope, np.nan)
    return np.stack([y_mean[:, 0] - slope * x_mean[:, 0], slope], axis=1)


def _sample_lines(x_K: np.ndarray, drawn: list[np.ndarray]) -> np.ndarray:
    return _line(x_K, np.stack(drawn, axis=1)) if drawn else np.zeros((0, 2))


def _exp(interval: tuple[float, float]) -> tuple[float, float]:
    return float(np.exp(interval[0])), float(np.exp(interval[1]))


def _most(groups: tuple[Group, ...]) -> int:
    return max(len(np.unique(group.n_params)) for group in groups)


def interior(result: Isoflop) -> Iterator[Group]:
    """The budgets that carry the line."""
    return (group for group in result.groups if not group.edge)
