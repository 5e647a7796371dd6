"""From a table and its fit to the next runs: the design, the even grid of equal cost, and what each promises."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from analysis import laws
from analysis.design import targets
from analysis.design.candidates import Candidates
from analysis.design.costs import Costs
from analysis.design.errors import Errors, efficiency, noise_at
from analysis.design.even import even_grid
from analysis.design.information import Question, State
from analysis.design.result import NextRuns, Promise, Target
from analysis.design.search import Limits, Step, path_of, search
from analysis.fitting import Fit
from analysis.load import Runs
from analysis.uncertainty import Quantity, student

ROUNDS = 3  # of a choice between laws: how often the rival is fitted anew to the design
Told = Callable[[str], None]


def _quiet(note: str) -> None:
    return None


def propose(
    runs: Runs,
    found: Fit,
    candidates: Candidates,
    target: Target,
    limits: Limits,
    errors: Errors | None = None,
    cooldown: float | None = None,
    told: Told = _quiet,
    notes: tuple[str, ...] = (),
) -> NextRuns:
    """The runs that are expected to narrow the target's interval most, given the runs of a fit with resamples.

    Raises ConfigError for a law without a closed surface over N and D, or a point that is none; DataError where the
    fit leaves nothing to go by.
    """
    errors = errors or Errors(noise_at(runs, found, candidates.n_params_J))
    costs, ask = Costs(candidates, cooldown), _asker(runs, found, candidates, target, errors)
    even_J = even_grid(costs, limits.budget)
    starts = [even_J] if even_J.sum() <= limits.max_runs and even_J.max() <= limits.max_seeds else []
    question = ask(np.zeros(len(candidates), dtype=int))
    best = search(question, costs, limits, starts, told).state
    if target.name == "choice":
        best = _settled(ask, best, costs, limits, told)
    even = ask(even_J).at(even_J)
    widths = _Widths(found, len(runs), misses=float(np.median(np.hypot(errors.noise_J, errors.misfit))))
    return NextRuns(
        target=target,
        estimate=_estimate(found, candidates, runs, target),
        level=found.level,
        candidates=candidates,
        costs=costs,
        errors=errors,
        limits=limits,
        counts_J=best.counts_J,
        even_J=even_J,
        before=widths.promise(question.start(), costs),
        after=widths.promise(best, costs),
        even=widths.promise(even, costs),
        path=widths.along(best, costs),
        even_path=widths.along(even, costs),
        notes=notes,
    )


def _asker(
    runs: Runs, found: Fit, candidates: Candidates, target: Target, errors: Errors
) -> Callable[[np.ndarray], Question]:
    """What is asked, as a function of a design: a rival law is fitted to that too."""
    errors_n = np.hypot(noise_at(runs, found, runs["n_params"]), errors.misfit)
    if target.rival is not None:
        rival = target.rival
        return lambda counts_J: targets.about_laws(found, rival, runs, candidates, errors, errors_n, counts_J)
    targets.surface_of(found.law)
    assert found.frontier is not None
    compute = found.frontier.compute

    def wanted(points: laws.Design) -> Quantity:
        return targets.quantity(points, target.name, target.at, compute)

    question = targets.about_number(found, runs, candidates, errors, errors_n, wanted)
    return lambda counts_J: question


@dataclasses.dataclass(frozen=True)
class _Widths:
    """From standard errors to half-widths: Student's t over runs less parameters, and what the objective of the fit
    loses beside least squares where runs miss by `misses`."""

    found: Fit
    runs: int
    misses: float

    def half(self, error: float, more: int) -> float:
        dof = self.runs + more - len(self.found.coefficients) + len(self.found.fixed)
        kept = efficiency(self.found.objective["name"], self.found.objective["delta"], self.misses)
        return student.quantile(self.found.level, max(dof, 1)) * error / math.sqrt(kept)

    def promise(self, state: State, costs: Costs) -> Promise:
        error, count = float(np.exp(state.value)), int(state.counts_J.sum())
        return Promise(count, costs.total(state.counts_J), self.half(error, count), 1 / error)

    def along(self, state: State, costs: Costs) -> tuple[Step, ...]:
        steps = path_of(state, costs)
        return tuple((spent, self.half(float(np.exp(value)), k)) for k, (spent, value) in enumerate(steps))


def _settled(ask, best: State, costs: Costs, limits: Limits, told: Told) -> State:
    """The design whose rival, fitted anew to each, is furthest off: the search is linear about a rival's fit."""
    found = [ask(best.counts_J).at(best.counts_J)]
    for _ in range(ROUNDS - 1):
        question = found[-1].question
        counts_J = search(question, costs, limits, [found[-1].counts_J], told).state.counts_J
        found.append(ask(counts_J).at(counts_J))
    return min(found, key=lambda state: state.value)


def _estimate(found: Fit, candidates: Candidates, runs: Runs, target: Target) -> float | None:
    if found.frontier is None or target.rival is not None:
        return None
    points = targets.points_of(targets.surface_of(found.law), runs, candidates)
    theta = points.centre(laws.parameters_of(points.law, found.coefficients))
    return float(targets.quantity(points, target.name, target.at, found.frontier.compute).of(theta))
