"""Settings of distillation: the run that another learns from beside the data. No JAX here."""

import dataclasses

from scaling_laws.fields import ConfigError, setting
from scaling_laws.spec import Spec
from scaling_laws.techniques import section


@dataclasses.dataclass(frozen=True)
class DistillConfig:
    """A teacher, of any family and size that takes the same task. Weight and temperature are arguments of the compiled
    step, so a new value compiles nothing; at weight 0 the teacher is asked all the same, and counted."""

    teacher: str = setting(
        "", "run_id of the finished run whose last parameters (train.keep_parameters) are the teacher's; empty: none"
    )
    teacher_workdir: str = setting("", "the workdir of the teacher; empty: this run's own", identity=False)
    weight: float = setting(
        0.0, "share of the training objective that is the distance from the teacher, not from the data", low=0, high=1
    )
    temperature: float = setting(
        1.0, "classes: what the logits of both are divided by before they are compared", low=0.01, high=1e3
    )


def form(distill: DistillConfig) -> DistillConfig:
    """What a program depends on."""
    return dataclasses.replace(distill, **{name: getattr(DistillConfig(), name) for name in ("weight", "temperature")})


def strengths(distill: DistillConfig) -> dict[str, float]:
    """The weight; nothing without a teacher."""
    return {"distill": distill.weight} if distill.teacher else {}


def check(distill: DistillConfig) -> None:
    """A teacher by its run_id; without one nothing else. Raises ConfigError."""
    section.check_named("distill", distill, "teacher")


def check_task(distill: DistillConfig, spec: Spec) -> None:
    """Raises ConfigError where outputs as `spec` has them have no temperature."""
    if distill.temperature != DistillConfig.temperature and not spec.is_classification:
        raise ConfigError(
            f"distill.temperature: {distill.temperature:g}; allowed: 1 where a number is predicted, not a class"
        )
