"""What a compiled program depends on. Everything else is an argument of it."""

import dataclasses
import math

import jax

from scaling_laws import families
from scaling_laws.config import ConfigError, ModelConfig, RunConfig
from scaling_laws.parametrization import Scheme
from scaling_laws.spec import Spec
from scaling_laws.techniques.catalog import Forms
from scaling_laws.train import parts
from scaling_laws.train.teacher import Form

EVALUATED = 256  # targets an evaluation's program takes at least: a batch of one example would be all dispatching


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a compiled program depends on."""

    model: ModelConfig
    scheme: Scheme
    spec: Spec
    batch_size: int
    eval_batch: int  # a multiple of it
    parts: int  # of a batch, worked through one after the other
    loss_chunks: int  # of a part, for its logits
    steps_per_dispatch: int
    schedule: str
    nesterov: bool
    z_loss: bool
    average: str
    frozen: families.Frozen
    techniques: Forms
    teacher: Form | None = None

    @classmethod
    def of(cls, run: RunConfig, spec: Spec, taught_by: Form | None = None) -> "Shape":
        """The shape of a run on examples as `spec` has them. Raises ConfigError where a teacher's logits of a part of a
        batch would fill the memory."""
        n_parts = parts.of(run, spec, on_cpu=jax.default_backend() == "cpu")
        loss_chunks = parts.of_loss(run, spec, n_parts)
        if taught_by and loss_chunks > 1:
            raise ConfigError(
                f"train.accumulation: {n_parts}; allowed with distill.teacher: {n_parts * loss_chunks} or more, for "
                "the logits of a part are compared whole"
            )
        return cls(
            model=dataclasses.replace(run.model, balance=0.0),  # a number that is an argument
            scheme=Scheme.of(run),
            spec=spec,
            batch_size=run.train.batch_size,
            eval_batch=eval_batch(run, spec),
            parts=n_parts,
            loss_chunks=loss_chunks,
            steps_per_dispatch=run.train.steps_per_dispatch,
            schedule=run.optimizer.schedule,
            nesterov=run.optimizer.nesterov,
            z_loss=run.train.z_loss > 0,
            average=run.train.average,
            frozen=families.frozen(run.model, run.transfer),
            techniques=Forms.of(run),
            teacher=taught_by,
        )


def eval_batch(run: RunConfig, spec: Spec) -> int:
    """Examples of a batch of an evaluation."""
    return run.train.batch_size * math.ceil(EVALUATED / (run.train.batch_size * spec.targets))
