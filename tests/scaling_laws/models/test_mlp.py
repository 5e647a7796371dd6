"""The perceptron against plain NumPy, textbook formulas and scikit-learn's optima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from example_models import (
    ACTIVATIONS,
    CLASSES,
    NUMBERS,
    PICTURES,
    drawn,
    examples,
    in_float64,
    initial,
    outputs,
    shapes,
)

from scaling_laws import hyper
from scaling_laws.config import ModelConfig, RunConfig, replace
from scaling_laws.train import state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step


def reference(model, params, inputs):
    """(B, O): layer after layer in float64."""
    params, act = in_float64(params), ACTIVATIONS[model.activation]
    x = np.asarray(inputs, np.float64).reshape(len(inputs), -1)

    def affine(x, matrix, bias):
        return x @ matrix + (bias if model.bias else 0)

    if model.depth == 0:
        return affine(x, params["linear"], params.get("linear_bias"))
    x = act(affine(x, params["input"], params.get("input_bias")))
    for index in range(model.depth - 1):
        layer = params[f"block_{index}"]
        out = act(affine(x, layer["residual" if model.residual else "hidden"], layer.get("bias")))
        x = x + out if model.residual else out
    return affine(x, params["head"], params.get("head_bias"))


@pytest.mark.parametrize("bias, residual", [(True, True), (False, False), (True, False)])
@pytest.mark.parametrize("depth, activation", [(0, "relu"), (1, "relu"), (4, "tanh"), (2, "gelu")])
@pytest.mark.parametrize("spec", [NUMBERS, PICTURES], ids=["vectors", "pictures"])
def test_outputs_equal_a_plain_numpy_perceptron(spec, depth, activation, bias, residual):
    model = ModelConfig(family="mlp", width=6, depth=depth, activation=activation, bias=bias, residual=residual)
    params, inputs = drawn(model, spec), examples(spec, 4)
    got = outputs(model, spec, params, inputs)
    assert got.shape == (4, spec.outputs)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference(model, params, inputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_textbooks_network_is_two_affine_maps_and_what_is_between(activation):
    model = ModelConfig(family="mlp", width=10, depth=1, activation=activation)
    params, x = drawn(model, CLASSES), np.asarray(examples(CLASSES, 3), np.float64)
    assert {name: leaf.shape for name, leaf in params.items()} == {
        "input": (10, 10), "input_bias": (10,), "head": (10, 2), "head_bias": (2,),
    }  # fmt: skip
    w1, b1, w2, b2 = (np.asarray(params[name], np.float64) for name in ("input", "input_bias", "head", "head_bias"))
    hidden = {"relu": np.maximum(x @ w1 + b1, 0), "tanh": np.tanh(x @ w1 + b1)}[activation]
    np.testing.assert_allclose(
        outputs(model, CLASSES, params, jnp.asarray(x, jnp.float32)), hidden @ w2 + b2, atol=2e-6
    )


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_deep_networks_neither_fade_nor_explode_at_the_start(activation, residual):
    def size(depth):
        model = ModelConfig(family="mlp", width=128, depth=depth, activation=activation, residual=residual)
        return outputs(model, CLASSES, initial(model, CLASSES), examples(CLASSES, 64)).std()

    assert 0.1 < size(24) / size(1) < 4  # the root of 24 is 5; without ReLU's gain it would be 2^-12


def test_half_precision_is_that_of_the_products_alone():
    model = ModelConfig(family="mlp", width=32, depth=3, dtype="bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes(model, NUMBERS))} == {jnp.dtype("float32")}
    params, inputs = drawn(model, NUMBERS), examples(NUMBERS, 8)
    want = reference(model, params, inputs)
    difference = np.abs(outputs(model, NUMBERS, params, inputs) - want).max() / np.abs(want).max()
    assert 1e-4 < difference < 0.05


def trained_linear(spec, inputs, targets):
    """Matrix (F, O) and intercept (O,) after 800 steps, each on all examples, of the training step itself."""
    settings = {
        "model.family": "mlp",
        "model.depth": 0,
        "train.batch_size": len(inputs),
        "train.steps": 800,
        "train.steps_per_dispatch": 800,
        "optimizer.learning_rate": 0.1,
        "optimizer.clip_norm": 0.0,
    }
    run = replace(RunConfig(), settings)
    step = Step(Shape.of(run, spec))
    template = step.abstract_state()
    first = state.tree(template, state.initial(state.named(template), step.rules, 0))
    starts_KxB = np.tile(np.arange(len(inputs), dtype=np.int32), (800, 1))
    data = {"inputs": inputs.astype(np.float32), "targets": targets}
    after, *_ = jax.jit(step.advance)(first, hyper.hyperparameters(run), data, starts_KxB, 800, True)
    return np.asarray(after["params"]["linear"]), np.asarray(after["params"]["linear_bias"])


def test_of_depth_0_it_becomes_scikit_learns_linear_regression():
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(3)
    x = random.standard_normal((60, 7)) + 0.5
    y = x @ random.standard_normal(7) + 2 + random.standard_normal(60)
    matrix, intercept = trained_linear(NUMBERS, x, y.astype(np.float32))
    theirs = LinearRegression().fit(x, y)
    np.testing.assert_allclose(matrix[:, 0], theirs.coef_, atol=2e-3)
    np.testing.assert_allclose(intercept, theirs.intercept_, atol=2e-3)


def test_of_depth_0_it_becomes_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(4)
    x = random.standard_normal((120, 10))
    y = (x @ random.standard_normal(10) + 2 * random.standard_normal(120) > 0.3).astype(np.int32)
    matrix, intercept = trained_linear(CLASSES, x, y)
    theirs = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(matrix[:, 1] - matrix[:, 0], theirs.coef_[0], atol=5e-3)
    np.testing.assert_allclose(intercept[1] - intercept[0], theirs.intercept_[0], atol=5e-3)
