"""What a search varies: settings of a run, each with its range or its choices, read from one line of text.

optimizer.learning_rate=log:1e-3:1e-1        any rate, its logarithm uniform
optimizer.weight_decay=log:1e-3:1:8          eight of them, a constant factor apart
optimizer.beta2=linear:0.9:0.99              any value; linear:0.9:0.99:4, four evenly spaced ones
model.depth=int:2:6                          whole numbers; int:16:64:16, every sixteenth
model.norm=rms|layer                         choices
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from scaling_laws import config, validation
from scaling_laws.config import ConfigError, RunConfig, nearest

KINDS = "log:LOW:HIGH, linear:LOW:HIGH, each with :COUNT for so many points, int:LOW:HIGH, int:LOW:HIGH:STEP, or A|B|C"
MOST_POINTS = 5000  # of a grid, as of a plan
MEASURES = ("name", "path", "split_seed", "valid_fraction", "heldout_fraction", "folds", "fold",
            "target", "loss", "examples", "noise", "rank")  # fmt: skip
FIXED = {
    **{f"task.{name}": "it decides what a trial is measured on" for name in MEASURES},
    "train.eval_tokens": "it decides what a trial is measured on",
    "train.seed": "--seeds names the seeds of every trial",
    "train.data_seed": "--seeds names the seeds of every trial",
}


@dataclasses.dataclass(frozen=True)
class Axis:
    """One setting: the `points` it takes, in order, or, where there are none, all numbers from `low` to `high`."""

    field: str
    points: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def ordered(self) -> bool:
        """Whether its values are numbers, so that neighbours are alike."""
        return not self.points or not any(isinstance(point, bool | str) for point in self.points)

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that say whether all of them are allowed."""
        return self.points or (self.low, self.high)

    def place(self, value: Any) -> float:
        """Where a value lies on the axis, 0 to 1: by its number among the points, else by (the logarithm of) itself."""
        if self.points:
            return self.points.index(value) / max(1, len(self.points) - 1)
        scale = math.log if self.log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))

    def at(self, place: float) -> Any:
        """The value at a place; of a range, to four significant digits, as the last bits must not make an identity."""
        if self.points:
            return self.points[round(place * (len(self.points) - 1))]
        if self.log:
            return rounded(math.exp(math.log(self.low) + place * (math.log(self.high) - math.log(self.low))))
        return rounded(self.low + place * (self.high - self.low))


@dataclasses.dataclass(frozen=True)
class Space:
    """The axes of a search, in the order given."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> float:
        """How many settings there are; infinite with a range in it."""
        return math.prod(len(axis.points) or math.inf for axis in self.axes)

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every setting, the last axis fastest. Raises ConfigError, naming the axis, for a range, and for too many."""
        for axis in self.axes:
            if not axis.points:
                raise ConfigError(f"--space: {axis.field} is a range; allowed in a grid: points, log:LOW:HIGH:COUNT")
        if self.size > MOST_POINTS:
            raise ConfigError(f"--space: a grid of {self.size:g} points; allowed: at most {MOST_POINTS}")
        names = [axis.field for axis in self.axes]
        for values in itertools.product(*(axis.points for axis in self.axes)):
            yield dict(zip(names, values, strict=True))


