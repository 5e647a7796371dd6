"""Effective-parameter multipliers of fitted techniques against published figures, and against the laws' own losses."""

import numpy as np
import pytest
import truths
from scipy import optimize

from analysis.fit import fit
from analysis.load import Runs
from scaling_laws.config import ConfigError

# Frantar et al. 2023, table 2, T5: N in 1e6, D in 1e5 steps
T5 = {"a_S": 0.568, "b_S": 0.722, "c_S": 1.523, "b_N": 0.245, "a_D": 0.634, "b_D": 0.203, "c": 0.651}


def on_grid(name, coefficients, column, values):
    """Noiseless points of a law over N, D and one column of the technique."""
    n, d, s = (axis.ravel() for axis in np.meshgrid(np.geomspace(1, 100, 5), np.geomspace(1, 20, 4), values))
    x = {"n_params": n, "tokens": d, column: s}
    everything = truths.inputs(points=len(n)) | x
    return Runs({**x, "flops": 6 * n * d, "loss": truths.value(name, coefficients, everything)})


@pytest.fixture(scope="module")
def sparse():
    return fit(on_grid("sparsity", T5, "density", (1.0, 0.5, 0.25, 0.125)), law="sparsity", objective="log_mse")


def test_sparsity_refitted_to_the_published_t5_points(sparse):
    assert sparse.multiplier(density=[0.5, 0.25, 1.0]) == pytest.approx([1.59, 2.16, 1.0], abs=0.005)


def test_a_dense_model_so_many_times_as_large_has_the_same_loss(sparse):
    for density in (0.5, 0.25):
        loss = sparse.predict(10.0, 5.0, density=density)
        n = optimize.brentq(lambda n, loss=loss: float(sparse.predict(n, 5.0, density=1.0) - loss), 1.0, 100.0)
        assert sparse.multiplier(density=density) == pytest.approx(n / 10, rel=1e-9)


def test_precision_at_the_published_gamma():
    law = truths.COEFFICIENTS["precision"] | {"gamma_weight_bits": 2.6745, "A": 3.0, "B": 2.0}
    found = fit(on_grid("precision", law, "weight_bits", (2, 3, 4, 6, 8)), law="precision", objective="log_mse")
    assert found.multiplier(weight_bits=np.array([4, 8])) == pytest.approx([0.776, 0.950], abs=5e-4)


def test_what_a_law_has_no_multiplier_for_is_refused(sparse):
    with pytest.raises(ConfigError, match="weight_bits; allowed: density"):
        sparse.multiplier(weight_bits=4)
    with pytest.raises(ConfigError, match="density 0; allowed: above 0"):
        sparse.multiplier(density=0)
    n, d = np.meshgrid([1e6, 3e6, 1e7], [1e8, 3e8, 1e9])
    plain = Runs(
        {"n_params": n.ravel(), "tokens": d.ravel(), "loss": 2 + 50 / n.ravel() ** 0.3 + 50 / d.ravel() ** 0.3}
    )
    with pytest.raises(ConfigError, match="law 'chinchilla' has none"):
        fit(plain, objective="log_mse").multiplier(density=0.5)
