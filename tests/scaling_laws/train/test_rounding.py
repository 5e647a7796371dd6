"""Rounding in the compiled step against NumPy, Qwix, and the step without."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shapes import quick_jit

from scaling_laws import hyper, spec
from scaling_laws.config import QuantizeConfig, RunConfig, replace
from scaling_laws.models import hooks
from scaling_laws.models.convolution import convolve, depthwise
from scaling_laws.models.hooks import Hooks, Rounding
from scaling_laws.models.layers import dense
from scaling_laws.models.rounding import rounded_to
from scaling_laws.techniques import stored
from scaling_laws.techniques.quantization import steps
from scaling_laws.train import rounding, state
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

L, B = 16, 4
TEXT = {"tokens": np.random.default_rng(0).integers(0, 256, 400).astype(np.uint8)}
STARTS = np.array([3, 40, 200, 77])
TINY = {"model.width": 16, "model.head_dim": 4, "task.context": L, "train.batch_size": B, "train.accumulation": 1}
TINY |= {"train.steps_per_dispatch": 3, "optimizer.weight_decay": 0.1}
GRANULARITIES = ("tensor", "channel", "group")


def text_step(**changes):
    """A step on texts, with the numbers of its run; `changes` of `quantize`, and __ for a dot elsewhere."""
    dotted = {k.replace("__", ".") if "__" in k else f"quantize.{k}": v for k, v in changes.items()}
    run = replace(RunConfig(), TINY | {"model.depth": 1} | dotted)
    return Step(Shape.of(run, spec.text(256, L))), hyper.hyperparameters(run)


def fresh(step):
    template = step.abstract_state()
    return state.tree(template, state.initial(state.named(template), step.rules, 0))


def gradients(step, numbers, params):
    return quick_jit(step._loss_and_gradients)(params, numbers, TEXT, STARTS, 0)


def same(found, wanted, **tolerance):
    check = np.testing.assert_allclose if tolerance else np.testing.assert_array_equal
    jax.tree.map(lambda a, b: check(a, b, **tolerance), found, wanted)


def by_hand(numbers, bits):
    """One scale's numbers in float64, one after the other, and the distance between two multiples."""
    scale = max(abs(numbers)) / (2 ** (bits - 1) - 0.5) or 1.0
    most = 2 ** (bits - 1) - 1
    return [scale * min(max(round(number / scale), -most), most) for number in numbers.tolist()], scale


@functools.cache
def rounding_as(quantize, names):
    return quick_jit(lambda matrix, steps: rounded_to(matrix, rounding.largest(quantize, names, matrix), steps))


def rounded(matrix, names=("up",), bits=4, **form):
    return rounding_as(QuantizeConfig(weight_bits=8, **form), names)(matrix, np.float32(steps(bits)))


def shares(shape, granularity, group):
    """Index of what shares a scale in a matrix of (inputs, outputs)."""
    rows, columns = shape
    if granularity == "tensor":
        return [np.s_[:, :]]
    size = group if granularity == "group" else rows
    return [np.s_[first : first + size, column] for first in range(0, rows, size) for column in range(columns)]


@pytest.mark.parametrize("granularity, bits", list(itertools.product(GRANULARITIES, [2, 8])))
def test_weights_are_those_rounded_by_hand(granularity, bits):
    matrix = np.random.default_rng(bits).normal(size=(11, 5)).astype(np.float32)
    found, wanted = np.asarray(rounded(matrix, bits=bits, granularity=granularity, group=4)), np.zeros((11, 5))
    for place in shares(matrix.shape, granularity, 4):
        exact, scale = by_hand(matrix[place].astype(float).ravel(), bits)
        wanted[place] = np.reshape(exact, matrix[place].shape)
        assert abs(found[place] - matrix[place]).max() < 0.5001 * scale
        assert len(np.unique(found[place])) <= 2**bits - 1
    np.testing.assert_allclose(found, wanted, rtol=2e-6)


