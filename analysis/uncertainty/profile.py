"""Profile likelihood: the objective minimised with one quantity held, over a range of its values.

The rise 2 (rho - rho_min) / kappa is compared with the quantile of F with 1 and n - p degrees of freedom (chi-squared
with 1 in the limit). For squared errors that is exact where the law is linear (Bates and Watts 1988, section 6.1); for
Huber's loss and absolute deviations it is the robust likelihood ratio (Ronchetti 1982; Heritier and Ronchetti 1994).
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from analysis import laws, solver
from analysis.uncertainty import student
from analysis.uncertainty.posed import Posed
from analysis.uncertainty.quantity import Quantity
from analysis.uncertainty.tied import Tied, descend, tied

NEAR = np.array([0.3, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0])  # of the distance at which a parabola would cross
FARTHEST = 1 << 10  # times that distance: a profile which has not crossed by then is open
ZOOMS, INSIDE = 2, 7
FIRST_REACH = 3.0  # where the curvature is too weak to say how far to look
RESOLVED = 1e-9  # of the value: a smaller interval, as of runs without noise, is a point


@dataclasses.dataclass(frozen=True)
class Profile:
    """Scaled values (M,) of a quantity in rising order, and the rise (M,) of the objective there."""

    values: np.ndarray
    rises: np.ndarray
    interval: tuple[float, float]


def profiles(posed: Posed, quantities: Mapping[str, Quantity], level: float) -> dict[str, tuple[float, float]]:
    """The interval of every quantity: where its rise crosses the quantile; an open side ends at infinity (0 for E)."""
    return {name: profile(posed, q, level).interval for name, q in quantities.items()}


def profile(posed: Posed, quantity: Quantity, level: float) -> Profile:
    """One quantity's profile, followed to where it crosses on both sides."""
    search = _Search.of(posed, quantity, student.quantile(level, posed.dof))
    if search is None or search.reach < RESOLVED * (1 + abs(search.values[0])):
        value = float(quantity.of(posed.theta))
        return Profile(np.array([quantity.to_scale(value)]), np.zeros(1), (value, value))
    low, high = search.end(-1), search.end(1)
    order = np.argsort(search.values)
    return Profile(np.array(search.values)[order], np.array(search.rises)[order], (low, high))


def rise_at(posed: Posed, quantity: Quantity, values: np.ndarray) -> np.ndarray:
    """(M,) rise of the objective where the quantity has each of the (M,) values."""
    search = _Search.of(posed, quantity, 1.0)
    if search is None:
        return np.where(values == quantity.of(posed.theta), 0.0, np.inf)
    return search.look(quantity.to_scale(np.asarray(values, dtype=float)))


