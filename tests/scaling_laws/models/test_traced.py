import dataclasses
import functools

import jax
import jax.numpy as jnp
import pytest
from shapes import configured, loss, shapes
from shapes import tokens as tokens_of

from scaling_laws import families, spec
from scaling_laws.models.traced import product_flops, xla_flops

A, B = jnp.ones((3, 5)), jnp.ones((5, 5))


def test_products_by_hand():
    assert product_flops(lambda a, b: a @ b, A, B) == 2 * 3 * 5 * 5
    assert product_flops(lambda a: jnp.einsum("bij,bjk->bik", a, a), jnp.ones((7, 4, 4))) == 2 * 7 * 4 * 4 * 4
    assert product_flops(lambda a: jnp.tensordot(a, a, 2), A) == 2 * 3 * 5
    assert product_flops(lambda a: jnp.sin(a).sum(), A) == 0
    assert product_flops(jax.value_and_grad(lambda a, b: (a @ b).sum(), (0, 1)), A, B) == 3 * 150


def test_calls_and_loops_by_hand():
    def scanned(a):
        return jax.lax.scan(lambda carry, _: (carry @ B, None), a, length=6)[0]

    assert product_flops(scanned, A) == 6 * 150
    assert product_flops(jax.jit(scanned), A) == 6 * 150
    assert product_flops(jax.value_and_grad(lambda a: scanned(a).sum()), A) == 2 * 6 * 150
    assert product_flops(lambda a: jax.lax.fori_loop(0, 4, lambda _, c: c @ B, a), A) == 4 * 150
    remat = jax.checkpoint(lambda a: jnp.sin(jnp.sin(a @ B) @ B))
    # The gradient for `a` alone: two products forward, the first again, two backward.
    assert product_flops(jax.value_and_grad(lambda a: remat(a).sum()), A) == 5 * 150 + 150
    assert product_flops(lambda x: jax.lax.cond(x[0, 0] > 0, lambda y: y @ B, lambda y: -y @ B, x), A) == 150


def test_undetermined_counts_are_refused():
    def while_loop(a):
        return jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c @ B, a)

    with pytest.raises(ValueError, match="while"):
        product_flops(while_loop, A)
    with pytest.raises(ValueError, match="cond: its branches differ"):
        product_flops(lambda a: jax.lax.cond(a[0, 0] > 0, lambda y: y @ B, lambda y: y, a), A)


def test_what_no_result_depends_on_is_not_counted():
    assert product_flops(jax.grad(lambda a, b: (a @ b).sum(), (0, 1)), A, B) == 2 * 150
    assert product_flops(lambda a: (a @ B, a)[1], A) == 0