def rounded(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def parse(text: str, base: RunConfig) -> Space:
    """The space that `text` spells, for runs that are `base` but for it.

    Raises ConfigError in one line: no axis, a setting that does not exist or that a search may not vary, a value that
    is out of its field's range or does not go with the others.
    """
    axes: list[Axis] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, equals, spelt = word.partition("=")
        if not equals:
            raise ConfigError(f"--space: {word!r}; allowed: FIELD=VALUES, with VALUES one of {KINDS}")
        _check_name(name, base, [axis.field for axis in axes])
        axes.append(_axis(name, spelt, config.field_types(base)[name]))
    if not axes:
        raise ConfigError(f"--space: empty; allowed: FIELD=VALUES separated by commas, with VALUES one of {KINDS}")
    space = Space(tuple(axes))
    _check_values(space, base)
    return space


def changed(base: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """`base` with a point's settings, whole and checked. Raises ConfigError where they do not go together."""
    run = config.replace(base, changes)
    validation.validate_run(run)
    return run


def _check_name(name: str, base: RunConfig, before: list[str]) -> None:
    fields = {path: field for path, field, _ in config.leaves(base)}
    if name not in fields:
        raise ConfigError(f"--space: {name}: no such field{nearest(name, fields)}")
    if name in before:
        raise ConfigError(f"--space: {name} is there twice; allowed: each field once")
    if not fields[name].metadata["identity"]:
        raise ConfigError(f"--space: {name} changes how a run is executed, not what it finds; allowed: other fields")
    if name in FIXED:
        raise ConfigError(f"--space: {name}: {FIXED[name]}; allowed: other fields")


def _axis(name: str, spelt: str, kind: type) -> Axis:
    word, *numbers = spelt.split(":")
    if word in ("log", "linear", "int") and numbers:
        return _whole(name, numbers, kind) if word == "int" else _spread(name, word, numbers, kind)
    values = tuple(_value(name, each.strip(), kind) for each in spelt.split("|"))
    if len(set(values)) < len(values):
        raise ConfigError(f"--space: {name}: {spelt!r} repeats a value; allowed: each value once")
    numeric = kind in (int, float)
    return Axis(name, tuple(sorted(values)) if numeric else values)


def _whole(name: str, numbers: list[str], kind: type) -> Axis:
    if kind not in (int, float) or len(numbers) not in (2, 3):
        raise ConfigError(f"--space: {name}: 'int:{':'.join(numbers)}'; allowed for this field: {_allowed(kind)}")
    low, high, step = (int(_value(name, number, int)) for number in (*numbers, "1")[:3])
    count = (high - low) // step + 1 if step > 0 else 0
    if not 1 <= count <= config.MOST_VALUES:
        most = config.MOST_VALUES
        raise ConfigError(f"--space: {name}: int from {low} to {high} by {step}; allowed: 1 to {most} values")
    return Axis(name, tuple(kind(value) for value in range(low, high + 1, step)))


def _spread(name: str, word: str, numbers: list[str], kind: type) -> Axis:
    if kind not in (int, float) or len(numbers) not in (2, 3) or (kind is int and len(numbers) == 2):
        raise ConfigError(f"--space: {name}: '{word}:{':'.join(numbers)}'; allowed for this field: {_allowed(kind)}")
    low, high = (_value(name, number, float) for number in numbers[:2])
    if not low < high < math.inf or (word == "log" and low <= 0):
        above = "0 < " if word == "log" else ""
        raise ConfigError(f"--space: {name}: from {low:g} to {high:g}; allowed: {above}LOW < HIGH")
    if len(numbers) == 2:
        return Axis(name, (), low, high, word == "log")
    count = _value(name, numbers[2], int)
    if not 2 <= count <= config.MOST_VALUES:
        raise ConfigError(f"--space: {name}: {count} points; allowed: 2 to {config.MOST_VALUES}")
    spread = Axis(name, (), low, high, word == "log")
    spaced = [spread.at(number / (count - 1)) for number in range(count)]
    return Axis(name, tuple(dict.fromkeys(round(value) if kind is int else value for value in spaced)))


def _value(name: str, text: str, kind: type) -> Any:
    """One value in the type of its field."""
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise ConfigError(f"--space: {name}: {text!r}; allowed: {_allowed(kind)}") from None


def _allowed(kind: type) -> str:
    if kind is float:
        return f"numbers; {KINDS}"
    if kind is int:
        return "whole numbers; int:LOW:HIGH, int:LOW:HIGH:STEP, log:LOW:HIGH:COUNT, linear:LOW:HIGH:COUNT, or A|B|C"
    return "true|false" if kind is bool else "A|B|C"


def _check_values(space: Space, base: RunConfig) -> None:
    """Every axis by the rules of its field, and by those across fields beside the first values of the other axes."""
    first = {axis.field: axis.ends[0] for axis in space.axes}
    for axis in space.axes:
        for value in axis.ends:
            config.check_fields(config.replace(base, {axis.field: value}))
    for axis in space.axes:
        for value in axis.ends:
            changed(base, {**first, axis.field: value})
