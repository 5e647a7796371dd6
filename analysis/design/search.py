"""Whole numbers of runs within a budget: greedy by gain per FLOP, then exchanges (Fedorov 1972, section 3.2).

Several greedy designs and whatever designs are given are each improved by exchanges; the best is kept. Nothing is drawn
at random: the same question gives the same design.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from analysis.design.costs import Costs
from analysis.design.information import Question, State

POWERS = (1.0, 0.5, 0.0)  # of the cost that a gain is divided by: how greedy designs differ
SWEEPS = 12  # over all candidates of a design
ENOUGH = 1e-4  # a fall of ln standard error that is worth an exchange

Step = tuple[float, float]  # FLOPs spent, criterion


@dataclasses.dataclass(frozen=True)
class Limits:
    """`budget` in FLOPs for all new runs, at most `max_runs` of them and `max_seeds` of a candidate, or `most_J`."""

    budget: float
    max_runs: int = 60
    max_seeds: int = 4
    most_J: np.ndarray | None = None

    def room(self, state: State, costs: Costs, spent: float) -> np.ndarray:
        """(J,) whether one more run of each candidate is within the limits."""
        fits = costs.of_next(state.counts_J) <= (self.budget - spent) * (1 + 1e-9)
        fits &= bool(state.counts_J.sum() < self.max_runs)
        return fits & (state.counts_J < (self.max_seeds if self.most_J is None else self.most_J))


@dataclasses.dataclass(frozen=True)
class Found:
    """A design, what it costs, and how the criterion fell as its runs were taken in the order of gain per FLOP."""

    state: State
    flops: float
    path: tuple[Step, ...] = ()


def fill(state: State, costs: Costs, limits: Limits, power: float = 1.0) -> Found:
    """Adds the run with the largest gain per FLOP^power until nothing more fits or helps."""
    spent = costs.total(state.counts_J)
    path = [(spent, state.value)]
    while True:
        room = limits.room(state, costs, spent)
        price_J = costs.of_next(state.counts_J)
        gain_J = np.where(room, state.value - state.values_after(), 0.0)
        if not (gain_J > 1e-9).any():
            return Found(state, spent, tuple(path))
        j = int(np.argmax(gain_J / np.maximum(price_J, np.finfo(float).tiny) ** power))
        spent += float(price_J[j])
        state = state.add(j)
        path.append((spent, state.value))


def exchange(state: State, costs: Costs, limits: Limits, told: Callable[[str], None] = lambda note: None) -> State:
    """Takes out one run at a time and puts in what helps most in its place, and more where there is room, while any
    such exchange helps."""
    for sweep in range(SWEEPS):
        before = state.value
        for i in np.flatnonzero(state.counts_J):
            if not state.counts_J[i]:
                continue
            told(f"exchanges, round {sweep + 1}: {np.exp(state.value):.3g}")
            out = state.remove(int(i))
            best = _put_in(out, costs, limits)
            if best is not None and best.value < state.value - ENOUGH:
                state = best
        if state.value > before - 10 * ENOUGH:
            break
    return state


def _put_in(state: State, costs: Costs, limits: Limits) -> State | None:
    """The state with the best run that fits, and then those with the largest gain per FLOP."""
    room = limits.room(state, costs, costs.total(state.counts_J))
    if not room.any():
        return None
    after_J = np.where(room, state.values_after(), np.inf)
    return fill(state.add(int(np.argmin(after_J))), costs, limits).state


def search(
    question: Question,
    costs: Costs,
    limits: Limits,
    others: Sequence[np.ndarray] = (),
    told: Callable[[str], None] = lambda note: None,
) -> Found:
    """The best design that was found; `others` are counts that exchanges start from too."""
    starts = [fill(question.start(), costs, limits, power).state for power in POWERS]
    starts += [fill(question.at(counts), costs, limits).state for counts in others]
    ends = [exchange(state, costs, limits, told) for state in starts]
    best = min(ends, key=lambda state: state.value)
    return Found(best, costs.total(best.counts_J), path_of(best, costs))


def path_of(state: State, costs: Costs) -> tuple[Step, ...]:
    """The runs of a design in the order of gain per FLOP: what was spent and the criterion after each."""
    limits = Limits(np.inf, int(state.counts_J.sum()), int(state.counts_J.max(initial=0)), state.counts_J)
    return fill(state.question.start(), costs, limits).path
