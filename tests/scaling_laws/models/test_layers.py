import jax
import jax.numpy as jnp
import numpy as np

from scaling_laws.models.kernels import attend, rotate
from scaling_laws.models.layers import dense


def test_rotary_products_depend_on_the_distance_only():
    query, key = jax.random.normal(jax.random.key(0), (2, 8))
    turned = [rotate(jnp.broadcast_to(vector, (1, 10, 8)))[0] for vector in (query, key)]
    products = np.asarray(turned[0] @ turned[1].T)
    for distance in range(-9, 10):
        line = np.diagonal(products, distance)
        np.testing.assert_allclose(line, line[0], atol=1e-5)
    assert np.ptp(products[0]) > 0.1
    np.testing.assert_allclose(jnp.linalg.norm(turned[0], axis=-1), jnp.linalg.norm(query), rtol=1e-5)
    np.testing.assert_array_equal(turned[0][0], query)


def test_rotary_phases_are_float32_in_bfloat16():
    x = jnp.ones((1, 2048, 8), jnp.bfloat16)
    np.testing.assert_allclose(rotate(x).astype(jnp.float32), rotate(x.astype(jnp.float32)), atol=0.02)


def test_equal_scores_average_the_past():
    values = jax.random.normal(jax.random.key(0), (1, 6, 4))
    zeros = jnp.zeros_like(values)
    averages = np.cumsum(values[0], axis=0) / np.arange(1, 7)[:, None]
    np.testing.assert_allclose(attend(zeros, zeros, values, 1.0)[0], averages, atol=1e-6)


def test_dense_is_the_product_over_the_last_dimension():
    x, matrix = jax.random.normal(jax.random.key(0), (2, 3, 4)), jax.random.normal(jax.random.key(1), (4, 5))
    np.testing.assert_allclose(dense(x, matrix), np.einsum("bld,df->blf", x, matrix), atol=1e-5)
    assert dense(x.astype(jnp.bfloat16), matrix).dtype == jnp.bfloat16
    assert dense(x.astype(jnp.bfloat16), matrix, jnp.float32).dtype == jnp.float32
