import dataclasses
import functools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pictures import CLASSES, SHAPE, by_channel, configured, drawn, full, halved, loss, reference, shapes
from pictures import built as built_for
from pictures import pictures as pictures_of
from shapes import quick_jit

from scaling_laws import families, parametrization
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.families.convnet import convolution_params
from scaling_laws.models import convnet, convolution
from scaling_laws.models.build import build
from scaling_laws.models.layers import ACTIVATIONS
from scaling_laws.models.traced import product_flops
from scaling_laws.spec import Spec
from scaling_laws.train import state as states

OPTIONS = [
    {},
    {"convolution": "separable", "norm": "layer"},
    {"depth": 1, "width": 5, "activation": "gelu", "convolution": "separable"},
    {"depth": 1, "norm": "layer", "activation": "tanh"},
]


@functools.cache
def forward(model):
    return quick_jit(built_for(model).apply)


def outputs(model, params, pictures):
    return np.asarray(forward(model)({"params": params}, pictures))


@pytest.mark.parametrize("options", OPTIONS)
def test_outputs_equal_a_plain_numpy_network(options):
    model = configured(**options)
    params, batch = drawn(model), pictures_of()
    got = outputs(model, params, batch)
    assert got.dtype == np.float32
    want = np.stack([reference(model, params, picture) for picture in batch])
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize("kind", ["standard", "separable"])
def test_gradients_are_difference_quotients_in_float64(kind):
    model = configured(depth=1, convolution=kind, activation="gelu")
    params, batch = drawn(model), pictures_of()
    gradient = quick_jit(jax.grad(lambda params: loss(model, params, batch)))(params)
    generator = np.random.default_rng(5)
    along = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), params)

    def value(step):
        moved = jax.tree.map(lambda leaf, way: np.asarray(leaf, float) + step * way, params, along)
        rows = [reference(model, moved, picture) for picture in batch]
        return np.mean([np.log(np.exp(row).sum()) - row[index % CLASSES] for index, row in enumerate(rows)])

    expected = (value(1e-5) - value(-1e-5)) / 2e-5
    found = sum(
        (np.asarray(leaf) * way).sum() for leaf, way in zip(*map(jax.tree.leaves, (gradient, along)), strict=True)
    )
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", [(7, 6), (1, 1), (2, 5)])
def test_pooling_takes_means_over_what_is_there(shape):
    x = np.asarray(pictures_of(2, (*shape, 3)))
    np.testing.assert_allclose(convnet.pooled(x), [halved(each) for each in x], atol=1e-6)


def test_a_picture_of_one_place_is_taken_too():
    model, shape = configured(depth=1), (1, 1, 2)
    found = quick_jit(lambda params, batch: loss(model, params, batch, shape))(
        drawn(model, shape), pictures_of(2, shape)
    )
    assert np.isfinite(found)


COUNTED = [((8, 8, 1), 3), ((28, 28, 1), 2), ((7, 7, 3), 5)]


@pytest.mark.parametrize("shape, batch", COUNTED)
@pytest.mark.parametrize("width, depth", [(4, 1), (6, 2)])
@pytest.mark.parametrize("slim", [1.0, 0.4])
@pytest.mark.parametrize("kind, norm", [("standard", "rms"), ("separable", "layer")])
def test_counts_equal_the_traced_training_step(monkeypatch, kind, norm, slim, width, depth, shape, batch):
    """Separable kernels are traced as the grouped convolutions of accelerators: a CPU's shifted products are none."""
    model = configured(width=width, depth=depth, convolution=kind, norm=norm, slim=slim)
    params, pictures = shapes(model, shape), jax.ShapeDtypeStruct((batch, *shape), "float32")
    counts = families.count(model, Spec("image", shape, CLASSES))
    assert counts.n_params == sum(leaf.size for leaf in jax.tree.leaves(params))
    for on_cpu in (True, False) if kind == "standard" else (False,):
        monkeypatch.setattr(convolution, "on_cpu", lambda _, here=on_cpu: here)
        step = jax.value_and_grad(lambda params, pictures: loss(model, params, pictures, shape))
        assert product_flops(step, params, pictures) == counts.flops_per_token * batch
        forward = product_flops(lambda params, pictures: loss(model, params, pictures, shape), params, pictures)
        assert forward == counts.forward * batch


