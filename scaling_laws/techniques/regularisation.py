"""Regularisation: settings, and which models and tasks they go with. No JAX here.

Decoupled weight decay is the optimiser's own (`optimizer.weight_decay`).
"""

import dataclasses

from scaling_laws.fields import ConfigError, setting
from scaling_laws.spec import Spec
from scaling_laws.techniques import section

CHECKS = 40  # of early stopping, evenly spaced over a run


@dataclasses.dataclass(frozen=True)
class RegulariseConfig:
    """Numbers are arguments of the compiled step, so a new value compiles nothing. L1 and L2 are parts of the objective
    and so of the gradient, of every tensor that weight decay would shrink: under Adam another thing than decay."""

    dropout: float = setting(
        0.0, "share of what a branch adds to the residual stream, or a hidden layer gives, that is 0", low=0, high=0.99
    )
    l1: float = setting(0.0, "weight of the sum of the weights' sizes in the training objective", low=0, high=1e3)
    l2: float = setting(0.0, "weight of half the sum of their squares there", low=0, high=1e3)
    label_smoothing: float = setting(
        0.0, "share of a target's class that is spread over all classes, in the training objective", low=0, high=0.999
    )
    patience: int = setting(
        0,
        f"early stopping: of {CHECKS} evenly spaced looks at the validation loss, so many in a row that see no new "
        "lowest one end the run, which is left with the parameters of the lowest; 0: never",
        low=0,
        high=CHECKS,
    )


def form(regularise: RegulariseConfig) -> RegulariseConfig:
    """What a program depends on."""
    return dataclasses.replace(section.form(regularise), patience=0)  # the loop's, not a program's


def strengths(regularise: RegulariseConfig) -> dict[str, float]:
    """Name -> number of each that is in use; of early stopping one over its patience."""
    found = section.in_use(regularise)
    if patience := found.pop("patience", 0.0):
        found["early_stopping"] = 1 / patience
    return found


def check(regularise: RegulariseConfig, spec: Spec) -> None:
    """Raises ConfigError where examples as `spec` has them cannot be regularised so."""
    if regularise.label_smoothing and not spec.is_classification:
        raise ConfigError(
            f"regularise.label_smoothing: {regularise.label_smoothing:g}; allowed: 0 where a number is predicted, not "
            "a class"
        )
    if regularise.patience and spec.source == "stream":
        raise ConfigError(
            f"regularise.patience: {regularise.patience}; allowed: 0 with a stream, of which nothing is read twice"
        )