@dataclasses.dataclass
class _Search:
    """What is known of one profile: scaled values, the parameters phi and the rise at each."""

    posed: Posed
    quantity: Quantity
    task: Tied
    kappa: float
    crossing: float  # of the root of the rise
    reach: float  # the distance, in steps of `place`, at which a parabola would cross
    direction_P: np.ndarray
    values: list[float]
    phis: list[np.ndarray]
    rises: list[float]

    @classmethod
    def of(cls, posed: Posed, quantity: Quantity, crossing: float) -> "_Search | None":
        """None for a quantity that the free parameters do not move."""
        posed = posed.smooth
        task = tied(posed.task, posed.theta, (quantity,))
        if task is None:
            return None
        gradient = quantity.gradient(posed.theta[None])[0]
        bread = posed.bread @ gradient
        spread, middle = float(gradient @ bread), float(quantity.scaled(posed.theta))
        kappa = max(posed.scale_along(gradient) if spread > 0 else posed.scale, 1e-300)
        reach = min(crossing * np.sqrt(kappa * spread) or 0.1, FIRST_REACH * (1.0 if quantity.log else 1 + abs(middle)))
        if quantity.is_floor:
            lowest = float(np.exp(posed.task.y_N.min()))
            reach = min(reach * np.exp(middle), 0.2 * lowest) if spread > 0 else 0.05 * lowest
        phi = task.contract(posed.theta[None])[0]
        direction = bread / spread if spread > 0 else np.zeros(len(phi))
        return cls(posed, quantity, task, kappa, crossing, reach, direction, [middle], [phi], [0.0])

    def place(self, side: int, multiples: np.ndarray) -> np.ndarray:
        """Scaled values at multiples of the reach on one side; for a floor in equal steps of its value, above 0."""
        if not self.quantity.is_floor:
            return self.values[0] + side * multiples * self.reach
        value = np.exp(self.values[0]) + side * multiples * self.reach
        least = self.posed.task.low_P[self.task.pivots[0]]
        return np.log(np.maximum(value, np.exp(least))) if np.isfinite(least) else np.log(value[value > 0])

    def look(self, values_M: np.ndarray) -> np.ndarray:
        """(M,) rises at scaled values, each descended to from between its known neighbours."""
        order = np.argsort(self.values)
        known, phis = np.array(self.values)[order], np.array(self.phis)[order]
        start = np.stack([np.interp(values_M, known, column) for column in phis.T], axis=1)
        beyond = values_M - np.clip(values_M, known[0], known[-1])
        start += beyond[:, None] * self.direction_P
        start[:, self.task.pivots[0]] = values_M
        rises = np.full(len(values_M), np.inf)
        for begin in (start, phis[np.abs(known - values_M[:, None]).argmin(axis=1)]):
            todo = ~np.isfinite(rises)
            if todo.any():
                begin[:, self.task.pivots[0]] = values_M
                start[todo], found = descend(self.task, begin[todo], self.posed.weights_of(int(todo.sum())))
                rises[todo] = (found - self.lowest) * 2 / self.kappa
        rises = np.maximum(rises, 0)
        sound = np.isfinite(rises)
        self.values.extend(values_M[sound].tolist())
        self.phis.extend(start[sound])
        self.rises.extend(rises[sound].tolist())
        return rises

    @property
    def lowest(self) -> float:
        """The objective at the optimum."""
        return float(self.posed.objective_at(self.posed.theta[None])[0])

    def end(self, side: int) -> float:
        """The value at which the rise crosses on one side; infinite (0 for a positive quantity) where it does not."""
        if side < 0 and self.quantity.is_floor and floor_rise(self.posed) < self.crossing**2:
            return 0.0
        near, multiples = self.values[0], NEAR
        while multiples[0] <= FARTHEST:
            places = np.append(near, self.place(side, multiples))
            first = self._first(places)
            if first and not np.isfinite(self._root(places[first])):  # the law cannot be followed as far as that
                places = np.linspace(places[first - 1], places[first], INSIDE + 2)[:-1]
                first = self._first(places)
                if not first or not np.isfinite(self._root(places[first])):
                    break
            if first:
                return float(self.quantity.from_scale(self._zoomed(places[first - 1], places[first])))
            near, multiples = places[-1], NEAR[3:] * multiples[-1] * 1.25
        return float(self.quantity.from_scale(side * np.inf))

    def _first(self, places: np.ndarray) -> int:
        """Index of the first of the places, after that which is known, where the rise has crossed; 0 for none."""
        above = ~(np.sqrt(self.look(places[1:])) < self.crossing)
        return int(np.argmax(above)) + 1 if above.any() else 0

    def _root(self, value: float) -> float:
        """Root of the rise at a scaled value that was looked at; infinite where the law could not be followed."""
        return float(np.sqrt(dict(zip(self.values, self.rises, strict=True)).get(value, np.inf)))

    def _zoomed(self, below: float, above: float) -> float:
        """The crossing between two scaled values."""
        for _ in range(ZOOMS):
            inside = np.linspace(below, above, INSIDE + 2)
            first = self._first(inside[:-1]) or INSIDE + 1
            below, above = inside[first - 1], inside[first]
        roots = self._root(below), self._root(above)
        if not np.isfinite(roots).all() or roots[1] <= roots[0]:
            return below
        return below + (above - below) * (self.crossing - roots[0]) / (roots[1] - roots[0])


def floor_rise(posed: Posed) -> float:
    """Rise of the objective where the law's constant term is absent: its profile at E = 0."""
    posed = posed.smooth
    law, k = posed.task.points.law, posed.task.points.law.floor
    kept = np.arange(len(posed.theta)) != k
    bare = dataclasses.replace(law, terms=tuple(term for j, term in enumerate(law.terms) if j != k))
    points = laws.design(bare, posed.task.points.inputs)
    box = {name: getattr(posed.task, name)[kept] for name in ("low_P", "high_P", "still_P")}
    task = dataclasses.replace(posed.task, points=points, **box)
    lowest = float(posed.objective_at(posed.theta[None])[0])
    return max(0.0, 2 * (solver.solve(task, posed.weights_N).value - lowest) / max(posed.scale, 1e-300))
