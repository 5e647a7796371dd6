"""The Fisher information of a design and the criterion: the standard error of one number, averaged over draws.

The ln losses are normal about the law, so that information is the sum over runs of g g' / variance with g the slope of
ln loss in the parameters, and the target's variance is c' M^-1 c with c its own slope (c-optimality: Elfving 1952;
Silvey 1980). The slopes depend on the parameters of the law, which are not known: the criterion is the mean over draws
of them (pseudo-Bayesian design: Chaloner and Verdinelli 1995, section 4) of ln of the standard error, so that no single
draw from a long valley rules.
Dimension letters: R draws, J candidates, P parameters.
"""

import dataclasses

import numpy as np

from analysis.design.candidates import Candidates
from analysis.design.errors import Errors

LEAST = 1e-12  # share of a variance that is always left, for rounding


@dataclasses.dataclass(frozen=True)
class Question:
    """`slopes_RxJxP` of ln loss at the candidates, `target_RxP` of the number asked for, and `prior_RxPxP`, the
    information of the runs that are there; `candidates` and the `errors` of their ln losses."""

    candidates: Candidates
    errors: Errors
    slopes_RxJxP: np.ndarray
    target_RxP: np.ndarray
    prior_RxPxP: np.ndarray

    def start(self) -> "State":
        """No new run."""
        shapes = range(len(self.candidates.shapes))
        counts = np.zeros(len(self.candidates), dtype=int)
        slopes, variance = np.empty_like(self.slopes_RxJxP), np.empty(len(counts))
        state = State(self, counts, np.linalg.inv(self.prior_RxPxP), slopes, variance)
        for h in shapes:
            state = state._renewed(h)
        return state

    def at(self, counts_J: np.ndarray) -> "State":
        """The design of `counts_J`."""
        state = self.start()
        for j in np.repeat(np.arange(len(counts_J)), counts_J):
            state = state.add(int(j))
        return state


@dataclasses.dataclass(frozen=True)
class State:
    """A design `counts_J`, the covariance (R, P, P) it leaves, and of one more run of each candidate the new part of
    its slope (R, J, P) and the variance (J,) of that."""

    question: Question
    counts_J: np.ndarray
    covariance_RxPxP: np.ndarray
    news_RxJxP: np.ndarray
    variance_J: np.ndarray

    @property
    def errors_R(self) -> np.ndarray:
        """(R,) standard error of the target under each draw."""
        c = self.question.target_RxP
        return np.sqrt(np.einsum("rp,rpq,rq->r", c, self.covariance_RxPxP, c))

    @property
    def value(self) -> float:
        """The criterion: the mean of ln standard error."""
        return float(np.log(self.errors_R).mean())

    def values_after(self) -> np.ndarray:
        """(J,) the criterion after one more run of each candidate."""
        c = self.question.target_RxP
        toward_RxP = np.einsum("rpq,rq->rp", self.covariance_RxPxP, c)
        before_R = np.einsum("rp,rp->r", c, toward_RxP)
        spread_RxJ = np.einsum("rjp,rjp->rj", self.news_RxJxP @ self.covariance_RxPxP, self.news_RxJxP)
        along_RxJ = np.einsum("rjp,rp->rj", self.news_RxJxP, toward_RxP)
        share_RxJ = along_RxJ**2 / ((self.variance_J + spread_RxJ) * before_R[:, None])
        return 0.5 * (np.log(before_R)[:, None] + np.log(np.maximum(1 - share_RxJ, LEAST))).mean(axis=0)

    def add(self, j: int) -> "State":
        """With one more run of candidate j."""
        return self._moved(j, 1, self.news_RxJxP[:, j], self.variance_J[j])

    def remove(self, j: int) -> "State":
        """Without the last seed of candidate j."""
        fewer = self.counts_J.copy()
        fewer[j] -= 1
        rows, slopes, variance = self._news(int(self.question.candidates.shape_J[j]), fewer)
        k = int(np.flatnonzero(rows == j)[0])
        return self._moved(j, -1, slopes[:, k], variance[k])

    def _moved(self, j: int, sign: int, slope_RxP: np.ndarray, variance: float) -> "State":
        """Sherman and Morrison 1950."""
        along_RxP = np.einsum("rpq,rq->rp", self.covariance_RxPxP, slope_RxP)
        scale_R = variance + sign * np.einsum("rp,rp->r", slope_RxP, along_RxP)
        covariance = self.covariance_RxPxP - sign * along_RxP[:, :, None] * (along_RxP / scale_R[:, None])[:, None, :]
        counts = self.counts_J.copy()
        counts[j] += sign
        moved = dataclasses.replace(self, counts_J=counts, covariance_RxPxP=covariance)
        return moved._renewed(int(self.question.candidates.shape_J[j]))

    def _news(self, h: int, counts_J: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of shape h, what is new of their slopes (R, T, P), and the variances (T,)."""
        rows = self.question.candidates.of_shape(h)
        weights_TxT, variance_T = self.question.errors.news(self.question.candidates, h, counts_J)
        slopes = self.question.slopes_RxJxP[:, rows]
        return rows, slopes - weights_TxT @ slopes, variance_T

    def _renewed(self, h: int) -> "State":
        rows, slopes, variance = self._news(h, self.counts_J)
        news, variances = self.news_RxJxP.copy(), self.variance_J.copy()
        news[:, rows], variances[rows] = slopes, variance
        return dataclasses.replace(self, news_RxJxP=news, variance_J=variances)