# What Qwix 0.1.8 (`qwix.quantize`, absmax) makes of these thousandths: whole numbers and scales.
THOUSANDTHS = "701 273 22 -461 -385 -919 -850 -967 -650 626 298 825 7 213 941 458 264 87 119 870 -446 631 341 -995"
QWIX = {
    (8, "tensor"): (
        "90 35 3 -59 -49 -118 -109 -124 -83 80 38 106 1 27 121 59 34 11 15 111 -57 81 44 -128",
        "0.0078039216",
    ),
    (8, "channel"): (
        "105 36 3 -69 -51 -118 -127 -127 -83 94 39 106 1 28 121 69 35 11 18 115 -57 95 45 -128",
        "0.0066666673 0.0075843143 0.0078039221",
    ),
    (4, "tensor"): ("5 2 0 -3 -3 -7 -6 -7 -5 5 2 6 0 2 7 3 2 1 1 7 -3 5 3 -8", "0.13266666"),
    (4, "group"): (
        "6 2 0 -4 -3 -8 -7 -7 -5 6 2 7 0 2 7 5 2 1 1 7 -3 7 3 -7",
        "0.113333344 0.12893334 0.12253334 0.0841333345 0.11600000 0.13266668",
    ),
    (2, "channel"): (
        "1 0 0 -1 -1 -1 -1 -2 -1 1 0 1 0 0 1 1 0 0 0 1 -1 1 1 -1",
        "0.5666667223 0.6446666718 0.6633333564",
    ),
}


@pytest.mark.parametrize("bits, granularity", QWIX)
def test_whole_numbers_and_scales_are_those_of_qwix(bits, granularity):
    """But that it has one more multiple below 0 than above, which a number that is exactly half way may become."""
    matrix = np.array(THOUSANDTHS.split(), np.float32).reshape(8, 3) / np.float32(1000)
    whole, scale = (np.array(each.split(), float) for each in QWIX[bits, granularity])
    rows = {"tensor": 1, "channel": 1, "group": 2}[granularity]
    scale = np.repeat(scale.reshape(rows, -1), 8 // rows, axis=0)
    wanted = scale * np.maximum(whole.reshape(8, 3), 1 - 2 ** (bits - 1))
    np.testing.assert_allclose(rounded(matrix, bits=bits, granularity=granularity, group=4), wanted, rtol=1e-6)


def test_rows_that_are_looked_up_and_stacked_layers_have_scales_of_their_own():
    table = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    same(rounded(table, ("embedding",)), np.asarray(rounded(table.T.copy())).T)
    stack = np.stack([table, 7 * table])
    for granularity in GRANULARITIES:
        each = [rounded(layer, granularity=granularity, group=4) for layer in stack]
        same(rounded(stack, granularity=granularity, group=4), np.stack(each))


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_what_is_stored_makes_the_rounded_matrix_again(granularity):
    form = QuantizeConfig(weight_bits=8, granularity=granularity, group=4)
    matrix = np.random.default_rng(0).normal(size=(2, 7, 10)).astype(np.float32)
    for names in (("up",), ("embedding",)):
        split = quick_jit(functools.partial(rounding.parts, form, names))
        whole, scale = split(matrix, np.float32(3.5))
        assert set(np.unique(whole).tolist()) <= set(range(-3, 4))
        assert scale.size == stored.n_scales(form, names, matrix.shape)
        again = quick_jit(functools.partial(rounding.together, form, names))(whole, scale)
        same(again, rounded(matrix, names, bits=3, granularity=granularity, group=4))


def test_the_error_falls_with_bits_and_with_what_shares_a_scale():
    layers = np.random.default_rng(0).normal(size=(20, 64, 8)).astype(np.float32)

    def error(**about):
        return float(np.square(rounded(layers, **about) - layers).mean())

    by_bits = [error(bits=bits) for bits in range(2, 9)]
    assert all(fewer > 3 * more for fewer, more in itertools.pairwise(by_bits))  # a half of the step, a quarter of it
    tensor, channel, group = (error(granularity=each, group=8) for each in GRANULARITIES)
    assert tensor > 1.1 * channel > 1.2 * group > 0


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-30, -1e-31], [3e38, -1e38]])
def test_zeros_and_extremes_stay_finite(values):
    found = np.asarray(rounded(np.array([values], np.float32).T))
    assert np.isfinite(found).all()
    if not any(values):
        np.testing.assert_array_equal(found, 0)


def test_gradients_pass_straight_through():
    matrix = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    slope = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    found = quick_jit(jax.grad(lambda m: (slope * rounded_to(m, abs(m).max(), jnp.float32(3.5))).sum()))(matrix)
    same(found, slope)


def coarse(function, *arguments, bits=3, ends=False, **about):
    with hooks.during(Hooks(rounding=Rounding(jnp.float32(steps(bits)), ends))):
        return quick_jit(functools.partial(function, **about))(*arguments)


