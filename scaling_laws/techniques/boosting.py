"""Settings of boosting: the run whose errors another learns to mend. No JAX here."""

import dataclasses

from scaling_laws.fields import ConfigError, setting
from scaling_laws.spec import Spec
from scaling_laws.techniques import section


@dataclasses.dataclass(frozen=True)
class BoostConfig:
    """A stage of boosting: outputs of the sum of the stages so far stand beneath those of this run, in training and in
    evaluations. The first stage is an ordinary run; stage k adds to the sum its outputs times its `rate`."""

    previous: str = setting(
        "", "run_id of the finished run (train.keep_parameters), the stage before this one; empty: no boosting"
    )
    previous_workdir: str = setting("", "the workdir of the stages before; empty: this run's own", identity=False)
    rate: float = setting(1.0, "share of this stage that the sum takes, for the stages after it", low=0, high=1)


def strengths(boost: BoostConfig) -> dict[str, float]:
    """1 where there is a stage before."""
    return {"boost": 1.0} if boost.previous else {}


def check(boost: BoostConfig) -> None:
    """A stage by its run_id; without one nothing else. Raises ConfigError."""
    section.check_named("boost", boost, "previous")


def check_task(boost: BoostConfig, augmented: bool, spec: Spec) -> None:
    """Raises ConfigError where there are no examples of one target each, as they are, to have outputs beforehand."""
    if boost.previous and (spec.source != "examples" or spec.targets > 1):
        raise ConfigError("boost.previous: allowed: empty where no table of examples with one target each is read")
    if boost.previous and augmented:
        raise ConfigError("boost.previous: allowed: empty with augment, for its sum is of examples as they are")
