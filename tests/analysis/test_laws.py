"""Laws against their formulas written out."""

import numpy as np
import pytest

from analysis import laws
from scaling_laws.config import ConfigError

N, D = np.array([1e6, 3e8, 7e10]), np.array([2e8, 4e9, 1.4e12])


def test_chinchilla_is_its_formula():
    theta = np.array([np.log(1.69), np.log(406.4), np.log(410.7), 0.34, 0.28])
    ours = laws.predict(laws.get("chinchilla"), theta, {"n_params": N, "tokens": D})[0]
    assert ours == pytest.approx(1.69 + 406.4 / N**0.34 + 410.7 / D**0.28, rel=1e-12)


def test_kaplan_is_its_formula_and_its_natural_names_are_the_papers():
    ratio = 0.076 / 0.103
    theta = np.array([ratio * np.log(6.4e13), np.log(1.8e13), ratio, 0.103])
    law = laws.get("kaplan")
    ours = laws.predict(law, theta, {"n_params": N, "tokens": D})[0]
    assert ours == pytest.approx(((6.4e13 / N) ** ratio + 1.8e13 / D) ** 0.103, rel=1e-12)
    names = laws.natural(law, theta)
    assert {name: float(value) for name, value in names.items()} == pytest.approx(
        {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    )


@pytest.mark.parametrize("name", list(laws.LAWS))
def test_centring_changes_no_prediction(name):
    law = laws.get(name)
    inputs = {"n_params": N, "tokens": D, "flops": 6 * N * D}
    theta = np.random.default_rng(0).uniform(0.1, 0.6, (4, len(law.parameters)))
    centred = laws.design(law, inputs)
    assert laws.log_prediction(centred, theta) == pytest.approx(
        np.log(laws.predict(law, centred.uncentre(theta), inputs)), rel=1e-10
    )
    assert centred.centre(centred.uncentre(theta)) == pytest.approx(theta)


def test_a_shared_exponent_is_one_parameter_and_a_cross_term_takes_two_inputs():
    both = laws.Term("K", (("n_params", "g"), ("tokens", "g")))
    law = laws.Law("cross", "", "", (laws.Term("E"), laws.Term("A", (("n_params", "g"),)), both))
    assert law.parameters == ("E", "A", "K", "g")
    ours = laws.predict(law, np.array([0.1, 0.2, 0.3, 0.4]), {"n_params": N, "tokens": D})[0]
    assert ours == pytest.approx(np.exp(0.1) + np.exp(0.2) * N**-0.4 + np.exp(0.3) * (N * D) ** -0.4)


def test_an_unknown_law_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean chinchilla"):
        laws.get("chinchila")
