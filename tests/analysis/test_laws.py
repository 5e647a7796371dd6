"""Laws against their published formulas written out, their gradients against differences, their names."""

import numpy as np
import pytest
import truths

from analysis import laws, solver
from analysis.laws.law import Power
from scaling_laws.config import ConfigError

N, D = np.array([1e6, 3e8, 7e10]), np.array([2e8, 4e9, 1.4e12])
X = truths.inputs()


def test_the_table_of_truths_covers_every_law():
    assert set(truths.COEFFICIENTS) == set(laws.LAWS)


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_a_law_is_its_published_formula(name):
    c = truths.COEFFICIENTS[name]
    assert laws.value(laws.get(name), c, X) == pytest.approx(truths.value(name, c, X), rel=1e-10)


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_published_names_there_and_back(name):
    law, c = laws.get(name), truths.COEFFICIENTS[name]
    theta = laws.parameters_of(law, c)
    assert {key: float(value) for key, value in laws.natural(law, theta).items()} == pytest.approx(c, rel=1e-9)
    assert len(theta) == len(law.parameters) == len(c)
    assert set(law.units) == set(law.coefficient_names)


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_gradients_agree_with_central_differences(name):
    law = laws.get(name)
    theta = laws.parameters_of(law, truths.COEFFICIENTS[name])
    value, gradient = laws.value_and_gradient(law, theta, X)
    logs, step = laws.design(law, X, centred=False).log_prediction, 1e-6
    for k, direction in enumerate(step * np.eye(len(theta))):
        slope = np.exp(logs(theta + direction[None])) - np.exp(logs(theta - direction[None]))
        scale = np.abs(gradient).max()
        assert slope[0] / (2 * step) == pytest.approx(gradient[0, :, k], rel=1e-5, abs=1e-8 * scale), law.parameters[k]
    assert value[0] == pytest.approx(laws.value(law, truths.COEFFICIENTS[name], X))


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_centring_changes_no_prediction(name):
    law = laws.get(name)
    theta = laws.parameters_of(law, truths.COEFFICIENTS[name])[None]
    centred, plain = laws.design(law, X), laws.design(law, X, centred=False)
    assert centred.log_prediction(centred.centre(theta)) == pytest.approx(plain.log_prediction(theta), rel=1e-10)
    assert centred.centre(centred.uncentre(theta)) == pytest.approx(theta)


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_every_law_is_recovered_from_its_own_noiseless_values(name):
    law, c = laws.get(name), truths.COEFFICIENTS[name]
    points, y = laws.design(law, X), np.log(truths.value(name, c, X))
    found = solver.solve(solver.problem(points, y, solver.Objective("log_mse")))
    values = laws.natural(law, points.uncentre(found.theta))
    assert {key: float(value) for key, value in values.items()} == pytest.approx(c, rel=1e-6)


def test_gadre_is_chinchilla_with_equal_exponents():
    c = truths.COEFFICIENTS["gadre"]
    gain = 6 ** c["eta"]
    same = {"E": c["E"], "A": c["a"] / gain, "B": c["b"] / gain, "alpha": 2 * c["eta"], "beta": 2 * c["eta"]}
    assert laws.value(laws.get("gadre"), c, X) == pytest.approx(laws.value(laws.get("chinchilla"), same, X), rel=1e-12)
    surface = laws.get("gadre").surface(c)
    assert {name: float(surface[name]) for name in same} == pytest.approx(same)


def test_published_values_of_the_technique_laws():
    precise = {"gamma_weight_bits": 2.6745, "E": 0.0, "A": 1.0, "B": 0.0, "alpha": 1.0, "beta": 1.0}
    bits = {"n_params": np.ones(2), "tokens": np.ones(2), "weight_bits": np.array([4.0, 8.0])}
    assert 1 / laws.value(laws.get("precision"), precise, bits) == pytest.approx([0.776, 0.950], abs=5e-4)
    t5 = {"a_S": 16.8, "b_S": 0.722, "c_S": 45.0, "b_N": 0.245, "a_D": 6.9e8, "b_D": 0.203, "c": 0.651}
    dense = {"n_params": np.array([1e7]), "tokens": np.array([1e9]), "density": np.array([1.0])}
    assert laws.value(laws.get("sparsity"), t5, dense) == pytest.approx(
        (16.8 + 45.0) * 1e7**-0.245 + (6.9e8 / 1e9) ** 0.203 + 0.651
    )


def test_a_shared_exponent_is_one_parameter_and_a_cross_term_takes_two_inputs():
    both = laws.Term("K", (Power("n_params", "g"), Power("tokens", "g")))
    law = laws.Law("cross", "", "", (laws.Term("E"), laws.Term("A", (Power("n_params", "g"),)), both))
    assert law.parameters == ("E", "A", "K", "g")
    c = {"E": 1.1, "A": 1.2, "K": 1.3, "g": 0.4}
    expected = 1.1 + 1.2 * N**-0.4 + 1.3 * (N * D) ** -0.4
    assert laws.value(law, c, {"n_params": N, "tokens": D}) == pytest.approx(expected)


def test_laws_over_columns_of_choice():
    law = laws.get("power_sum(width, depth,tokens)")
    assert law.inputs == ("width", "depth", "tokens")
    assert law.parameters[:4] == ("E", "A_width", "A_depth", "A_tokens")
    assert laws.get(law.name).terms == law.terms
    assert laws.with_terms("power_sum", "width, depth") == "power_sum(width,depth)"
    assert laws.with_terms("chinchilla", None) == "chinchilla"
    two = laws.get(laws.with_terms("broken_power", "flops", 2))
    assert two.inputs == ("flops",)
    assert [name for name in two.parameters if name[0] in "cf" or name[:2] == "ln"] == [
        "c0", "c1", "ln_d1", "f1", "c2", "ln_d2", "f2",
    ]  # fmt: skip


def test_a_coefficient_of_zero_takes_its_term_away():
    c = truths.COEFFICIENTS["chinchilla"] | {"E": 0.0}
    assert laws.value(laws.get("chinchilla"), c, X) == pytest.approx(truths.value("chinchilla", c, X), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chinchila", "did you mean chinchilla"),
        ("chinchilla(tokens)", "takes no columns"),
        ("power(tokens,flops)", r"allowed: power\(x\)"),
        ("power_sum(width,width)", "a column twice"),
        ("broken_power(tokens,9)", "1 to 8"),
    ],
)
def test_a_law_that_does_not_exist_is_refused(name, message):
    with pytest.raises(ConfigError, match=message):
        laws.get(name)


def test_breaks_belong_to_the_broken_law():
    with pytest.raises(ConfigError, match="broken_power"):
        laws.with_terms("power", None, 2)


@pytest.mark.parametrize("name", ["chinchilla", "kaplan", "data_constrained", "precision", "broken_power"])
def test_rows_with_coefficients_and_inputs_of_their_own(name):
    law = laws.get(name)
    coefficients = {key: value * np.array([1.0, 1.01, 0.98]) for key, value in truths.COEFFICIENTS[name].items()}
    x = {key: X[key][:12].reshape(3, 4) for key in law.inputs}
    rows = laws.value_each(law, coefficients, x)
    for row in range(3):
        own = laws.value(
            law, {key: value[row] for key, value in coefficients.items()}, {k: v[row] for k, v in x.items()}
        )
        assert rows[row] == pytest.approx(own, rel=1e-12)
