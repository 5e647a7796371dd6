"""Several models as one: a weighted sum of their logits or of their probabilities, and its losses.

Dimension letters: K members, B batch, L length, O outputs.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_laws import parametrization
from scaling_laws.models.build import build
from scaling_laws.models.loss import cross_entropy, example_losses
from scaling_laws.spec import Spec
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.train import state as states
from scaling_laws.train.finished import Finished
from scaling_laws.train.reading import Data, blank, read
from scaling_laws.train.shape import Shape
from scaling_laws.train.teacher import Form

AVERAGES = ("logits", "probabilities")
ALONE = "alone"  # one member as it is: even a product with 1 may be fused with others into other last digits


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Losses (n,) of examples and their places (n,) in the split; `outputs` (n, O) where an example has one target."""

    losses: np.ndarray
    places: np.ndarray
    outputs: np.ndarray | None


def evaluate(
    members: Sequence[Finished],
    task: Task,
    split: str = "heldout",
    weights: Sequence[float] | None = None,
    average: str = "logits",
) -> Evaluated:
    """Members of any family under one loss, on as many examples of `valid` or `heldout` as a run's final evaluation
    reads, those of the first member.

    `weights`: of each member's logits or probabilities; None: equal ones of sum 1. One member alone is, bit for bit,
    what its own evaluation was.
    """
    places = order.evaluated(task, split, members[0].run.train.eval_tokens)
    arrays, starts = order.taken(task, split, places)
    losses, outputs = _evaluated(members, task, arrays, starts, weights, average)
    return Evaluated(losses.astype(float), places, outputs)


def outputs(
    members: Sequence[Finished], task: Task, arrays: Mapping[str, np.ndarray], weights: Sequence[float] | None = None
) -> np.ndarray:
    """(n, O) outputs of members, summed by `weights` as in `evaluate`, for all of `arrays` (`order.training`,
    `order.evaluation`) of a task whose examples have one target, in their order and as they are, not augmented."""
    starts = np.arange(len(arrays["targets"]), dtype=np.int32)
    _, found = _evaluated(members, task, arrays, starts, weights, "logits")
    assert found is not None, "a text has no outputs of examples"
    return found


def _evaluated(
    members: Sequence[Finished],
    task: Task,
    arrays: Mapping[str, np.ndarray],
    starts: np.ndarray,
    weights: Sequence[float] | None,
    average: str,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Losses (n,) and outputs (n, O) of the examples at `starts` of `arrays`."""
    shape = Shape.of(members[0].run, task.spec)
    weights_K = np.full(len(members), 1 / len(members)) if weights is None else np.asarray(weights)
    if len(members) == 1 and weights_K[0] == 1:
        average = ALONE
    program = _program(tuple(member.form for member in members), task.spec, shape.parts, average)
    parameters = [dict(member.parameters) for member in members]
    about = (parameters, weights_K.astype(np.float32), jax.device_put(dict(arrays)))
    padded = np.concatenate([starts, np.zeros(-len(starts) % shape.eval_batch, np.int32)])
    batches, data_seed = padded.reshape(-1, shape.eval_batch), np.int32(members[0].run.train.data_seed)
    found = [jax.device_get(program(*about, data_seed, batch)) for batch in batches]
    losses = np.concatenate([losses_B for losses_B, _ in found])[: len(starts)]
    outputs = None if task.spec.targets > 1 else np.concatenate([each for _, each in found])[: len(starts)]
    return losses, outputs


def mixed(outputs: Sequence[Any], weights_K: Any, average: str) -> Any:
    """Outputs (..., O) of each member as those of one model: their weighted sum, or the logarithm of that of their
    probabilities."""
    if average == "logits":
        return functools.reduce(jnp.add, [weight * each for weight, each in zip(weights_K, outputs, strict=True)])
    logs = jnp.stack([jax.nn.log_softmax(each) for each in outputs])
    return jax.nn.logsumexp(logs, axis=0, b=weights_K.reshape(-1, *[1] * (logs.ndim - 1)))


@functools.lru_cache(maxsize=64)
def _program(forms: tuple[Form, ...], spec: Spec, parts: int, average: str) -> Callable[..., Any]:
    """Losses (B,) and outputs of a batch, worked through in `parts` as the runs' own evaluations are."""
    modules = [build(form.model, spec, parametrization.rules(form.scheme, form.model)) for form in forms]
    blanks: list[Any] = [jax.eval_shape(module.init, jax.random.key(0), blank(spec)) for module in modules]
    templates = [{"params": each["params"]} for each in blanks]

    def evaluated(parameters: Any, weights_K: Any, data: Data, data_seed: Any, starts_B: Any) -> tuple[Any, Any]:
        def part(starts: Any) -> tuple[Any, Any]:
            inputs, targets = read(spec, data, starts, data_seed)
            members = zip(modules, templates, parameters, strict=True)
            said = [module.apply(states.tree(template, given), inputs) for module, template, given in members]
            outputs = said[0] if average == ALONE else mixed(said, weights_K, average)
            if spec.targets > 1:
                return cross_entropy(lambda logits: logits, outputs, targets).mean(axis=1), ()
            return example_losses(spec, outputs, targets, data.get("class_weights")), outputs

        if parts == 1:
            return part(starts_B)
        found = jax.lax.map(part, starts_B.reshape(-1, parts).T)
        return jax.tree.map(lambda each: each.swapaxes(0, 1).reshape(-1, *each.shape[2:]), found)

    return jax.jit(evaluated)
