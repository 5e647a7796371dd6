"""A score beside the loss, forecast through the loss: error = eps - k exp(-gamma L) (Gadre et al. 2024, equation 5).

A score that rises as the loss falls, as accuracy, is 1 minus its error; one that falls with it, as an error rate or the
bits per byte, is that error itself.

Dimension letters: K forms, R redraws.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis import fitting, laws
from analysis.load import DataError, Runs, usable
from analysis.options import Options
from scaling_laws.config import ConfigError

LAW = "error"


@dataclasses.dataclass(frozen=True)
class Link:
    """The law of a score over the loss. `turned`: the error is 1 - score. `noise_sd`: of ln error about the law."""

    column: str
    turned: bool
    coefficients: dict[str, float]
    noise_sd: float
    samples: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)

    def score(self, losses: Any) -> np.ndarray:
        """The score at losses of any shape."""
        return self.from_error(_error(self.coefficients, np.asarray(losses, float)))

    def draws(self, losses_KxR: np.ndarray, seed: int = 0) -> np.ndarray:
        """(K, R) scores of new runs with these losses: redraw r of every form meets redraw r of the link."""
        at_R = np.arange(losses_KxR.shape[1]) % len(self.samples["k"])
        own_R = {name: values[at_R] for name, values in self.samples.items()}
        spread = np.random.default_rng([seed, len(losses_KxR)]).standard_normal(losses_KxR.shape)
        return self.from_error(_error(own_R, losses_KxR) * np.exp(self.noise_sd * spread))

    def to_json(self) -> dict[str, Any]:
        """What `read_link` reads: the link without its redraws."""
        own = ("column", "turned", "coefficients", "noise_sd")
        return {name: getattr(self, name) for name in own}

    def from_error(self, error: Any) -> np.ndarray:
        """The score of an error."""
        return np.maximum(0.0, 1 - np.asarray(error)) if self.turned else np.asarray(error)


def read_link(data: Mapping[str, Any]) -> Link:
    """Inverse of `Link.to_json`."""
    return Link(data["column"], data["turned"], dict(data["coefficients"]), data["noise_sd"])


def link(runs: Runs, column: str, options: Options) -> Link:
    """The law of `column` over the loss, from the runs that have both, with `options.bootstrap` redraws.

    Raises ConfigError where the column is the loss or missing, DataError where it does not rise or fall with the loss,
    or rises above 1 as the loss falls.
    """
    if column == "loss":
        raise ConfigError("metric: 'loss'; allowed: a score beside it, or no --metric")
    told = usable(runs, column, zero=True)
    turned = falls(told[column], told["loss"])
    if turned and told[column].max() > 1:
        most = f"{told[column].max():g}"
        raise DataError(f"{runs.source}: {column} rises to {most} as the loss falls; allowed: up to 1")
    found = fitting.fit(
        with_error(told, Link(column, turned, {}, 0.0)),
        law=LAW,
        objective=options.objective if options.objective in ("huber", "lad", "log_mse") else "huber",
        bootstrap=options.bootstrap,
        seed=options.seed,
        level=options.level,
    )
    return Link(column, turned, found.coefficients, found.residual_sd, found.samples)


def with_error(runs: Runs, link: Link) -> Runs:
    """The runs that have the score, with its `error`; those without any error are left out by name."""
    told = usable(runs, link.column, zero=True)
    return usable(told.with_columns(error=1 - told[link.column] if link.turned else told[link.column]), "error")


def falls(scores: np.ndarray, losses: np.ndarray) -> bool:
    """Whether a score is lower where the loss is higher, by the correlation of ranks. Raises DataError without one."""
    ranks = [np.argsort(np.argsort(values)).astype(float) for values in (scores, losses)]
    if len(scores) < len(laws.get(LAW).parameters) or np.ptp(scores) == 0 or np.ptp(losses) == 0:
        raise DataError(f"metric: {len(scores)} runs with a score; allowed: 3 or more, of unlike losses and scores")
    return bool(np.corrcoef(ranks[0], ranks[1])[0, 1] < 0)


def _error(c: Mapping[str, Any], losses: np.ndarray) -> np.ndarray:
    """eps - k exp(-gamma L), and 0 below the loss at which that is reached."""
    return np.maximum(0.0, c["eps"] - c["k"] * np.exp(-c["gamma"] * losses))
