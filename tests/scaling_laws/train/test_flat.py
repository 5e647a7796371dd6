"""Tensors as one vector: there and back, and the same step as tensor by tensor."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from shapes import quick_jit

from scaling_laws import hyper, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.train import flat, state, step
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

SMALL = {
    "model.width": 16,
    "model.depth": 1,
    "task.context": 8,
    "train.batch_size": 4,
    "train.steps": 12,
    "train.steps_per_dispatch": 6,
    "optimizer.weight_decay": 0.5,  # so that a share that stands at another tensor's place is seen
    "optimizer.learning_rate": 0.05,
}


def test_a_tree_comes_back_and_a_share_stands_at_its_tensor():
    tree = {"b": jnp.arange(6.0).reshape(2, 3), "a": {"x": jnp.array(7.0), "y": -jnp.arange(2.0)}}
    form = flat.Vector(tree)
    joined = form.join(tree)
    assert joined.shape == (9,)
    jax.tree.map(np.testing.assert_array_equal, form.split(joined), tree)
    parts = {"a": np.array([7.0, 0.0, -1.0]), "b": np.arange(6.0)}
    jax.tree.map(np.testing.assert_array_equal, form.parts(joined), parts)
    shares = form.share({"b": 2.0, "a": {"x": 3.0, "y": 4.0}})
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a, np.full_like(a, b)),
        form.split(shares),
        {"b": 2.0, "a": {"x": 3.0, "y": 4.0}},
    )
    assert form.share({"b": 2.0, "a": {"x": 2.0, "y": 2.0}}) == 2.0


def test_only_trees_of_tensors_in_an_optimisers_state_are_changed():
    params = {"w": jnp.ones((2, 2)), "b": {"scale": jnp.ones(2)}}
    like = optax.scale_by_adam().init(params)
    form = flat.Vector(params)
    joined = flat.within(form.join, like, like)
    assert joined.mu.shape == joined.nu.shape == (6,)
    assert joined.count.shape == ()
    jax.tree.map(np.testing.assert_array_equal, flat.within(form.split, like, joined), like)


@pytest.mark.parametrize("changes", [{}, {"optimizer.name": "sgd"}, {"train.accumulation": 2}, {"train.base_width": 8}])
def test_one_vector_steps_as_tensor_by_tensor_does(changes):
    run = replace(RunConfig(), SMALL | {"train.base_width": 16, "train.base_depth": 1} | changes)
    shape = Shape.of(run, spec.text(256, 8))
    text = {"tokens": jnp.asarray(np.random.default_rng(0).integers(0, 256, 4096), jnp.uint8)}
    starts = jnp.asarray(np.random.default_rng(1).integers(0, 4000, (6, 4)), jnp.int32)
    found = {}
    for sharded in (False, True):
        steps = Step(shape, sharded=sharded)
        template = steps.abstract_state()
        fresh = state.tree(template, state.initial(state.named(template), steps.rules, seed=0))
        advance = quick_jit(steps.advance)
        after, losses, norms, layers = advance(fresh, hyper.hyperparameters(run), text, starts, 6, True)
        found[sharded] = state.named(after) | {"losses": losses, "norms": norms, "layers": layers}
        rested, *_ = advance(fresh, hyper.hyperparameters(run), text, starts, 6, False)
        jax.tree.map(np.testing.assert_array_equal, rested["params"], fresh["params"])
    assert found[False].keys() == found[True].keys()
    for name, one in found[False].items():
        np.testing.assert_allclose(one, found[True][name], rtol=2e-5, atol=2e-6, err_msg=name)
    assert np.isfinite(found[False]["losses"]).all()


def test_large_and_sharded_tensors_keep_to_themselves():
    shape = Shape.of(replace(RunConfig(), SMALL), spec.text(256, 8))
    small = {"w": jax.ShapeDtypeStruct((4, 4), jnp.float32)}
    large = {"w": jax.ShapeDtypeStruct((step.JOINED // 4 + 1,), jnp.float32)}
    assert isinstance(Step(shape)._form(small), flat.Vector)
    assert not isinstance(Step(shape, sharded=True)._form(small), flat.Vector)
    assert not isinstance(Step(shape)._form(large), flat.Vector)
