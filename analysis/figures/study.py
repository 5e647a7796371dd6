"""What the figures and the report look at: the runs and everything computed from them, some of it absent."""

import dataclasses

import numpy as np

from analysis import isoflop, laws, predict
from analysis.envelope import Envelope
from analysis.fit import Fit
from analysis.isoflop import Isoflop
from analysis.load import Runs

LEVEL = 0.9


@dataclasses.dataclass(frozen=True)
class Study:
    """Objects that the analysis computed; None where there was nothing to compute it from.

    runs: those that the fit used; heldout: those kept out of it (forecasts); curves: points of training curves.
    missing: name of an absent object -> why it is absent.
    """

    runs: Runs
    heldout: Runs | None = None
    curves: Runs | None = None
    fit: Fit | None = None
    isoflop: Isoflop | None = None
    envelope: Envelope | None = None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)

    def why(self, name: str) -> str:
        """The reason that `name` is absent."""
        return self.missing.get(name, f"there is no {name}")

    @property
    def level(self) -> float:
        """Share of the resamples that bands and intervals hold."""
        return self.fit.level if self.fit else LEVEL

    def tables(self) -> list[Runs]:
        """The fitted runs and, where there are any, the held-out ones."""
        return [runs for runs in (self.runs, self.heldout) if runs is not None and len(runs)]

    def both(self, name: str) -> np.ndarray:
        """Column `name` of fitted and held-out runs together."""
        return np.concatenate([numbers(runs, name) for runs in self.tables()])

    def compute_range(self, points: int) -> np.ndarray:
        """`points` log-spaced C from the smallest to the largest run, held-out ones included."""
        flops = self.both("flops")
        return np.geomspace(flops.min(), flops.max(), points)

    def predicted(self, runs: Runs) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """The fit's loss for runs, and the limits for one new run each where there are resamples."""
        assert self.fit is not None
        inputs = {name: numbers(runs, name) for name in ("n_params", "tokens", "flops")}
        value = np.asarray(self.fit.predict(**inputs), float) + np.zeros(len(runs))
        if not self.fit.samples:
            return value, None, None
        low, high = predict.noisy_interval(self.fit, self.fit.predict_samples(**inputs), self.level)
        return value, low, high

    def is_surface(self) -> bool:
        """Whether the fitted law is one over N and D."""
        return self.fit is not None and set(laws.get(self.fit.law).inputs) == {"n_params", "tokens"}


def numbers(runs: Runs, name: str) -> np.ndarray:
    """Column `name` as floats (n,); NaN throughout where the table lacks it or holds text."""
    if name not in runs or runs[name].dtype.kind not in "fiu":
        return np.full(len(runs), np.nan)
    return runs[name].astype(float)


def names(runs: Runs) -> tuple[str, ...]:
    """The run ids, `row 7` in a table without them."""
    return tuple(runs.run_id(i) for i in range(len(runs)))


def budget_groups(runs: Runs) -> list[tuple[float, np.ndarray]]:
    """(budget in FLOPs, row numbers) of every budget with at least two sizes, ascending."""
    labels, budgets = isoflop.budget_groups(runs)
    groups = [(float(budget), np.flatnonzero(labels == k)) for k, budget in enumerate(budgets)]
    return [(budget, rows) for budget, rows in groups if len(np.unique(runs["n_params"][rows])) > 1]


def along_budget(runs: Runs, rows: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) along one budget, from its smallest to its largest size: the straight line of its ln D over ln N."""
    x, y = np.log(runs["n_params"][rows]), np.log(runs["tokens"][rows])
    slope, intercept = np.polyfit(x, y, 1)
    grid = np.linspace(x.min(), x.max(), points)
    return np.exp(grid), np.exp(intercept + slope * grid)


def curve_loss(curves: Runs) -> np.ndarray:
    """Validation loss of the curve points; training loss where a table was never evaluated on the way."""
    loss = numbers(curves, "loss")
    return loss if np.isfinite(loss).any() else numbers(curves, "train_loss")


def band(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limit (m,) of the central share `level` of samples (n_bootstrap, m); NaN without finite ones."""
    finite = samples[np.isfinite(samples).all(axis=1)]
    if not len(finite):
        nothing = np.full(samples.shape[1], np.nan)
        return nothing, nothing
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
