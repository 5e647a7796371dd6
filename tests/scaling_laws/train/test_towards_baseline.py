"""Every technique whose strength is a number: the weaker it is, the nearer three steps end to the baseline's."""

import functools

import augmented
import numpy as np
import pytest
from shapes import quick_jit

from scaling_laws import hyper, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.tasks import order
from scaling_laws.techniques import axes
from scaling_laws.train import state, teacher
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

STEPS, BATCH = 3, 8
# SGD: Adam makes whole steps of the least differences
PLAIN = {"optimizer.name": "sgd", "train.steps": STEPS, "train.batch_size": BATCH, "train.steps_per_dispatch": STEPS}
PLAIN |= {"train.accumulation": 1, "model.depth": 1, "optimizer.clip_norm": 0.0, "optimizer.learning_rate": 0.05}
TEXT = {"model.width": 8, "model.head_dim": 4, "task.context": 12}
PICTURES = {"model.family": "mlp", "model.width": 8, "task.name": "images", "quantize.ends": True}
WEAKER = {  # strengths towards 0, which bits are not
    "quantize_weights": (2, 5, 8),
    "quantize_activations": (2, 5, 8),
    "dropout": (0.5, 0.02, 0.0001),
}
# on and off, whole steps of a size, of other runs; early stopping and pruning: test_stopping, test_pruned_runs
OTHERS = {"crop", "flip", "separable", "gelu", "tanh", "swiglu", "experts", "ensemble", "slim", "transfer"}
OTHERS |= {"early_stopping", "prune", "prune_one_shot", "prune_rewind", "quantize_after"}


def starts_and_data(name):
    """Settings, the form of the data, the data, the places of three batches."""
    if name == "multi_token":
        tokens = np.random.default_rng(0).integers(0, 256, 400).astype(np.uint8)
        return TEXT, spec.text(256, 12), {"tokens": tokens}, np.arange(STEPS * BATCH).reshape(STEPS, BATCH) * 15
    task = augmented.task()
    return PICTURES, task.spec, order.training(task), np.arange(STEPS * BATCH).reshape(STEPS, BATCH)


def fresh(step, seed=0):
    template = step.abstract_state()
    return state.tree(template, state.initial(state.named(template), step.rules, seed))


@functools.cache
def trained(name, strength):
    """Parameters after three steps; those that the baseline has too."""
    settings, form, data, starts_KxB = starts_and_data(name)
    plain = replace(RunConfig(), PLAIN | settings)
    run = replace(plain, axes.axis(name).changes(strength) if strength else {})
    taught_by = teacher.Form(plain.model, Shape.of(plain, form).scheme) if name == "distill" and strength else None
    if taught_by:
        run = replace(run, {"distill.teacher": "0" * 16})
        other = state.params(state.named(fresh(Step(Shape.of(plain, form)), seed=1)))
        data = data | {teacher.ARRAYS + key: leaf for key, leaf in other.items()}
    shape = Shape.of(run, form, taught_by)
    step = Step(shape)
    after = program(shape)(fresh(step), hyper.hyperparameters(run), data, starts_KxB)
    return {key: np.asarray(leaf) for key, leaf in state.named(after["params"]).items() if "auxiliary" not in key}


@functools.cache
def program(shape):
    step = Step(shape)
    return quick_jit(lambda first, numbers, data, starts: step.advance(first, numbers, data, starts, STEPS, True)[0])


def distance(name, strength):
    here, there = trained(name, strength), trained(name, 0)
    assert here.keys() == there.keys()
    return sum(float(np.square(here[key] - there[key]).sum()) for key in there) ** 0.5


@pytest.mark.parametrize("name", sorted(axes.AXES.keys() - OTHERS))
def test_the_baseline_is_approached_as_the_strength_goes_to_0(name):
    far, near, nearest = (distance(name, strength) for strength in WEAKER.get(name, (0.5, 0.02, 0.001)))
    assert far > 4 * near
    assert near > 4 * nearest or near == 0
    assert far > 1e-4
