"""Counts of the families of examples against the traced training step and the parameters themselves."""

import functools

import jax
import pytest
from example_models import CLASSES, NUMBERS, PAIRS, PICTURES, examples, loss, shapes

from scaling_laws import families, parametrization
from scaling_laws.config import ModelConfig
from scaling_laws.models.traced import product_flops

PERCEPTRONS = [
    ({"family": "mlp", "width": 6, "depth": depth, "bias": bias, "residual": residual}, spec)
    for depth in (0, 1, 4)
    for bias, residual in ((True, True), (False, False))
    for spec in (CLASSES, NUMBERS, PICTURES)
]
BLOCKS = {"family": "vit", "width": 16, "depth": 2, "head_dim": 8, "patch": 2}
VISION = [
    (BLOCKS | changes, PICTURES)
    for changes in (
        {},
        {"patch": 4, "mlp": "swiglu", "norm": "layer", "qk_norm": True},
        {"patch": 1, "depth": 1, "remat": True},
        {"depth": 3, "layers": "scanned", "remat": True, "mlp": "swiglu"},
        {"depth": 12, "dtype": "bfloat16"},
        {"experts": 3, "capacity": 1.1, "remat": True},
        {"slim": 0.5, "head_dim": 4},
    )
]
RATINGS = [
    ({"family": "recommender", "width": 6, "depth": depth, "bias": bias}, PAIRS)
    for depth in (0, 1, 3)
    for bias in (True, False)
]
READOUTS = [
    ({"family": "features", "width": 6, "depth": 1, "bias": bias}, spec)
    for bias in (True, False)
    for spec in (CLASSES, NUMBERS, PICTURES)
]
CASES = [(ModelConfig(**changes), spec) for changes, spec in PERCEPTRONS + VISION + RATINGS + READOUTS]


@pytest.mark.parametrize("model, spec", CASES)
def test_counts_equal_the_traced_training_step(model, spec):
    counts, inputs, params = families.count(model, spec), examples(spec, 3), shapes(model, spec)
    forward = functools.partial(loss, model, spec, inputs=inputs)
    assert product_flops(forward, params) == 3 * counts.forward
    assert product_flops(jax.value_and_grad(forward), params) == 3 * counts.hardware_flops_per_token
    assert (counts.hardware_flops_per_token > counts.flops_per_token) == model.remat


@pytest.mark.parametrize("model, spec", CASES)
def test_counts_equal_the_parameter_tree(model, spec):
    counts, sizes = families.count(model, spec), {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes(model, spec)):
        kind = parametrization.kind([entry.key for entry in path])
        if kind == "given":  # it does not learn
            continue
        kind = kind if kind in ("embedding", "position", "head") else "inner"
        sizes[kind] = sizes.get(kind, 0) + leaf.size
    assert counts.n_params == sum(sizes.values())
    assert counts.n_non_embedding == sizes.get("inner", 0)
    for kind in ("embedding", "position", "head"):
        found = sum(layer.n_params for layer in counts.layers if layer.kind == kind)
        assert found == sizes.get(kind, 0), kind


def test_shapes_by_hand():
    pictures = families.count(ModelConfig(**BLOCKS), PICTURES)
    # 8 squares of 2 x 2 x 3; a block: 4 * 16^2 and 2 * 16 * 64 weights, two norms of 16; a last norm; 5 classes
    assert pictures.n_params == 12 * 16 + 8 * 16 + 2 * (1024 + 2048 + 32) + 16 + 5 * 16
    blocks = 2 * (2 * (1024 + 2048) + 4 * 8 * 16)
    assert pictures.forward == 8 * (2 * 12 * 16 + blocks) + 2 * 16 * 5
    assert pictures.flops_per_token == 3 * pictures.forward - 8 * 2 * 12 * 16  # pixels need no gradient
    logistic = families.count(ModelConfig(family="mlp", depth=0), CLASSES)
    assert (logistic.n_params, logistic.flops_per_token) == (11 * 2, 4 * 10 * 2)
    factors = families.count(ModelConfig(family="recommender", width=6, depth=0), PAIRS)
    assert (factors.n_params, factors.flops_per_token) == (15 * 7 + 1, 6 * 6)
