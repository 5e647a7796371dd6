"""What a compiled program depends on. Everything else is an argument of it."""

import dataclasses
import math

import jax

from scaling_laws import families
from scaling_laws.config import ModelConfig, RunConfig
from scaling_laws.parametrization import Scheme
from scaling_laws.spec import Spec
from scaling_laws.techniques.catalog import Forms
from scaling_laws.train import parts

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

    @classmethod
    def of(cls, run: RunConfig, spec: Spec) -> "Shape":
        """The shape of a run on examples as `spec` has them."""
        n_parts = parts.of(run, spec, on_cpu=jax.default_backend() == "cpu")
        return cls(
            model=dataclasses.replace(run.model, balance=0.0),  # a number that is an argument
            scheme=Scheme.of(run),
            spec=spec,
            batch_size=run.train.batch_size,
            eval_batch=run.train.batch_size * math.ceil(EVALUATED / (run.train.batch_size * spec.targets)),
            parts=n_parts,
            loss_chunks=parts.of_loss(run, spec, n_parts),
            steps_per_dispatch=run.train.steps_per_dispatch,
            schedule=run.optimizer.schedule,
            nesterov=run.optimizer.nesterov,
            z_loss=run.train.z_loss > 0,
            average=run.train.average,
            frozen=families.frozen(run.model, run.transfer),
            techniques=Forms.of(run),
        )
