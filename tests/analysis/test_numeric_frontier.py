"""The numerical frontier against the closed form, against scipy, and on laws that have no closed form."""

import numpy as np
import pytest
from scipy import optimize

from analysis import frontier, laws
from analysis.numeric_frontier import NumericFrontier
from analysis.published import BESIROGLU_2024, HOFFMANN_2022, KAPLAN_2020

FLOPS = np.geomspace(1e15, 1e25, 21)


def coefficients(law):
    found = laws.get(law.law).surface(law.coefficients)
    assert found is not None
    return found


def both(law, compute):
    c = coefficients(law)
    return NumericFrontier(lambda n, d: frontier.loss_of(c, n, d), compute), frontier.Frontier(c, compute)


@pytest.mark.parametrize("law", [HOFFMANN_2022, BESIROGLU_2024, KAPLAN_2020])
@pytest.mark.parametrize(("k", "p"), [(6.0, 0.0), (40.0, -0.12), (2.5, 0.07)])
def test_it_is_the_closed_form(law, k, p):
    numeric, closed = both(law, frontier.Compute(k, p))
    np.testing.assert_allclose(numeric.n_opt(FLOPS), closed.n_opt(FLOPS), rtol=1e-8)
    np.testing.assert_allclose(numeric.d_opt(FLOPS), closed.d_opt(FLOPS), rtol=1e-8)
    np.testing.assert_allclose(numeric.loss(FLOPS), closed.loss(FLOPS), rtol=1e-14)
    assert (numeric.a, numeric.b) == pytest.approx((closed.a, closed.b), abs=1e-9)
    assert numeric.name == "local slope at C=1e+21"
    assert numeric.n_opt(1e20).shape == ()


def test_resamples_are_minimised_each_on_its_own_all_at_once():
    base, rng = coefficients(BESIROGLU_2024), np.random.default_rng(0)
    samples = {name: np.asarray(value) * np.exp(0.02 * rng.standard_normal(50)) for name, value in base.items()}
    columns = {name: values[:, None] for name, values in samples.items()}
    numeric = NumericFrontier(
        lambda n, d: frontier.loss_of(base, n, d), samples=lambda n, d: frontier.loss_of(columns, n, d)
    )
    closed = frontier.Frontier(base, frontier.Compute(), samples)
    grid = FLOPS.reshape(3, 7)
    for name in ("n_opt_samples", "d_opt_samples", "loss_samples"):
        ours = getattr(numeric, name)(grid)
        assert ours.shape == (50, 3, 7)
        np.testing.assert_allclose(ours, getattr(closed, name)(grid), rtol=1e-8)
    slopes = frontier.exponent_of_n(samples, 0.0)
    assert numeric.intervals["a"] == pytest.approx(tuple(np.quantile(slopes, [0.05, 0.95])), abs=1e-8)
    data = numeric.to_json()
    assert set(data) >= set(closed.to_json())
    assert data["at"] == 1e21


def test_without_samples_there_are_no_bands():
    numeric, _ = both(HOFFMANN_2022, frontier.Compute())
    assert numeric.intervals == {}
    assert numeric.n_opt_samples(FLOPS).shape == (0, 21)


def repeated(n, d, unique=1e10, r_star=15.4):
    """Muennighoff et al. 2023: tokens beyond the unique ones are worth less and less; a kink at D = U."""
    epochs = np.maximum(d / unique - 1, 0)
    worth = np.minimum(d, unique) + unique * r_star * -np.expm1(-epochs / r_star)
    return frontier.loss_of(coefficients(BESIROGLU_2024), n, worth)


def quantised(n, d):
    """Kumar et al. 2024 in spirit: an effective N whose loss of precision grows with D / N."""
    return frontier.loss_of(coefficients(BESIROGLU_2024), n * -np.expm1(-((n / d) ** 0.3)), d)


@pytest.mark.parametrize("law", [repeated, quantised])
def test_laws_without_a_closed_form_agree_with_scipy(law):
    numeric = NumericFrontier(law)
    for c, ours, loss in zip(FLOPS, numeric.n_opt(FLOPS), numeric.loss(FLOPS), strict=True):
        found = optimize.minimize_scalar(
            lambda x, c=c: float(law(np.exp(x), c / (6 * np.exp(x)))),
            bounds=(np.log(ours) - 2, np.log(ours) + 2), method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        assert np.log(ours) == pytest.approx(found.x, abs=2e-5)
        assert loss <= found.fun * (1 + 1e-14)


def test_repetition_bends_the_frontier_towards_size():
    few, many = (NumericFrontier(repeated, at=c) for c in (1e18, 1e24))
    assert few.a == pytest.approx(frontier.exponent_of_n(coefficients(BESIROGLU_2024), 0.0), abs=1e-9)
    assert many.a > few.a + 0.05
    n = many.n_opt(1e24 * np.exp(np.array([-0.01, 0.01])))
    assert many.a == pytest.approx(np.diff(np.log(n))[0] / 0.02, abs=1e-4)


def test_a_kink_is_a_minimum_too():
    def kinked(n, d):
        return np.abs(np.log(n) - 18.123) + 0 * d + 1

    assert np.log(NumericFrontier(kinked).n_opt(1e20)) == pytest.approx(18.123, abs=1e-6)


def test_a_law_without_a_minimum_has_no_frontier():
    assert np.isnan(NumericFrontier(lambda n, d: 1 / n + 0 * d).n_opt(1e20))
    assert np.isnan(NumericFrontier(lambda n, d: 1 / n + 1 / d).n_opt(5.0))  # less than one parameter on one token
