"""The vision transformer against plain NumPy, and what it shares with the transformer."""

import dataclasses

import jax
import numpy as np
import pytest
import shapes as transformer
from example_models import PICTURES, drawn, examples, in_float64, loss, outputs
from shapes import quick_jit

from scaling_laws.config import ModelConfig
from scaling_laws.models.vit import squares


def configured(**changes):
    return ModelConfig(**({"family": "vit", "width": 16, "depth": 2, "head_dim": 8, "patch": 2} | changes))


def reference(model, params, picture):
    """(O,) of one picture: square by square, head by head, in float64."""
    params, side = in_float64(params), model.patch
    picture = np.asarray(picture, np.float64)
    places = [(y, x) for y in range(0, 8, side) for x in range(0, 4, side)]
    cut = np.stack([picture[y : y + side, x : x + side].reshape(-1) for y, x in places])
    stream = cut @ params["input"] + params["position"]
    plain = dataclasses.replace(model, positions="learned")
    return transformer.after_blocks(plain, params, stream, causal=False).mean(axis=0) @ params["head"]


@pytest.mark.parametrize(
    "options", [{}, {"norm": "layer", "mlp": "swiglu", "qk_norm": True}, {"patch": 4, "n_heads": 1}]
)
def test_outputs_equal_a_plain_numpy_transformer(options):
    model = configured(**options)
    params, pictures = drawn(model, PICTURES), examples(PICTURES, 3)
    got = outputs(model, PICTURES, params, pictures)
    assert got.shape == (3, 5)
    assert got.dtype == np.float32
    want = np.stack([reference(model, params, picture) for picture in pictures])
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * np.abs(want).max())


def test_squares_lie_row_by_row_and_hold_each_pixel_once():
    numbered = np.arange(2 * 4 * 6 * 1).reshape(2, 4, 6, 1)
    cut = squares(numbered, 2)
    assert cut.shape == (2, 6, 4)
    np.testing.assert_array_equal(cut[0, 1], [2, 3, 8, 9])  # the second square of the first row
    np.testing.assert_array_equal(cut[0, 3], [12, 13, 18, 19])  # the first of the second
    np.testing.assert_array_equal(np.sort(cut.ravel()), numbered.ravel())


def test_every_square_is_seen_from_every_place_and_only_positions_tell_them_apart():
    model = configured()
    params, pictures = drawn(model, PICTURES), np.asarray(examples(PICTURES, 1))
    turned = pictures[:, ::-1, ::-1]
    assert not np.allclose(*(outputs(model, PICTURES, params, x) for x in (pictures, turned)), atol=1e-2)
    blind = params | {"position": 0 * params["position"]}
    moved = np.roll(pictures, (4, 2), axis=(1, 2))  # whole squares
    np.testing.assert_allclose(*(outputs(model, PICTURES, blind, x) for x in (pictures, moved)), atol=1e-5)
    assert not np.allclose(*(outputs(model, PICTURES, params, x) for x in (pictures, moved)), atol=1e-2)


def test_scanned_and_rematerialised_equal_unrolled_and_stored():
    plain = configured(mlp="swiglu", norm="layer", qk_norm=True)
    params, pictures = drawn(plain, PICTURES), examples(PICTURES, 2)

    def slopes(model, params):
        value, found = quick_jit(jax.value_and_grad(lambda params: loss(model, PICTURES, params, pictures)))(params)
        return float(value), found

    want, plain_slopes = slopes(plain, params)
    for layers, remat in (("unrolled", True), ("scanned", False), ("scanned", True)):
        layout = transformer.stacked if layers == "scanned" else dict
        got, found = slopes(dataclasses.replace(plain, layers=layers, remat=remat), layout(params))
        assert got == pytest.approx(want, rel=1e-6)
        transformer.same(found, layout(plain_slopes), 2e-6)


def test_half_precision_is_that_of_the_products_alone():
    model = configured(dtype="bfloat16")
    params, pictures = drawn(model, PICTURES), examples(PICTURES, 4)
    want = outputs(configured(), PICTURES, params, pictures)
    difference = np.abs(outputs(model, PICTURES, params, pictures) - want).max() / np.abs(want).max()
    assert 1e-4 < difference < 0.05
