"""The manifold's geometry, its target's scale and the exponent, checked by piecewise linear approximation."""

import numpy as np
import pytest

from scaling_laws.config import ConfigError
from scaling_laws.theory import manifold


def test_inputs_lie_on_a_subspace_of_the_dimension_and_keep_distances():
    task = manifold.manifold(3, 12, 0)
    latent = manifold.points(np.random.default_rng(0), 500, 3)
    inputs = task.inputs(latent)
    assert inputs.shape == (500, 12)
    assert np.linalg.matrix_rank(inputs, tol=1e-3) == 3
    assert np.linalg.norm(inputs[0] - inputs[1]) == pytest.approx(np.linalg.norm(latent[0] - latent[1]), rel=1e-5)


@pytest.mark.parametrize("dimension", [1, 2, 8])
def test_targets_have_mean_0_and_deviation_1_and_are_no_linear_function(dimension):
    task = manifold.manifold(dimension, 16, 1)
    latent = manifold.points(np.random.default_rng(7), 40000, dimension)
    targets = task.targets(latent)
    assert (targets.dtype, targets.shape) == (np.float32, (40000,))
    assert targets.mean() == pytest.approx(0, abs=0.03)
    assert targets.std() == pytest.approx(1, abs=0.03)
    design = np.column_stack([latent, np.ones(len(latent))])
    assert np.linalg.lstsq(design, targets, rcond=None)[1][0] / len(latent) > 0.01


def test_points_fill_the_cube():
    latent = manifold.points(np.random.default_rng(0), 20000, 2)
    assert latent.dtype == np.float32
    assert latent.min() == pytest.approx(-1, abs=0.01)
    assert latent.max() == pytest.approx(1, abs=0.01)
    assert latent.var(axis=0) == pytest.approx([1 / 3, 1 / 3], rel=0.03)


def test_piecewise_linear_interpolation_of_the_target_improves_with_the_exponent():
    task = manifold.manifold(1, 4, 2)
    fine = np.linspace(-1, 1, 40001)[:, None]
    exact = task.targets(fine).astype(np.float64)
    knots = np.array([33, 65, 129, 257])
    errors = [
        np.mean((np.interp(fine[:, 0], x, task.targets(x[:, None])) - exact) ** 2)
        for x in (np.linspace(-1, 1, k) for k in knots)
    ]
    assert -np.polyfit(np.log(knots), np.log(errors), 1)[0] == pytest.approx(manifold.size_exponent(1), rel=0.1)


def test_seeds_and_dimensions():
    arrays = [manifold.manifold(2, 5, seed).embedding for seed in (0, 0, 1)]
    assert np.array_equal(arrays[0], arrays[1])
    assert not np.array_equal(arrays[0], arrays[2])
    assert (manifold.size_exponent(2), manifold.size_exponent(8)) == (2, 0.5)
    with pytest.raises(ConfigError, match=r"task.dimension: 6; allowed: 1 to 5"):
        manifold.manifold(6, 5, 0)