def test_activations_have_a_scale_a_vector_and_of_a_picture_one():
    rng = np.random.default_rng(0)
    x_BxLxD, matrix = (rng.normal(size=size).astype(np.float32) for size in ((2, 3, 8), (8, 5)))
    wanted = np.array([[by_hand(vector.astype(float), 3)[0] for vector in rows] for rows in x_BxLxD]) @ matrix
    np.testing.assert_allclose(coarse(dense, x_BxLxD, matrix), wanted, rtol=1e-5, atol=1e-5)
    pictures, kernel = (rng.normal(size=size).astype(np.float32) for size in ((2, 4, 5, 3), (27, 2)))
    whole = [np.reshape(by_hand(each.astype(float).ravel(), 3)[0], each.shape) for each in pictures]
    whole = np.stack(whole).astype(np.float32)
    for function, weights in ((convolve, kernel), (depthwise, kernel[:9, :1].repeat(3, axis=1))):
        found = coarse(function, pictures, weights)
        np.testing.assert_allclose(found, function(whole, weights), rtol=1e-4, atol=1e-5)
        assert abs(np.asarray(found) - function(pictures, weights)).max() > 0.01


def test_the_first_layer_and_the_head_round_only_where_they_are_asked_to():
    x, matrix = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    plain = quick_jit(dense)(x, matrix)
    assert (np.asarray(coarse(dense, x, matrix)) != plain).any()
    same(coarse(dense, x, matrix, end=True), plain)
    same(coarse(dense, x, matrix, end=True, ends=True), coarse(dense, x, matrix))
    params = fresh(text_step(model__positions="learned")[0])["params"]
    for ends in (False, True):
        rough = functools.partial(rounding.weights, QuantizeConfig(weight_bits=8, ends=ends))
        after = quick_jit(rough)(params, {"quantize.weight_steps": np.float32(1.5)})
        changed = {k for k, v in state.named(after).items() if (np.asarray(v) != state.named(params)[k]).any()}
        blocks = {f"block_0/{name}" for name in ("attention/qkv", "attention/out", "mlp/up", "mlp/down")}
        assert changed == blocks | ({"embedding", "head"} if ends else set())


def test_a_place_of_a_text_does_not_depend_on_later_ones():
    step, _ = text_step()
    tokens_2xL = np.stack([np.where(np.arange(L) < 9, TEXT["tokens"][:L], token) for token in (5, 250)])
    one, other = coarse(step.module.apply, {"params": fresh(step)["params"]}, tokens_2xL, bits=2, ends=True)
    same(one[:9], other[:9])
    assert (one[9:] != other[9:]).any()


def test_gradients_are_those_at_the_rounded_weights():
    """Straight through: the plain gradient, taken at other parameters."""
    step, numbers = text_step(weight_bits=3, granularity="group", group=8, ends=True)
    params, form = fresh(step)["params"], step.shape.techniques.quantize
    assert form.weight_bits == 8
    loss, grads = gradients(step, numbers, params)
    wanted, slopes = gradients(text_step()[0], numbers, rounding.weights(form, params, numbers))
    assert float(loss) == pytest.approx(float(wanted), rel=1e-6)
    same(grads, slopes, rtol=1e-4, atol=1e-7)


def test_without_bits_its_own_path_is_bitwise_the_baseline():
    step, numbers = text_step()
    forced, rough = text_step(weight_bits=4, activation_bits=4, granularity="group", ends=True)
    starts_KxB = np.stack([STARTS, STARTS + 1, STARTS + 2])
    own, program = jax.jit(step.advance), jax.jit(forced.advance)
    wanted, found = (each(fresh(step), numbers, TEXT, starts_KxB, 3, True) for each in (own, program))
    same(found[:3], wanted[:3])
    other = program(fresh(step), rough, TEXT, starts_KxB, 3, True)
    assert abs(other[1] - wanted[1]).min() > 1e-4


def test_after_training_only_evaluations_are_rounded():
    (step, numbers), (plain, _) = text_step(weight_bits=3, activation_bits=3, when="after"), text_step()
    params = fresh(step)["params"]
    same(gradients(step, numbers, params), gradients(plain, numbers, params))
    found, exact = (quick_jit(each.losses_B)(params, numbers, TEXT, STARTS) for each in (step, plain))
    assert abs(found - exact).max() > 1e-4


def test_bits_are_arguments_of_one_program():
    (one, few), (other, many) = (text_step(weight_bits=b, activation_bits=c) for b, c in ((2, 8), (8, 3)))
    assert one.shape == other.shape != text_step()[0].shape
    assert [float(few[f"quantize.{name}_steps"]) for name in ("weight", "activation")] == [1.5, 127.5]
    assert [float(many[f"quantize.{name}_steps"]) for name in ("weight", "activation")] == [127.5, 3.5]
