"""The closed form against numerical minimisation and the figures of Hoffmann et al."""

import numpy as np
import pytest
from scipy import optimize

from analysis import frontier, laws
from analysis.lines import frontier_line, lines
from analysis.load import DataError
from analysis.published import BESIROGLU_2024, HOFFMANN_2022, KAPLAN_2020


def make(law, k=6.0, p=0.0):
    surface = laws.get(law.law).surface(law.coefficients)
    assert surface is not None
    return frontier.Frontier(surface, frontier.Compute(k, p))


@pytest.mark.parametrize("law", [HOFFMANN_2022, BESIROGLU_2024, KAPLAN_2020])
@pytest.mark.parametrize(("k", "p"), [(6.0, 0.0), (40.0, -0.12), (2.5, 0.07)])
def test_it_is_the_minimum_over_n_at_fixed_c(law, k, p):
    front = make(law, k, p)
    for c in (1e15, 1e21, 3e24):

        def loss(log_n, c=c):
            n = np.exp(log_n)
            return float(frontier.loss_of(front.coefficients, n, c / (k * n ** (1 + p))))

        found = optimize.minimize_scalar(loss, bounds=(5, 40), method="bounded", options={"xatol": 1e-10})
        assert np.log(front.n_opt(c)) == pytest.approx(found.x, abs=2e-5)
        assert front.loss(c) == pytest.approx(found.fun, rel=1e-12)
        assert k * front.n_opt(c) ** (1 + p) * front.d_opt(c) == pytest.approx(c)


@pytest.mark.parametrize(("k", "p"), [(6.0, 0.0), (40.0, -0.12)])
def test_exponents_are_the_slopes_of_the_frontier(k, p):
    front, c = make(BESIROGLU_2024, k, p), np.array([1e18, 1e22])
    assert np.diff(np.log(front.n_opt(c)))[0] / np.log(1e4) == pytest.approx(front.a)
    assert np.diff(np.log(front.d_opt(c)))[0] / np.log(1e4) == pytest.approx(front.b)


def test_published_exponents():
    assert make(HOFFMANN_2022).a == pytest.approx(0.4516, abs=1e-4)  # 0.46 in their table 2, from unrounded values
    assert make(BESIROGLU_2024).a == pytest.approx(0.513, abs=5e-4)


def test_the_compute_relation_is_read_off_the_runs():
    n, d = np.geomspace(1e4, 1e7, 20), np.geomspace(1e9, 1e6, 20)
    assert frontier.compute_relation(n, d, 6 * n * d) == frontier.Compute()
    relation = frontier.compute_relation(n, d, 37 * n**0.93 * d)
    assert (relation.k, relation.p) == pytest.approx((37, -0.07))


def test_a_relation_says_its_own_formula():
    assert frontier.Compute().note == "C = 6 N D"
    assert frontier.Compute(7.5, 0.01).note == "C = 7.5 N^1.0100 D"
    assert frontier.Compute(note="counted") == frontier.Compute(6.0, 0.0, "counted")


def test_the_line_through_minima_is_least_squares_with_weights():
    rng = np.random.default_rng(0)
    c = np.geomspace(1e16, 1e21, 9)
    n = 0.1 * c**0.5 * np.exp(0.1 * rng.standard_normal(9))
    weights = rng.uniform(0.1, 5, 9)
    for given in (None, weights):
        root = None if given is None else np.sqrt(given)
        assert frontier_line(c, n, given) == pytest.approx(np.polyfit(np.log(c), np.log(n), 1, w=root)[::-1], rel=1e-10)
    missing = np.where(np.arange(9) == 4, np.nan, n)
    assert frontier_line(c, missing) == pytest.approx(frontier_line(np.delete(c, 4), np.delete(n, 4)), rel=1e-12)
    with pytest.raises(DataError, match="two different C"):
        frontier_line([1e18, 1e18], [1e6, 2e6])
    with pytest.raises(DataError, match="not a positive number"):
        frontier_line([1e18, 1e19], [1e6, -2e6])


def test_lines_without_two_points_are_nan_and_leave_the_others_alone():
    x = np.array([1.0, 2.0, 4.0])
    y = np.array([[1.0, 2.0, 4.0], [np.nan, 2.0, np.nan], [np.nan, 3.0, 7.0], [np.nan] * 3])
    found = lines(x, y)
    np.testing.assert_allclose(found[[0, 2]], [[0, 1], [-1, 2]], atol=1e-12)
    assert np.isnan(found[[1, 3]]).all()
    assert lines(np.array([]), np.zeros((2, 0))).shape == (2, 2)


def test_samples_are_the_same_closed_form_for_each_resample():
    base = laws.get("chinchilla").surface(BESIROGLU_2024.coefficients)
    samples = {name: np.array([value, 1.1 * value]) for name, value in base.items()}
    front = frontier.Frontier(base, frontier.Compute(), samples)
    c = np.array([1e18, 1e20, 1e22])
    second = frontier.Frontier({name: 1.1 * value for name, value in base.items()}, frontier.Compute())
    for ours, one, other in (
        (front.n_opt_samples(c), front.n_opt(c), second.n_opt(c)),
        (front.d_opt_samples(c), front.d_opt(c), second.d_opt(c)),
        (front.loss_samples(c), front.loss(c), second.loss(c)),
    ):
        np.testing.assert_allclose(ours, [one, other], rtol=1e-12)