@pytest.mark.parametrize("shape, batch", COUNTED)
def test_on_a_cpu_all_but_the_kernels_of_a_channel_is_traced(shape, batch):
    model = configured(convolution="separable")
    params, pictures = shapes(model, shape), jax.ShapeDtypeStruct((batch, *shape), "float32")
    traced = product_flops(jax.value_and_grad(lambda p, x: loss(model, p, x, shape)), params, pictures)
    products, (height, width, _) = 0, shape
    for stage in range(3):
        products += 2 * model.depth * 9 * height * width * (model.width << stage)
        height, width = -(-height // 2), -(-width // 2)
    counted = families.count(model, Spec("image", shape, CLASSES)).flops_per_token
    assert counted * batch - traced == 3 * 2 * products * batch


def test_counts_by_kind_equal_the_parameter_tree():
    model = configured(width=6, convolution="separable", norm="layer")
    sizes = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes(model)):
        kind = parametrization.kind([entry.key for entry in path])
        sizes[kind] = sizes.get(kind, 0) + leaf.size
    found = {layer.kind: layer.n_params for layer in families.count(model, Spec("image", SHAPE, CLASSES)).layers}
    sizes["convolution"] = sizes.pop("hidden") + sizes.pop("depthwise")
    assert sizes.pop("bias", 0) == 0
    assert found == sizes


@pytest.mark.parametrize("inputs, outputs", [(1, 1), (8, 16), (16, 8), (12, 100)])
def test_a_separable_layer_over_a_standard_one_is_one_over_outputs_and_one_over_places(inputs, outputs):
    """Howard et al. 2017 (arXiv:1704.04861), section 3.1: parameters and FLOPs, of the counts and of the programs."""
    expected = Fraction(1, outputs) + Fraction(1, 9)
    counted = [convolution_params(kind, inputs, outputs) for kind in ("separable", "standard")]
    assert Fraction(*counted) == expected
    x = jnp.zeros((3, 7, 5, inputs), jnp.bfloat16)  # as an accelerator computes it: all products are products
    full_kernel, each, over = jnp.zeros((9 * inputs, outputs)), jnp.zeros((9, inputs)), jnp.zeros((inputs, outputs))
    assert Fraction(each.size + over.size, full_kernel.size) == expected

    def separable(x, each, over):
        return jnp.square(convnet.dense(convolution.depthwise(x, each), over)).sum()

    def standard(x, kernel):
        return jnp.square(convolution.convolve(x, kernel)).sum()

    for count in (lambda f, n: f, lambda f, n: jax.value_and_grad(f, tuple(range(n)))):
        flops = product_flops(count(separable, 3), x, each, over), product_flops(count(standard, 2), x, full_kernel)
        assert Fraction(*flops) == expected


def test_blocks_of_a_separable_network_over_a_standard_one_stage_by_stage():
    at = {kind: [convolution_params(kind, width, width) for width in (8, 16, 32)] for kind in ("separable", "standard")}
    ratios = [Fraction(*pair) for pair in zip(at["separable"], at["standard"], strict=True)]
    assert ratios == [Fraction(1, width) + Fraction(1, 9) for width in (8, 16, 32)]
    layers = {
        kind: families.count(configured(width=8, convolution=kind), Spec("image", (8, 8, 1), 10)).layer("convolution")
        for kind in at
    }
    for kind, sizes in at.items():
        places = (64, 16, 4)
        assert layers[kind].n_params == 2 * 2 * sum(sizes)
        assert layers[kind].forward == 2 * 2 * 2 * sum(map(int.__mul__, places, sizes))


def test_a_separable_layer_is_a_standard_one_whose_kernel_is_a_product():
    each, over = np.random.default_rng(0).normal(size=(9, 3)), np.random.default_rng(1).normal(size=(3, 4))
    x = np.random.default_rng(2).normal(size=(5, 4, 3))
    kernel = (each[:, :, None] * over).reshape(27, 4)
    np.testing.assert_allclose(by_channel(x, each) @ over, full(x, kernel), atol=1e-12)
    np.testing.assert_allclose(
        convolution.convolve(jnp.asarray(x[None], "float32"), jnp.asarray(kernel, "float32"))[0],
        full(x, kernel),
        atol=1e-5,
    )


