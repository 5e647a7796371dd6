"""The z-loss against its definition written out: what is minimised, what is reported, and nothing where it is off."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling_laws import hyper, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.train import state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

B, L, WEIGHT = 4, 16, 0.3  # so heavy a weight makes its gradient larger than the cross-entropy's
TINY = {"model.width": 8, "model.depth": 1, "model.head_dim": 4, "task.context": L, "train.batch_size": B}
STARTS = np.array([3, 40, 200, 77])


def step_of(weight, **form):
    run = replace(RunConfig(), TINY | {"train.z_loss": weight, "train.accumulation": 1})
    return Step(dataclasses.replace(Shape.of(run, spec.text(256, L)), **form)), hyper.hyperparameters(run)


@functools.cache
def params_of():
    """Large enough that Z is far from 256."""
    step, _ = step_of(0.0)
    fresh = state.initial(state.named(step.abstract_state()), step.rules, 0)
    params = state.tree(step.abstract_state(), fresh)["params"]
    return params | {"head": 3 * params["head"]}


def found(task, weight, **form):
    """(loss reported, gradients)."""
    step, numbers = step_of(weight, **form)
    return jax.jit(step._loss_and_gradients)(params_of(), numbers, task.train, STARTS)


def written_out(task, weight):
    """Chowdhery et al. 2022, section 5: cross-entropy + weight ln(Z)^2, means over all tokens, from the logits."""
    module = step_of(0.0)[0].module
    windows = task.train["tokens"][STARTS[:, None] + np.arange(L + 1)].astype(int)

    def objective(params):
        logits = module.apply({"params": params}, windows[:, :-1])
        log_z = jnp.log(jnp.exp(logits).sum(-1))
        right = jnp.take_along_axis(logits, windows[:, 1:, None], -1)[..., 0]
        return (log_z - right).mean() + weight * (log_z**2).mean(), (log_z - right).mean()

    return jax.jit(jax.value_and_grad(objective, has_aux=True))(params_of())


def same(found, wanted, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), found, wanted)


def test_ln_z_is_that_of_numpy(task):
    module = step_of(0.0)[0].module
    windows = task.train["tokens"][STARTS[:, None] + np.arange(L + 1)].astype(int)
    inputs, targets = windows[:, :-1], windows[:, 1:]
    logits = np.asarray(module.apply({"params": params_of()}, inputs), np.float64)
    wanted = np.log(np.exp(logits).sum(-1))
    assert np.abs(wanted).min() > 0.5
    for chunks in (1, 2):
        losses, log_z, _ = module.apply({"params": params_of()}, inputs, targets, chunks, True)
        np.testing.assert_allclose(log_z, wanted, rtol=1e-5)
        right = np.take_along_axis(logits, targets[..., None], -1)[..., 0]
        np.testing.assert_allclose(losses, wanted - right, rtol=1e-4)


@pytest.mark.parametrize("form", [{}, {"parts": 2}, {"loss_chunks": 2}, {"parts": 2, "loss_chunks": 2}])
def test_gradients_are_those_of_the_objective_and_the_loss_is_the_cross_entropy(task, form):
    (_, cross_entropy), wanted = written_out(task, WEIGHT)
    loss, grads = found(task, WEIGHT, **form)
    assert float(loss) == pytest.approx(float(cross_entropy), rel=1e-5)
    same(grads, wanted, rtol=1e-3, atol=1e-6)
    _, without = written_out(task, 0.0)
    assert not np.allclose(grads["head"], without["head"], rtol=0.1)


def test_off_it_is_bitwise_the_baseline(task):
    step, numbers = step_of(0.0)
    assert not step.shape.z_loss
    compiled = jax.jit(step._loss_and_gradients)
    baseline = compiled(params_of(), numbers, task.train, STARTS)
    other = compiled(params_of(), numbers | {"z_loss": np.float32(1e3)}, task.train, STARTS)
    same(other, baseline, rtol=0, atol=0)
    (_, cross_entropy), wanted = written_out(task, 0.0)
    assert float(baseline[0]) == pytest.approx(float(cross_entropy), rel=1e-5)
    same(baseline[1], wanted, rtol=1e-3, atol=1e-6)


def test_its_weight_is_a_number_of_one_program():
    (little, small), (much, large) = step_of(1e-4), step_of(1e-2)
    assert little.shape == much.shape != step_of(0.0)[0].shape
    assert (small["z_loss"], large["z_loss"]) == pytest.approx((1e-4, 1e-2))


def test_the_held_out_loss_is_free_of_it(task):
    step, _ = step_of(WEIGHT)
    (_, cross_entropy), _ = written_out(task, 0.0)
    losses_B = jax.jit(step.losses_B)(params_of(), {"data_seed": 0}, task.train, STARTS)
    assert float(losses_B.mean()) == pytest.approx(float(cross_entropy), rel=1e-5)