def convolved(x, kernel, **options):
    return jax.lax.conv_general_dilated(x, kernel, **options, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.parametrize(
    "inputs, kernel, options, products",
    [  # products of two numbers: results x places of the kernel x channels that each sees
        ((3, 8, 8, 4), (3, 3, 4, 6), {"padding": "SAME"}, 3 * 64 * 6 * 9 * 4),
        ((3, 8, 8, 4), (3, 3, 4, 6), {"padding": "VALID"}, 3 * 36 * 6 * 9 * 4),
        ((3, 7, 5, 4), (3, 2, 1, 8), {"padding": "SAME", "feature_group_count": 4}, 3 * 35 * 8 * 6),
        ((6, 7, 5, 4), (3, 3, 4, 9), {"padding": "SAME", "batch_group_count": 3}, 2 * 35 * 9 * 9 * 4),
    ],
)
def test_convolutions_by_hand(inputs, kernel, options, products):
    x, kernel = jnp.ones(inputs), jnp.ones(kernel)
    strides = {"window_strides": (1, 1)}
    assert product_flops(lambda a, b: convolved(a, b, **options, **strides), x, kernel) == 2 * products
    if options["padding"] == "SAME":

        def loss(a, b):
            return jnp.square(convolved(a, b, **options, **strides)).sum()

        assert product_flops(jax.value_and_grad(loss, (0, 1)), x, kernel) == 3 * 2 * products


def test_a_convolution_with_strides_counts_each_result():
    x, kernel = jnp.ones((3, 8, 8, 4)), jnp.ones((2, 2, 4, 6))
    found = product_flops(lambda a, b: convolved(a, b, window_strides=(2, 2), padding="VALID"), x, kernel)
    assert found == 2 * 3 * 16 * 6 * 4 * 4


SHAPES = [
    {},
    {"width": 32, "depth": 1, "mlp": "swiglu"},
    {"width": 24, "depth": 3, "tie_embeddings": True, "mlp_ratio": 2.6},
    {"positions": "learned", "norm": "layer", "n_heads": 1},
    {"qk_norm": True, "dtype": "bfloat16"},
    {"depth": 5, "layers": "scanned"},
    {"depth": 12, "mlp": "swiglu", "tie_embeddings": True},
    {"depth": 1, "layers": "scanned"},
    {"remat": True},
    {"depth": 3, "remat": True, "mlp": "swiglu", "dtype": "bfloat16"},
    {"depth": 5, "layers": "scanned", "remat": True},
    {"experts": 4},
    {"experts": 3, "capacity": 0.7, "depth": 1, "mlp": "swiglu"},
    {"experts": 2, "capacity": 9.0, "layers": "scanned", "remat": True},
    {"experts": 5, "depth": 3, "remat": True, "dtype": "bfloat16"},
    {"slim": 0.5, "head_dim": 4},
    {"slim": 0.3, "mlp": "swiglu", "width": 24, "qk_norm": True, "remat": True, "experts": 3, "layers": "scanned"},
    {"depth": 13, "remat": True, "positions": "learned", "norm": "layer", "qk_norm": True, "mlp": "swiglu"},
]


def gradient(model, vocab, context):
    """The training step's loss and gradient as a function of the parameters, for three windows."""
    tokens = tokens_of(3, context, vocab)
    return jax.value_and_grad(lambda params: loss(model, params, tokens, vocab, context))


@pytest.mark.parametrize("options", SHAPES)
def test_counts_equal_the_traced_training_step(options):
    model = configured(**options)
    vocab, context = (24, 12) if model.depth % 2 else (50, 7)
    params, counts = shapes(model, vocab, context), families.count(model, spec.text(vocab, context))
    assert product_flops(gradient(model, vocab, context), params) == counts.hardware_flops_per_token * 3 * context
    if model.remat:
        assert counts.hardware_flops_per_token > counts.flops_per_token
        model = dataclasses.replace(model, remat=False)
    assert product_flops(gradient(model, vocab, context), params) == counts.flops_per_token * 3 * context


@pytest.mark.parametrize("options", [*SHAPES[:3], {"experts": 3, "capacity": 1.1}])
def test_forward_counts_equal_the_traced_loss(options):
    model, tokens = configured(**options), tokens_of()
    forward = sum(layer.forward for layer in families.count(model, spec.text(24, 12)).layers)
    assert product_flops(functools.partial(loss, model), shapes(model), tokens) == forward * tokens.size


@pytest.mark.parametrize("options", [{"width": 64, "head_dim": 16}, {"width": 48, "mlp": "swiglu", "remat": True}])
def test_xla_counts_a_little_more(options):
    model = configured(**options)
    compiled = jax.jit(gradient(model, 256, 64)).lower(shapes(model, 256, 64)).compile()
    total = xla_flops(compiled)
    ours = families.count(model, spec.text(256, 64)).hardware_flops_per_token * 3 * 64
    print(f"XLA's total over the products: {total / ours:.3f}")
    assert 1 < total / ours < 1.3


def test_a_product_that_nothing_reads_is_left_out():
    def gradient_of_data_too(a, b):
        value, back = jax.vjp(lambda a, b: a @ b, a, b)
        return value, back(value)[1]

    assert product_flops(gradient_of_data_too, A, B) == 2 * 150