@pytest.mark.parametrize("kind", ["standard", "separable"])
def test_bfloat16_is_close_to_float32(kind):
    single, half = (configured(depth=1, convolution=kind, dtype=dtype) for dtype in ("float32", "bfloat16"))
    params, batch = drawn(half), pictures_of()
    want, got = outputs(single, params, batch), outputs(half, params, batch)
    assert got.dtype == np.float32
    difference = np.abs(got - want).max() / np.abs(want).max()
    assert 1e-4 < difference < 0.1


def test_bfloat16_products_on_float32_parameters():
    model = configured(convolution="separable", dtype="bfloat16")
    params, batch = shapes(model), pictures_of()
    gradient = jax.make_jaxpr(jax.grad(lambda p: loss(model, p, batch)))(params)
    assert {aval.dtype for aval in gradient.out_avals} == {jnp.dtype("float32")}
    forward = jax.make_jaxpr(built_for(model).apply)({"params": params}, batch)
    names = ("dot_general", "conv_general_dilated")
    found = [equation for equation in forward.jaxpr.eqns if equation.primitive.name in names]
    assert len(found) == 1 + 2 * 3 * 2 * 2 + 2 + 1
    assert {operand.aval.dtype for each in found for operand in each.invars} == {jnp.dtype("bfloat16")}


def test_forward_multipliers_reach_the_outputs():
    model = configured(depth=1)
    params, batch = drawn(model), pictures_of()
    rules = parametrization.rules(parametrization.Scheme(), model)

    def multiplied(**changes):
        changed = dataclasses.replace(rules, forward=dataclasses.replace(rules.forward, **changes))
        return quick_jit(build(model, Spec("image", SHAPE, CLASSES), changed).apply)({"params": params}, batch)

    def halve(path, leaf, name):
        return leaf * (0.5 if path[-1].key == name else 1)

    for multiplier, name in (("logits", "head"), ("residual", "down")):
        less = jax.tree_util.tree_map_with_path(lambda path, leaf, name=name: halve(path, leaf, name), params)
        np.testing.assert_allclose(multiplied(**{multiplier: 0.5}), outputs(model, less, batch), atol=1e-5)


@pytest.mark.parametrize("kind", ["standard", "separable"])
def test_initial_values_have_the_moments_of_the_table(kind):
    model = configured(width=32, depth=1, convolution=kind)
    template = states.named({"params": shapes(model)})
    drawn_here = states.initial(template, parametrization.rules(parametrization.Scheme(), model), 0)
    params = states.tree({"params": shapes(model)}, drawn_here)["params"]
    fan_in = {"input": 27, "depthwise": 9, "transition": 0, "head": 128, "up": 0, "down": 0}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name, leaf = path[-1].key, np.asarray(leaf)
        if name == "scale":
            assert (leaf == 1).all()
            continue
        inputs = fan_in[name] or leaf.shape[0]
        expected = (inputs * (3 if name == "down" else 1)) ** -0.5  # three blocks add to the stream
        assert leaf.std() == pytest.approx(expected, rel=0.12), path
        assert leaf.mean() == pytest.approx(0, abs=6 * expected / np.sqrt(leaf.size))


def test_what_each_layer_computes_can_be_had():
    model = configured(depth=1)
    apply = functools.partial(built_for(model).apply, mutable=[ACTIVATIONS])
    _, seen = jax.eval_shape(apply, {"params": shapes(model)}, pictures_of())
    found = {"/".join(map(str, (entry.key for entry in path[:-1]))): leaf.shape
             for path, leaf in jax.tree_util.tree_leaves_with_path(seen[ACTIVATIONS])}  # fmt: skip
    sizes = {"block_0": (7, 6, 4), "block_1": (4, 3, 8), "block_2": (2, 2, 16)}
    expected = {
        f"{block}/{what}": (3, *size) for block, size in sizes.items() for what in ("convolution_out", "stream")
    }
    assert found == expected | {"embedded": (3, 7, 6, 4), "normalised": (3, 2, 2, 16)}


def test_a_convnet_takes_pictures_alone_and_refuses_what_it_does_not_read():
    with pytest.raises(ConfigError, match=r"convnet takes no vector; allowed with this task: .*mlp"):
        families.count(ModelConfig(family="convnet", width=4, depth=1), Spec("vector", (5,), 2))
    with pytest.raises(ConfigError, match=r"model\.depth: 0; allowed: 1 or more"):
        families.check(configured(depth=0))
    with pytest.raises(ConfigError, match=r"model\.bias: False; allowed: True, for model.family=convnet"):
        families.check(configured(bias=False))
