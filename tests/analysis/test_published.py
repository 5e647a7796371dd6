"""Counting conventions: what Kaplan et al. would see if the law of the total count were true (Pearce and Song 2024)."""

import numpy as np
import pytest

from analysis import conventions, frontier
from analysis.published import BESIROGLU_2024, HOFFMANN_2022, KAPLAN_2020
from scaling_laws.config import ConfigError

LAW = BESIROGLU_2024.coefficients


def test_one_law_two_exponents():
    found = conventions.pearce_song_slope()
    assert found.least_squares == pytest.approx(0.79, abs=0.005)
    assert found.endpoints == pytest.approx(0.749, abs=5e-4)
    assert found.local == pytest.approx((0.53, 0.98), abs=5e-3)
    assert found.asymptotic == pytest.approx(0.513, abs=5e-4)
    assert conventions.pearce_song_slope(points=20).least_squares == pytest.approx(0.79, abs=0.005)


def test_the_other_exponent_is_the_one_of_the_total_counts():
    """Whoever counts everything sees .51 at the same sizes."""
    n = conventions.with_embedding(np.geomspace(768, 1.5e9, 50))
    front = frontier.Frontier(LAW | {"outer": 1.0}, frontier.Compute())
    power = LAW["alpha"] + LAW["beta"]
    gain = (LAW["alpha"] * LAW["A"] / (LAW["beta"] * LAW["B"])) ** (1 / power)
    flops = 6 * (n / gain) ** (power / LAW["beta"])
    np.testing.assert_allclose(front.n_opt(flops), n, rtol=1e-12)
    assert np.polyfit(np.log(flops), np.log(n), 1)[0] == pytest.approx(0.513, abs=5e-4)


def test_the_formula_is_the_numerical_minimum_at_fixed_compute_so_counted():
    n = np.geomspace(1e3, 1e11, 9)
    flops = conventions.non_embedding_compute(n, LAW)
    np.testing.assert_allclose(conventions.recounted(LAW).n_opt(flops), n, rtol=1e-8)
    ends = conventions.pearce_song_slope(sizes=(1e7, 1e9)).local  # beyond the peak: the ends of the range
    low, high = (conventions.recounted(LAW, at=conventions.non_embedding_compute(x, LAW)).a for x in (1e9, 1e7))
    assert ends == pytest.approx((low, high), abs=1e-7)


def test_without_an_embedding_the_counts_agree():
    bare = conventions.recounted(HOFFMANN_2022.coefficients, total=lambda n: n)
    closed = frontier.Frontier(HOFFMANN_2022.coefficients | {"outer": 1.0}, frontier.Compute())
    np.testing.assert_allclose(bare.n_opt(1e22), closed.n_opt(1e22), rtol=1e-8)
    head = conventions.recounted(HOFFMANN_2022.coefficients, lambda n: n, frontier.Compute(7.0, 0.02))
    assert head.a == pytest.approx(frontier.exponent_of_n(HOFFMANN_2022.coefficients, 0.02), abs=1e-9)
    assert head.to_json()["compute"] == "C = 7 N^1.0200 D"


def test_another_laws_coefficients_are_refused():
    with pytest.raises(ConfigError, match="no 'E'"):
        conventions.pearce_song_slope(KAPLAN_2020.coefficients)
