"""Where the next trial of a search is made: samplers behind Optuna's interface, each a function of what was told.

What a sampler draws follows from the seed of the search, the number of the trial and the trials told before. So a
search that was killed goes on as it would have, and processes that share one draw different trials.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from scaling_laws.search import gaussian_process
from scaling_laws.search.space import Axis, Space

CANDIDATES = 2048  # points among which the Gaussian process looks for its next one
SPREADS = (0.3, 0.1, 0.03, 0.01)  # of those near the best one, in widths of the cube


def distribution(axis: Axis) -> BaseDistribution:
    """How Optuna sees an axis: numbers in order by their place, so that neighbours are alike to it."""
    if axis.points and axis.ordered:
        return IntDistribution(0, len(axis.points) - 1)
    return CategoricalDistribution(axis.points) if axis.points else FloatDistribution(axis.low, axis.high, log=axis.log)


def changes(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted path -> value, of what Optuna holds of a trial."""
    return {axis.field: _value(axis, params[axis.field]) for axis in space.axes}


def _value(axis: Axis, param: Any) -> Any:
    if axis.points:
        return axis.points[param] if axis.ordered else param
    return axis.at(axis.place(param))


def sampler(kind: str, space: Space, seed: int, n_trials: int) -> BaseSampler:
    """The sampler of that kind (settings.SAMPLERS) for a search of `n_trials`.

    TPE (Bergstra et al. 2011) and the Gaussian process begin with a quarter of the trials, ten at most, drawn blindly.
    """
    startup = startup_trials(n_trials)
    makers: dict[str, Callable[[int], BaseSampler]] = {
        "grid": lambda number: Decided(space, grid_point(space, seed, number)),
        "random": lambda number: RandomSampler(seed=_seed(seed, number)),
        "tpe": lambda number: TPESampler(seed=_seed(seed, number), n_startup_trials=startup),
        "gp": lambda number: GaussianProcessSampler(space, _seed(seed, number), startup),
    }
    return ByNumber(makers[kind])


def grid_point(space: Space, seed: int, number: int) -> dict[str, Any]:
    """The grid's points shuffled, so that a search of some of them is a fair sample of it."""
    points = list(space.grid())
    return points[np.random.default_rng(seed).permutation(len(points))[number]]


def startup_trials(n_trials: int) -> int:
    """How many trials are drawn blindly before a model guides the others."""
    return min(10, max(4, n_trials // 4))


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


class ByNumber(BaseSampler):
    """Makes a sampler for each trial from its number, and does as that one does."""

    def __init__(self, make: Callable[[int], BaseSampler]):
        self._make, self._number, self._sampler = make, -1, None

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if self._sampler is None or trial.number != self._number:
            self._number, self._sampler = trial.number, self._make(trial.number)
        return self._sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As Optuna asks."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict:
        """As Optuna asks."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """As Optuna asks."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)


class Decided(BaseSampler):
    """One point that was decided before."""

    def __init__(self, space: Space, point: Mapping[str, Any]):
        self._params = {axis.field: _param(axis, point[axis.field]) for axis in space.axes}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing depends on anything."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict:
        """Nothing depends on anything."""
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """The point's value."""
        return self._params[param_name]


def _param(axis: Axis, value: Any) -> Any:
    return axis.points.index(value) if axis.points and axis.ordered else value


class GaussianProcessSampler(BaseSampler):
    """The point of greatest expected improvement; open trials count as if they had met their expectation.

    None is proposed twice, as long as there are others: the same settings would be the same run.
    """

    def __init__(self, space: Space, seed: int, startup: int):
        self._space, self._startup = space, startup
        self._seed, self._random = seed, RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All axes at once."""
        return {axis.field: distribution(axis) for axis in self._space.axes}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict:
        """The point, or nothing while too few trials are told."""
        trials = [each for each in study.get_trials(deepcopy=False) if each.number != trial.number]
        told = [each for each in trials if each.state == TrialState.COMPLETE and each.value is not None]
        if len(told) < self._startup:
            return {}
        opened = [each for each in trials if each.state == TrialState.RUNNING and set(search_space) <= set(each.params)]
        point = self._best_point(told, opened)
        return {axis.field: _param(axis, point[axis.field]) for axis in self._space.axes}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """A random value."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _best_point(self, told: list[FrozenTrial], opened: list[FrozenTrial]) -> dict[str, Any]:
        seen, pending = ([changes(self._space, each.params) for each in trials] for trials in (told, opened))
        x_NxP = self._encoded(seen)
        y_N = np.array([each.value for each in told])
        process = gaussian_process.fit(x_NxP, y_N, self._seed)
        if pending:
            x_OxP = self._encoded(pending)
            believed_O, _ = process.predict(x_OxP)
            process = process.with_values(x_OxP, believed_O)
        best = float(process.predict(x_NxP)[0].min())  # of the expectations: a lucky seed is no optimum
        every = self._candidates(seen[int(y_N.argmin())])
        candidates = [point for point in every if point not in seen and point not in pending] or every
        mean_M, deviation_M = process.predict(self._encoded(candidates))
        return candidates[int(gaussian_process.expected_improvement(mean_M, deviation_M, best).argmax())]

    def _candidates(self, best: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The whole grid where it is small; else random points, half of them near the best one."""
        if self._space.size <= CANDIDATES:
            return list(self._space.grid())
        rng, axes = np.random.default_rng(self._seed), self._space.axes
        places = rng.random((CANDIDATES, len(axes)))
        centre = np.array([axis.place(best[axis.field]) for axis in axes])
        spread = rng.choice(SPREADS, (CANDIDATES // 2, 1))
        near = np.clip(centre + rng.normal(size=(CANDIDATES // 2, len(axes))) * spread, 0, 1)
        places[: CANDIDATES // 2] = np.where(rng.random(near.shape) < 0.5, near, centre)
        return [{axis.field: axis.at(place) for axis, place in zip(axes, row, strict=True)} for row in places]

    def _encoded(self, points: list[dict[str, Any]]) -> np.ndarray:
        """Places (N, P): one coordinate a numeric axis, one a choice of the others."""
        axes = self._space.axes
        return np.array([[c for axis in axes for c in _coordinates(axis, point[axis.field])] for point in points])


def _coordinates(axis: Axis, value: Any) -> list[float]:
    if axis.ordered:
        return [axis.place(value)]
    return [float(value == choice) for choice in axis.points]
