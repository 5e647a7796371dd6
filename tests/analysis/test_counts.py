"""Which count serves as N and as C: the columns by hand."""

import numpy as np
import pytest

from analysis import counts, load
from scaling_laws.config import ConfigError

COLUMNS = {
    "n_params": np.array([10.0, 20.0, 40.0]),
    "n_non_embedding": np.array([4.0, 0.0, 30.0]),
    "n_effective": np.array([11.0, 22.0, 44.0]),
    "tokens": np.array([100.0, 200.0, 400.0]),
    "flops": np.array([7e3, 3e4, 1e5]),
    "flops_non_embedding": np.array([5e3, 2e4, 9e4]),
    "flops_effective": np.array([6e3, 2.5e4, 9.5e4]),
    "loss": np.array([3.0, 2.0, 1.0]),
}


@pytest.fixture
def runs():
    return load.runs_from(COLUMNS)


def test_defaults_change_nothing(runs):
    assert counts.apply_params(runs) is runs
    assert counts.apply_flops(runs) is runs


def test_another_count_serves_as_n_and_says_so(runs):
    effective = counts.apply_params(runs, "n_effective")
    assert list(effective["n_params"]) == [11, 22, 44]
    assert effective.notes == ("N is n_effective: by products a token, attention's included",)


def test_rows_without_the_count_are_left_out_by_name(runs):
    inner = counts.apply_params(runs, "n_non_embedding")
    assert list(inner["n_params"]) == [4, 30]
    assert inner.excluded_counts() == {"n_non_embedding is not a positive number": 1}
    assert "row 2 (first: 0)" in inner.notes[0]


@pytest.mark.parametrize(
    ("convention", "expected"),
    [("6nd", [6e3, 2.4e4, 9.6e4]), ("non_embedding", [5e3, 2e4, 9e4]), ("effective", [6e3, 2.5e4, 9.5e4])],
)
def test_another_count_serves_as_c_and_says_so(runs, convention, expected):
    counted = counts.apply_flops(runs, convention)
    assert list(counted["flops"]) == expected
    assert counted.notes[-1].startswith("C is ")


def test_6nd_takes_the_n_in_use(runs):
    counted = counts.apply_flops(counts.apply_params(runs, "n_effective"), "6nd")
    assert list(counted["flops"]) == [6 * 11 * 100, 6 * 22 * 200, 6 * 44 * 400]


def test_bad_conventions_are_one_line(runs):
    with pytest.raises(ConfigError, match=r"params_convention: 'n_nonembedding'.*did you mean n_non_embedding\?"):
        counts.apply_params(runs, "n_nonembedding")
    with pytest.raises(ConfigError, match="flops_convention: '6ND'; allowed: flops, 6nd"):
        counts.apply_flops(runs, "6ND")
    small = load.runs_from({name: COLUMNS[name] for name in ("n_params", "tokens", "loss")})
    with pytest.raises(load.DataError, match="no column 'n_effective'"):
        counts.apply_params(small, "n_effective")
    with pytest.raises(load.DataError, match="no column 'flops_non_embedding'"):
        counts.apply_flops(small, "non_embedding")
