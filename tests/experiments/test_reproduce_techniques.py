"""Laws of techniques: the published multipliers, alone and beside what kept runs measured."""

from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

from analysis.published import CLARK_2022
from experiments.reproduce.papers import techniques

KEPT = Path(__file__).parents[2] / "docs" / "results" / "techniques"


def test_the_published_multipliers_without_any_table(verdicts):
    found = verdicts("techniques")
    assert set(found) == {"sparsity", "precision", "routing"}
    assert not any(quantities.those("no") for quantities in found.values())
    for name, value in {"m_N at sparsity 0.5, T5": 1.59, "m_N at sparsity 0.75, T5": 2.16}.items():
        agrees, here = found["sparsity"][name]
        assert (agrees, here) == ("yes", pytest.approx(value, abs=0.005))
    for bits, value in {4: 0.776, 8: 0.950}.items():
        agrees, here = found["precision"][f"N_eff / N at {bits} bits of weights"]
        assert (agrees, here) == ("yes", pytest.approx(value, abs=5e-4))
    assert set(found["routing"].agrees.values()) == {"yes"}


def test_beside_kept_runs(verdicts):
    found = verdicts("techniques", f"--data={KEPT}", "--bootstrap=200")
    sparse = found["sparsity"]
    assert sparse.those("no") <= {"m_N at sparsity 0.872, pictures", "m_N at sparsity 0.162, text"}
    assert sparse["m_N at sparsity 0.498, pictures"][1] == pytest.approx(1.73, abs=0.02)
    assert sparse["m_N at sparsity 0.162, text"][1] == pytest.approx(1.11, abs=0.02)
    assert found["precision"].those("no") == {f"m_N at 4 weight bits, {table}" for table in ("pictures", "text")}
    assert found["routing"].those("no") == {"m_N of the active parameters, 4 experts, text"}


def test_the_dense_size_of_a_routed_networks_loss_is_the_laws():
    """Bisection on the published formula, written out."""
    c = CLARK_2022.coefficients

    def log_loss(log_n, experts):
        saturated = 1 / (experts - 1 + 1 / (1 / c["E_start"] - 1 / c["E_max"])) + 1 / c["E_max"]
        e = -np.log10(saturated)
        return c["a"] * log_n + c["b"] * e + c["c"] * log_n * e + c["d"]

    found = techniques._refit(CLARK_2022, {"experts": techniques.ROUTED}, 1e7, None)
    for experts in (4.0, 64.0):
        there = log_loss(8.0, experts)
        wanted = 10 ** (optimize.brentq(lambda n, there=there: log_loss(n, 1.0) - there, 6, 13) - 8)
        assert techniques._routed(found, 1e8, np.array([experts]))[0] == pytest.approx(wanted, rel=1e-5)
