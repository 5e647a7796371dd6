"""Coordinates for a step in which the valleys of a sum of powers are straight.

Where an exponent a is small, E + A x^-a is nearly a line in ln x: only the level E + A and the slope A a matter, and
E, ln A and a trade against each other along a narrow, curved valley. A step is taken in

    level l = E + sum_k A_k,  s_k = ln(A_k a_k),  a_k

over the terms k that have one positive exponent of their own, and in the parameters as they are for the rest. The law
is linear in E, so that E = 0 can be reached and left, where ln E would run to minus infinity. At E = 0 the level is
not free, and ln A_k is kept.

Dimension letters: B batch, P parameters, K terms with a chart.
"""

import dataclasses

import numpy as np

from analysis.laws import Law

SMALLEST = 1e-6  # an exponent below which ln(A a) means nothing
NEAREST = 0.25  # a step takes no exponent below this share of itself


@dataclasses.dataclass(frozen=True)
class Chart:
    """Coordinates at (B, P) parameters; E and A in units of `unit`, the smallest value observed."""

    theta: np.ndarray
    floor: int
    amplitudes: np.ndarray  # (K,) columns of ln A_k
    exponents: np.ndarray  # (K,) columns of a_k
    log_unit: float
    least: float  # of E, in units
    bent: np.ndarray  # (B, K) whether the row uses the chart for the term

    @staticmethod
    def at(law: Law, theta_BxP: np.ndarray, log_unit: float, vanished: float, follow: bool = True) -> "Chart":
        """The chart of a law with a constant term; `vanished`: how far below the unit, in ln, E is 0.

        Without `follow` only E takes the place of ln E.
        """
        assert law.floor is not None
        amplitudes, exponents = own_exponents(law)
        bent = theta_BxP[:, exponents] > SMALLEST
        bent &= (theta_BxP[:, [law.floor]] > log_unit - vanished + 1e-9) & follow
        return Chart(theta_BxP, law.floor, amplitudes, exponents, log_unit, float(np.exp(-vanished)), bent)

    def derivatives(self, gradient: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (B, P) and Hessian (B, P, P) in (l or E, s or ln A, a) from those in (ln E, ln A, a)."""
        f, i, j = self.floor, self.amplitudes, self.exponents
        g, h = np.array(gradient), np.array(hessian)
        size = np.exp(self.theta[:, f] - self.log_unit)
        h[:, f, f] -= g[:, f]
        g[:, f] /= size
        h[:, f, :] /= size[:, None]
        h[:, :, f] /= size[:, None]
        a, big = self._terms()
        jacobian = np.zeros_like(h)
        jacobian[:] = np.eye(h.shape[1])
        jacobian[:, i, j] = -1 / a
        jacobian[:, f, i] = -big
        jacobian[:, f, j] = big / a
        slope_e, slope_a = g[:, [f]], g[:, i]
        turned = np.matmul(np.matmul(jacobian.transpose(0, 2, 1), h), jacobian)
        turned[:, i, i] -= slope_e * big
        turned[:, i, j] += slope_e * big / a
        turned[:, j, i] += slope_e * big / a
        turned[:, j, j] += (slope_a - 2 * slope_e * big) / a**2
        return np.matmul(g[:, None, :], jacobian)[:, 0, :], turned

    def retract(self, step_BxP: np.ndarray) -> np.ndarray:
        """Parameters (B, P) after a step in these coordinates, shortened where an exponent would come too near to 0."""
        f, i, j = self.floor, self.amplitudes, self.exponents
        a, big = self._terms()
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(self.bent & (step_BxP[:, j] < 0), (NEAREST - 1) * a / step_BxP[:, j], 1.0)
        step = step_BxP * np.minimum(reach.min(axis=1, initial=1.0), 1.0)[:, None]
        new = self.theta + step
        new[:, i] -= np.where(self.bent, np.log(np.where(self.bent, new[:, j], 1.0) / np.where(self.bent, a, 1.0)), 0.0)
        grown = np.where(self.bent, np.exp(np.minimum(new[:, i] - self.log_unit, 700)), 0.0)
        size = np.exp(self.theta[:, f] - self.log_unit) + step[:, f] - (grown - big).sum(axis=1)
        new[:, f] = self.log_unit + np.log(np.maximum(size, self.least))
        return new

    def _terms(self) -> tuple[np.ndarray, np.ndarray]:
        """(B, K) exponents and amplitudes in units; infinite and 0 for a term without a chart."""
        a = np.where(self.bent, self.theta[:, self.exponents], np.inf)
        big = np.where(self.bent, np.exp(self.theta[:, self.amplitudes] - self.log_unit), 0.0)
        return a, big


def own_exponents(law: Law) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the coefficient and of the exponent of every plain term whose one exponent no other term shares."""
    reads = [power.exponent for term in law.terms for power in term.powers]
    pairs = []
    for k, term in enumerate(law.terms):
        if len(term.powers) == 1 and term.shape is None and isinstance(term.powers[0].exponent, str):
            name, scale = term.powers[0].exponent, term.powers[0].scale
            if reads.count(name) == 1 and scale < 0:
                pairs.append((k, law.parameters.index(name)))
    columns = np.array(pairs, dtype=int).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]
