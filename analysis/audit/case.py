"""The audited table, with what several checks read of it: the fit, the minima, the headline, and refits."""

import dataclasses
import functools

import numpy as np

from analysis.audit import estimates
from analysis.audit.findings import Effect, Estimate, Mend
from analysis.audit.proposals import Proposal
from analysis.fitting import Fit
from analysis.frontier import SIX_N_D, Compute, compute_relation, tokens_at
from analysis.isoflop import Isoflop, interior
from analysis.isoflop.cells import Cell, cells_of
from analysis.load import DataError, Runs, units
from analysis.options import Options
from scaling_laws.units import Units

AHEAD = 10.0  # the forecast: at so many times the largest C
LEAST_LEFT = 0.5  # share of the runs that a refit needs: with fewer, it shows what is left, not what was mended
NO_LOSS = 1e3  # ln loss: how far off a law is that gives no loss at all
MISFIT = 0.02  # typical miss of ln loss from which on the law is not what carries the exponent


@dataclasses.dataclass(frozen=True)
class Case:
    """table: every usable row but forecasts; runs: those of it that the fit uses; options: as of analysis.fit."""

    table: Runs
    runs: Runs
    options: Options

    @functools.cached_property
    def units(self) -> Units:
        """The units of the losses and of D."""
        return units(self.table)

    @functools.cached_property
    def ahead(self) -> float:
        """The C of the forecast, in FLOPs."""
        return AHEAD * float(self.runs["flops"].max())

    @functools.cached_property
    def spent(self) -> float:
        """FLOPs of the whole table; of several rows of one run the largest."""
        flops = self.table.numbers("flops")
        if "run_id" not in self.table:
            return float(flops.sum())
        _, which = np.unique(np.array(self.table.names(), dtype=object), return_inverse=True)
        most = np.zeros(which.max() + 1)
        np.maximum.at(most, which, flops)
        return float(most.sum())

    @functools.cached_property
    def fit(self) -> Fit | None:
        """The fit of the options, or None where the runs carry none."""
        return self._fit_or_reason[0]

    @functools.cached_property
    def no_fit(self) -> str:
        """Why there is no fit."""
        return self._fit_or_reason[1]

    @functools.cached_property
    def _fit_or_reason(self) -> tuple[Fit | None, str]:
        try:
            return estimates.fitted(self.runs, self.options), ""
        except DataError as reason:
            return None, str(reason).removeprefix(f"{self.runs.source}: ")

    @functools.cached_property
    def isoflop(self) -> Isoflop | None:
        """Approach 2, or None where no budget has sizes enough."""
        try:
            return estimates.fitting_minima(self.runs, self.options, self.fit)
        except DataError:
            return None

    @functools.cached_property
    def cells(self) -> list[Cell]:
        """The budgets, ascending."""
        return cells_of(self.runs)[1]

    @functools.cached_property
    def residuals(self) -> np.ndarray:
        """(n,) ln of measured over fitted loss; NaN without a fit."""
        if self.fit is None:
            return np.full(len(self.runs), np.nan)
        inputs = {name: self.runs[name] for name in ("n_params", "tokens", "flops")}
        more = {name: values for name, values in self.runs.columns.items() if name not in inputs}
        with np.errstate(all="ignore"):
            logs = np.log(self.runs["loss"] / self.fit.predict(**inputs, **more))
        return np.nan_to_num(logs, nan=NO_LOSS, posinf=NO_LOSS, neginf=-NO_LOSS)

    @property
    def miss(self) -> float:
        """The typical miss of ln loss: 1.48 times the median of its absolute values, the sd of a normal error."""
        return float(1.4826 * np.median(np.abs(self.residuals)))

    @functools.cached_property
    def method(self) -> str:
        """What carries the headline: the law; where it misses the runs or has no frontier, the budgets' minima."""
        carried = self.isoflop is not None and sum(1 for _ in interior(self.isoflop)) >= 3
        lawful = self.fit is not None and self.fit.frontier is not None
        return estimates.MINIMA if carried and not (lawful and self.miss <= MISFIT) else estimates.LAW

    @functools.cached_property
    def headline(self) -> Estimate | None:
        """a and the forecast of the table as it is, or None."""
        try:
            if self.method == estimates.MINIMA and self.isoflop is not None:
                return estimates.by_minima(self.isoflop, self.ahead)
            return None if self.fit is None else estimates.by_law(self.fit, self.ahead)
        except DataError:
            return None

    def estimate(self, runs: Runs, method: str, flops: float) -> Estimate:
        """a and the forecast at C of other runs by one of the two methods. Raises DataError."""
        if method == estimates.MINIMA:
            same = "akima" if self.isoflop is None else self.isoflop.method
            return estimates.by_minima(estimates.minima(runs, self.options, same, self.fit), flops)
        return estimates.by_law(estimates.fitted(runs, self.options), flops)

    def effect(self, mend: Mend, mended: str) -> Effect:
        """What a mend moves, by the headline's method or, where that fails on either side, by the other.

        The forecast is at the same C on both sides, unless the mend counts C anew. Raises DataError, with the reason.
        """
        after = mend(self.runs)
        if len(after) < LEAST_LEFT * len(self.runs):
            raise DataError(f"{len(after)} of {len(self.runs)} runs would be left")
        counted_anew = recounted(self.runs, after)
        ahead = AHEAD * float(after["flops"].max()) if counted_anew else self.ahead
        other = estimates.LAW if self.method == estimates.MINIMA else estimates.MINIMA
        reasons = []
        for method in (estimates.LAW,) if counted_anew else (self.method, other):
            try:
                before = self.headline if method == self.method else None
                before = before or self.estimate(self.runs, method, self.ahead)
                return Effect(before, self.estimate(after, method, ahead), mended)
            except DataError as reason:
                reasons.append(str(reason).removeprefix(f"{self.runs.source}: "))
        raise DataError(reasons[0])

    @functools.cached_property
    def relation(self) -> Compute:
        """How C follows from N and D in these runs."""
        found = compute_relation(self.runs["n_params"], self.runs["tokens"], self.runs["flops"])
        return found if np.isfinite(found.k) and abs(found.p) < 1 else SIX_N_D

    def near_optimum(self, flops: float) -> float:
        """N near the optimum at C, as far as the table tells, within the sizes that it holds."""
        sizes = self.runs["n_params"]
        if self.headline is not None and self.method == estimates.LAW and self.fit and self.fit.frontier:
            guess = float(self.fit.frontier.n_opt(flops))
        elif self.isoflop is not None and np.isfinite(self.isoflop.a):
            guess = float(self.isoflop.n_opt(flops))
        else:
            guess = float(np.exp(np.log(sizes).mean()) * (flops / np.exp(np.log(self.runs["flops"]).mean())) ** 0.5)
        return float(np.clip(guess, sizes.min(), sizes.max())) if np.isfinite(guess) else float(np.median(sizes))

    def proposal(self, n_params: float, flops: float, **more) -> Proposal:
        """A run of N parameters that spends C."""
        return Proposal(float(n_params), float(tokens_at(self.relation, n_params, flops)), float(flops), **more)

    def again(self, place: int, **more) -> Proposal:
        """Run `place` of `runs` once more, but for what `more` says."""
        n, d, c = (float(self.runs[name][place]) for name in ("n_params", "tokens", "flops"))
        return Proposal(n, d, c, **more)

    def cheapest_near_optimum(self, count: int, among: np.ndarray | None = None) -> list[int]:
        """Places of the run nearest to the optimum of each of the `count` smallest budgets, of those in a mask."""
        among = np.ones(len(self.runs), dtype=bool) if among is None else among
        sizes, places = np.log(self.runs["n_params"]), []
        for cell in self.cells:
            rows = cell.rows[among[cell.rows]]
            if len(rows):
                places.append(int(rows[np.argmin(abs(sizes[rows] - np.log(self.near_optimum(cell.budget))))]))
        return places[:count]


def without(rows: np.ndarray, reason: str) -> Mend:
    """A mend that leaves out the rows of these numbers."""
    return lambda runs: runs.select(~np.isin(runs.rows, rows), reason)


def recounted(before: Runs, after: Runs) -> bool:
    """Whether C is counted anew in `after`, so that budgets are none any more and only a law can be fitted."""
    kept = np.isin(before.rows, after.rows)
    return not np.array_equal(after["flops"], before["flops"][kept])


def positive(runs: Runs, name: str) -> np.ndarray:
    """(n,) of an optional column, NaN where it holds no positive, finite number."""
    values = runs.numbers(name)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)
