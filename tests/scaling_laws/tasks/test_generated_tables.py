"""Made-up tables: their formulas are found again from the data alone."""

import numpy as np
import pytest
from scipy.stats import norm, skew

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import generated_tables as made
from scaling_laws.tasks.columns import Numbers


def by_name(table):
    return {c.name: c.values if isinstance(c, Numbers) else np.array(c.values) for c in table.columns}


def test_houses_are_mixed_skewed_and_miss_a_few_cells():
    found = by_name(made.houses(TaskConfig()))
    assert len(found["price"]) == 20_000
    assert sum(values.dtype.kind == "f" for values in found.values()) == 7
    assert skew(found["price"]) > 1
    shares = [np.isnan(found["lot"]).mean(), np.isnan(found["age"]).mean(), (found["heating"] == "").mean()]
    np.testing.assert_allclose(shares, [0.05, 0.02, 0.03], atol=0.005)
    assert min(np.bincount(np.unique(found["district"], return_inverse=True)[1])) > 3000


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_price_is_the_formula_and_noise(noise):
    found = by_name(made.houses(TaskConfig(noise=noise)))
    whole = ~np.isnan(found["lot"]) & ~np.isnan(found["age"]) & (found["heating"] != "")
    known = {name: values[whole] for name, values in found.items()}
    rest = np.log(known["price"]) - made.log_price(known)
    assert rest.std() == pytest.approx(noise, rel=0.02, abs=1e-12)
    assert abs(rest.mean()) < 4 * max(noise, 1e-12) / np.sqrt(len(rest))


def test_the_formula_is_that_of_one_house_by_hand():
    house = {"area": 100, "lot": 400, "bathrooms": 2, "rooms": 4, "age": 60, "distance": 3, "district": "centre"}
    house |= {"kind": "flat", "heating": "oil", "condition": "poor", "garage": "yes"}
    found = made.log_price({name: np.array([value]) for name, value in house.items()})
    by_hand = 1.9 + 0.7 * np.log(100) + 0.08 * np.log(400) + 0.1 + 0.04 - 0.3 * np.tanh(1) - 0.3 * np.log(4)
    assert found[0] == pytest.approx(by_hand + 0.45 - 0.1 - 0.3 + 0.07)


def test_frauds_are_one_in_a_hundred_and_told_by_the_known_rule():
    from sklearn.metrics import roc_auc_score

    found = by_name(made.fraud(TaskConfig()))
    assert (len(found), len(found["class"])) == (31, 50_000)
    assert found["class"].mean() == pytest.approx(0.01, abs=0.0015)
    assert skew(found["amount"]) > 3
    v = np.column_stack([found[f"v{k}"] for k in range(28)])
    bad = found["class"] == 1
    np.testing.assert_allclose(v[bad].mean(axis=0), made.SHIFTS, atol=0.3)
    np.testing.assert_allclose(v[~bad].mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(v[bad].std(axis=0), made.WIDTHS, rtol=0.2)
    logs = np.log(found["amount"] + 1e-9)
    assert logs[bad].mean() - logs[~bad].mean() == pytest.approx(0.7, abs=0.2)
    odds = (norm.logpdf(v, made.SHIFTS, made.WIDTHS) - norm.logpdf(v)).sum(axis=1)
    odds += norm.logpdf(logs, 3.9, 1.1) - norm.logpdf(logs, 3.2, 1.1)
    assert 0.9 < roc_auc_score(bad, odds) < 0.995


def test_toy_classes_are_as_far_apart_as_said():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    small, large = (by_name(made.toy_classes(TaskConfig(examples=n))) for n in (0, 20_000))
    assert len(small["class"]) == 100
    x = np.column_stack([large[f"x{k}"] for k in range(10)])
    y = large["class"]
    right = LinearDiscriminantAnalysis().fit(x, y).score(x, y)
    assert right == pytest.approx(norm.cdf(made.TOY_DISTANCE / 2), abs=0.01)


@pytest.mark.parametrize("noise, deviation", [(0.0, 0.5), (2.0, 2.0)])
def test_the_toy_line_has_the_slope_and_noise_that_are_said(noise, deviation):
    found = by_name(made.toy_line(TaskConfig(examples=20_000, noise=noise)))
    slope, intercept = np.polyfit(found["x"], found["y"], 1)
    assert (slope, intercept) == pytest.approx((3, 2), abs=5 * deviation / np.sqrt(20_000))
    assert np.std(found["y"] - intercept - slope * found["x"]) == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("name", made.GENERATED)
def test_fewer_rows_are_the_first_of_more_and_always_the_same(name):
    few, more, again = (by_name(made.GENERATED[name](TaskConfig(examples=n))) for n in (50, 80, 50))
    for column, values in few.items():
        np.testing.assert_array_equal(values, more[column][:50])
        np.testing.assert_array_equal(values, again[column])


def test_too_many_rows_are_refused():
    with pytest.raises(ConfigError, match=r"task.examples: 10000000; allowed: at most 5000000"):
        made.toy_line(TaskConfig(name="table", examples=10_000_000))
