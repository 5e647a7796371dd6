"""The best learning rate of each size from runs over rates and seeds: where it is, how sharply, how far it moves.

The minimum is that of a parabola of ln loss in ln rate through the least mean loss and its neighbours. Its interval is
Student's over the seeds' own minima, so that it says what another seed would have shown.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.interior_settings import minimum
from analysis.load import FITTED, DataError, Runs, units
from analysis.uncertainty import student
from scaling_laws.units import loss_text

KEYS = ("parametrization", "width", "depth", "steps")
APART = ("base_width", "base_depth", "batch_size", "context", "optimizer", "schedule", "weight_decay", "task",
         "loss_kind")  # fmt: skip
NEEDS = ("n_params", "tokens", "learning_rate")


@dataclasses.dataclass(frozen=True)
class RateMinimum:
    """One size. `losses` (rates, seeds), nan where a run went bad; `best` the fitted minimum, `interval` of it (nan
    for one seed), `tried` the rate with the least mean loss; `bests` and `sensitivities` (seeds,) of each seed's own
    losses, nan where it has no interior minimum; `reason`: why there is no interior minimum, or nothing; `unit` of the
    losses."""

    parametrization: str
    width: int
    depth: int
    steps: int
    n_params: float
    tokens: float
    rates: np.ndarray
    losses: np.ndarray
    best: float
    interval: tuple[float, float]
    tried: float
    loss: float
    sensitivity: float
    bests: np.ndarray
    sensitivities: np.ndarray
    reason: str = ""
    unit: str = "nats/token"

    @property
    def shape(self) -> str:
        """`width 64 depth 2`."""
        return f"width {self.width} depth {self.depth}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        arrays = ("rates", "losses", "bests", "sensitivities")
        return dataclasses.asdict(self) | {name: getattr(self, name).tolist() for name in arrays}


def minima(runs: Runs, level: float = 0.9) -> list[RateMinimum]:
    """The minimum of each parametrisation, width, depth and number of steps that was tried at several rates.

    `runs`: those loaded with NEEDS and the statuses `table.SETTLED`, so that a rate at which every run went bad counts
    too. Raises DataError where no size was tried at two rates, a column is missing, or losses have unlike units.
    """
    units(runs)
    keys = list(zip(*(runs[name].tolist() for name in KEYS), strict=True))
    found = []
    for key in sorted(set(keys)):
        own = np.array([i for i, other in enumerate(keys) if other == key])
        if len(np.unique(runs["learning_rate"][own])) > 1:
            found.append(_minimum(runs, own, key, level))
    if not found:
        raise DataError(f"{runs.source}: no size was tried at two learning rates; allowed: three or more each")
    return found


def _minimum(runs: Runs, own: np.ndarray, key: tuple, level: float) -> RateMinimum:
    rates, place = np.unique(runs["learning_rate"][own], return_inverse=True)
    seeds, column = np.unique(runs["seed"][own], return_inverse=True)
    name, width, depth, steps = key
    _check_once(runs, own, np.stack([place.ravel(), column.ravel()]), f"{name}, width {width}, depth {depth}")
    losses = np.full((len(rates), len(seeds)), np.nan)
    finished = np.isin(runs["status"][own], FITTED) if "status" in runs else True
    losses[place.ravel(), column.ravel()] = np.where(finished, runs["loss"][own], np.nan)
    sound = (np.isfinite(losses) & (losses > 0)).all(axis=1)
    about = (str(name), int(width), int(depth), int(steps), float(runs["n_params"][own[0]]))
    guess, unit = _guess(runs, own[0]), units(runs).loss
    spread = sensitivity(losses, guess)
    spreads = np.array([sensitivity(losses[:, [s]], guess) for s in range(len(seeds))])
    tokens = float(runs["tokens"][own[0]])
    if not sound.any():
        none = (math.nan, (math.nan, math.nan), math.nan, math.nan, spread, np.full(len(seeds), math.nan), spreads)
        return RateMinimum(*about, tokens, rates, losses, *none, "no rate finished at every seed", unit)
    logs = np.log(losses[sound])
    whole = minimum(rates[sound], logs.mean(axis=1))
    each = [minimum(rates[sound], logs[:, s]) for s in range(len(seeds))]
    tried = float(rates[sound][int(losses[sound].mean(axis=1).argmin())])
    bests = np.array([math.nan if one.reason else one.value for one in each])
    half = student.half_width(np.log(bests), level)
    interval = whole.value * math.exp(-half), whole.value * math.exp(half)
    fitted = (whole.value, interval, tried, math.exp(whole.loss), spread, bests, spreads)
    return RateMinimum(*about, tokens, rates, losses, *fitted, whole.reason, unit)


def _guess(runs: Runs, place: int) -> float:
    """The loss of guessing in run `place`, ln of its outputs; NaN where that is unknown, as of numbers predicted."""
    numbers = "loss_kind" in runs and runs["loss_kind"][place] == "squared_error"
    return math.nan if numbers else float(np.log(runs.numbers("vocab_size")[place]))


def _check_once(runs: Runs, own: np.ndarray, cells: np.ndarray, size: str) -> None:
    """Raises DataError where one size has two runs of one rate and seed (`cells` (2, n)): of which study is unclear."""
    _, which, counts = np.unique(cells, axis=1, return_inverse=True, return_counts=True)
    if counts.max() > 1:
        twice = own[which.ravel() == counts.argmax()]
        differ = [name for name in APART if name in runs and len(set(runs[name][twice].tolist())) > 1]
        raise DataError(
            f"{runs.source}: {size}: {len(twice)} runs of one learning rate and seed, unlike in "
            f"{', '.join(differ) or 'other settings'}; allowed: one, a table a study"
        )


def sensitivity(losses: np.ndarray, initial: float) -> float:
    """Mean over the rates tried of min(loss, `initial`) minus the least (Wortsman et al. 2023, section 2.2).

    `losses` (rates, seeds), rates evenly spaced in the logarithm; a run that went bad counts as the initial loss. Where
    that is unknown, nan, no loss is cut, and nan comes out if a run went bad.
    """
    filled = np.where(np.isfinite(losses), np.fmin(losses, initial), initial).mean(axis=1)
    return float(filled.mean() - filled.min())


def shift(found: RateMinimum, base: RateMinimum) -> float:
    """By how many octaves the fitted minimum lies above that of `base`."""
    return math.log2(found.best / base.best)


def steps_moved(found: RateMinimum, base: RateMinimum) -> float:
    """By how many factors of two the best rate that was tried lies above that of `base`."""
    return math.log2(found.tried / base.tried)


def families(found: Sequence[RateMinimum]) -> dict[tuple[str, str], list[RateMinimum]]:
    """(parametrization, axis) -> the sizes that differ in that axis alone, ascending, two or more.

    The other axis is held at the value that most sizes share, the smallest of equals, and the horizon at each of its
    values in turn.
    """
    groups: dict[tuple[str, str], list[RateMinimum]] = {}
    for axis, other in (("width", "depth"), ("depth", "width")):
        for name in dict.fromkeys(one.parametrization for one in found):
            own = [one for one in found if one.parametrization == name]
            values = sorted({getattr(one, other) for one in own})
            lines = [[one for one in own if getattr(one, other) == value] for value in values]
            line = max(lines, key=lambda line, axis=axis: len({getattr(one, axis) for one in line}))
            if len({getattr(one, axis) for one in line}) > 1:
                groups[name, axis] = sorted(line, key=lambda one: (one.steps, getattr(one, axis)))
    return groups


def lines(found: Sequence[RateMinimum]) -> list[str]:
    """A line a size under a heading a parametrisation and axis, shifts against the smallest size of that horizon; then
    the sizes that are compared with none."""
    text, alone = [], list(found)
    for (name, axis), own in families(found).items():
        text.append(f"{name} over {axis}:")
        for one in own:
            base = next(each for each in own if each.steps == one.steps)
            moved = f"  moved {shift(one, base):+.2f} octaves, {steps_moved(one, base):+.0f} steps"
            text.append(f"  {_line(one)}{'' if one is base else moved}")
        alone = [one for one in alone if all(one is not each for each in own)]
    return [*text, *(f"{one.parametrization}, alone: {_line(one)}" for one in alone)]


def _line(one: RateMinimum) -> str:
    low, high = one.interval
    edge = f"  NO INTERIOR MINIMUM: {one.reason}" if one.reason else ""
    return (
        f"{one.shape}, {one.steps} steps: best rate {one.best:.3g} [{low:.3g}, {high:.3g}], of those tried "
        f"{one.tried:.3g}, loss {loss_text(one.loss)} {one.unit}, sensitivity {one.sensitivity:.3g}{edge}"
    )
