"""What an interval is about: a number computed from a law's parameters, with derivatives.

Dimension letters: B batch, P parameters of the solver (centred).
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from analysis import laws
from analysis.laws import Design

FIRST, SECOND = 1e-5, 1e-3  # steps of the differences: their errors are of the order of 1e-10 and 1e-8


@dataclasses.dataclass(frozen=True)
class Quantity:
    """`of` turns (..., P) parameters into (...,) values; on the scale where it is nearly linear, that of `log`.

    `is_floor`: an irreducible loss, which may be as low as 0.
    """

    name: str
    of: Callable[[np.ndarray], np.ndarray]
    log: bool = False
    is_floor: bool = False

    def scaled(self, theta: np.ndarray) -> np.ndarray:
        """(..., P) -> (...,): the value, or its logarithm."""
        return self.to_scale(self.of(theta))

    def to_scale(self, value: np.ndarray | float) -> np.ndarray:
        """A value on this quantity's scale; NaN where it has no logarithm."""
        with np.errstate(all="ignore"):
            return np.log(value) if self.log else np.asarray(value, dtype=float)

    def from_scale(self, scaled: np.ndarray | float) -> np.ndarray:
        """Inverse of `to_scale`."""
        with np.errstate(over="ignore"):
            return np.exp(scaled) if self.log else np.asarray(scaled, dtype=float)

    def gradient(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(B, P) of the scaled value, by central differences."""
        steps = FIRST * np.eye(theta_BxP.shape[-1])
        around = theta_BxP[:, None, :]
        return (self.scaled(around + steps) - self.scaled(around - steps)) / (2 * FIRST)

    def hessian(self, theta_BxP: np.ndarray) -> np.ndarray:
        """(B, P, P) of the scaled value, by central differences."""
        steps = SECOND * np.eye(theta_BxP.shape[-1])
        sums, gaps = steps[:, None] + steps, steps[:, None] - steps
        around = theta_BxP[:, None, None, :]
        same = self.scaled(around + sums) + self.scaled(around - sums)
        return (same - self.scaled(around + gaps) - self.scaled(around - gaps)) / (4 * SECOND**2)


def coefficients(points: Design, theta: np.ndarray) -> dict[str, Quantity]:
    """The law's published names at centred parameters (..., P); logarithms of all that are positive at `theta`.

    Exponents and parameters of shapes, which the solver has as they stand, have no logarithm.
    """
    law = points.law
    own = set(law.parameters[len(law.terms) :])
    floor = law.coefficient_names[law.floor] if law.floor is not None else ""
    values = laws.natural(law, points.uncentre(theta))

    def reader(name: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda at: np.asarray(laws.natural(law, points.uncentre(at))[name], dtype=float)

    return {
        name: Quantity(name, reader(name), name not in own and bool(value > 0), name == floor)
        for name, value in values.items()
    }
