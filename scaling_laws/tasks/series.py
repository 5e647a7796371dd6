"""Forecasts of a series: each value from the `task.context` values before it.

The splits follow one another in time, train first, then valid, then heldout, and no window reaches across. They are not
shuffled as other examples are: windows that overlap share values, and a model that has seen what comes after a window
is measured on filling gaps, not on the future.
"""

from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks import examples, targets
from scaling_laws.tasks.columns import Numbers, imputed, numbers
from scaling_laws.tasks.csv_file import listed, read, shown
from scaling_laws.tasks.generated import count, generator, noise
from scaling_laws.tasks.task import SPLITS, Arrays, Task

DEFAULT_VALUES = 20_000
DEFAULT_NOISE = 0.1
SEASONS = ((24.0, 1.0, 0.0), (168.0, 0.7, 1.0), (61.0, 0.4, 2.0))  # period in steps, amplitude, phase
LAGS = (0.6, 0.25)  # of the autoregressive part, which is stationary
SETTLING = 200  # its first steps, which are left out


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """Windows (n, context) float32 and the value (n,) after each, of the CSV column `task.target` or of a made-up one.

    Missing values are imputed and all standardised by the train part, as `task.impute` and `task.standardise` say.
    Nothing is kept under `cache_dir`. Raises ConfigError for a file that cannot be read, a series that is constant or
    too short, and for task.folds, since parts of a series are no equal shares.
    """
    targets.check_loss(config, "squared_error")
    if config.folds:
        raise ConfigError(f"task.folds: {config.folds}; allowed: 0 with task.name={config.name}, which splits by time")
    source, series, notes = _read(config)
    bounds = split_bounds(len(series.values), config)
    train = np.arange(bounds["train"].stop)
    if len(np.unique(series.values[train][~series.missing[train]])) < 2:
        raise ConfigError(
            f"task.target: column {shown(series.name)} of {source} has fewer than two different values in its train "
            "part; allowed: two or more"
        )
    values, note = imputed(series, train, config.impute)
    scaled, standard = targets.standard_numbers(values, train, config, f"column {shown(series.name)}")
    parts = {name: windows(scaled[part], config.context) for name, part in bounds.items()}
    return Task(
        name=config.name,
        spec=Spec("vector", (config.context,), 1, "squared_error"),
        train=parts["train"],
        valid=parts["valid"],
        heldout=parts["heldout"],
        content_hash=examples.content_hash(series.values),
        notes=(*([note] if note else []), *standard, *notes),
    )


def split_bounds(n_values: int, config: TaskConfig) -> dict[str, slice]:
    """Split -> its consecutive part of `n_values`, by `task.valid_fraction` and `task.heldout_fraction`.

    Raises ConfigError where a part is too short for one window and its target.
    """
    heldout = round(n_values * config.heldout_fraction)
    valid = round(n_values * config.valid_fraction)
    ends = (0, n_values - heldout - valid, n_values - heldout, n_values)
    found = {name: slice(ends[k], ends[k + 1]) for k, name in enumerate(SPLITS)}
    name = min(found, key=lambda name: found[name].stop - found[name].start)
    size = found[name].stop - found[name].start
    if size < config.context + 1:
        raise ConfigError(
            f"task.path: the {name} part of this series has {size} of its {n_values} values; allowed: task.context + 1 "
            f"= {config.context + 1} or more, by a longer series, a shorter context or a larger share"
        )
    return found


def windows(values: np.ndarray, context: int) -> Arrays:
    """`inputs` (n - context, context), each `context` values in a row, and `targets`, the value after; read-only."""
    inputs = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(values, context)[:-1])
    targets = values[context:].copy()
    for array in (inputs, targets):
        array.flags.writeable = False
    return {"inputs": inputs, "targets": targets}


def generated(n: int, deviation: float) -> np.ndarray:
    """(n,) a sum of sines (`SEASONS`) and an autoregressive process (`LAGS`) driven by noise of this deviation.

    x_t = sum_k a_k sin(2 pi t / p_k + f_k) + u_t with u_t = sum_l c_l u_{t-l} + deviation e_t and e_t normal: no
    forecast of x_t from the past has a mean squared error below deviation^2, and one that knows the seasons reaches it.
    """
    shocks = deviation * generator(1906).standard_normal(n + SETTLING)
    process = np.zeros(n + SETTLING)
    for t in range(len(process)):
        process[t] = shocks[t] + sum(c * process[t - lag] for lag, c in enumerate(LAGS, 1) if t >= lag)
    time = np.arange(n)
    seasons = [amplitude * np.sin(2 * np.pi * time / period + phase) for period, amplitude, phase in SEASONS]
    return process[SETTLING:] + np.sum(seasons, axis=0)


def _read(config: TaskConfig) -> tuple[str, Numbers, list[str]]:
    """What messages call the series, its values with NaN where one is missing, and notes."""
    if not config.path:
        deviation = noise(config, DEFAULT_NOISE)
        values = generated(count(config, DEFAULT_VALUES), deviation)
        floor = f"made-up series: no forecast has a mean squared error below {deviation**2:.9g}, before standardising"
        return "the made-up series", Numbers("value", values), [floor]
    csv = read(config.path)
    name, *others = csv.header
    if config.target:
        name = config.target
    elif others:
        raise ConfigError(f"task.target: empty; allowed: the column to forecast, {listed(csv.header)}")
    csv.check_column(name)
    return csv.file, numbers(csv, name), []
