"""What a teacher does in the compiled step: its own forward pass on the examples that the student sees, and the
distance of the student from it.

Dimension letters: B batch, L length, O outputs.
"""

from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws import parametrization
from scaling_laws.models.build import build
from scaling_laws.spec import Spec
from scaling_laws.train import state as states
from scaling_laws.train.reading import Data, blank
from scaling_laws.train.teacher import ARRAYS, Form


class Teaching:
    """A teacher's forward pass."""

    def __init__(self, form: Form, spec: Spec):
        self.module = build(form.model, spec, parametrization.rules(form.scheme, form.model))
        template: Any = jax.eval_shape(self.module.init, jax.random.key(0), blank(spec))
        self.template = {"params": template["params"]}

    def outputs(self, data: Data, inputs: Any) -> Any:
        """(B, O), or (B, L, O) of texts: what the teacher, whose parameters are among `data`, says of inputs."""
        given = {name.removeprefix(ARRAYS): array for name, array in data.items() if name.startswith(ARRAYS)}
        return self.module.apply(states.tree(self.template, given), inputs)


def distances(spec: Spec, outputs: Any, taught: Any, temperature: Any) -> Any:
    """(B,) or (B, L): T^2 KL(teacher_T || student_T) in nats, the softmax of each at temperature T (Hinton et al. 2015,
    section 2, and its factor T^2); of numbers predicted the squared difference. `outputs` are the student's."""
    if not spec.is_classification:
        return jnp.square(outputs[:, 0] - taught[:, 0])
    theirs, ours = (jax.nn.log_softmax(each / temperature) for each in (taught, outputs))
    return jnp.square(temperature) * (jnp.exp(theirs) * (theirs - ours)).sum(axis=-1)
