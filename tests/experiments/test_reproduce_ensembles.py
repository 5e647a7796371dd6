"""Deep ensembles: the kept runs, and planted losses whose law is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.load import DataError
from experiments.reproduce.entry import NO, OPEN, YES, Own
from experiments.reproduce.papers import ensembles
from experiments.reproduce.recipes import ensembles as recipe
from scaling_laws import table

KEPT = Path(__file__).parents[2] / "docs" / "results" / "ensembles"
SIZES = np.array([1, 2, 4, 8])


@pytest.fixture(scope="module")
def result():
    return ensembles.members(Own("cpu", {"ensembles": KEPT}, 40))


def planted(exponent, noise=1e-4, seeds=8):
    rng = np.random.default_rng(3)
    means = 0.1 + 0.05 * SIZES**-exponent
    return ensembles.Arm("planted", SIZES, means + noise * rng.normal(size=(seeds, 4)), 1000)


def test_the_kept_ensembles_follow_the_law_and_do_not_gain_by_a_split(result):
    agrees = {one.name: one.agrees for one in result.quantities}
    assert agrees["loss of 8 members less what fewer foretell, mlp 16 x 2"] == YES
    assert agrees["largest residual of c + b / K over its interval's reach, mlp 16 x 2"] == YES
    assert agrees["b of c + b / K, mlp 16 x 2"] == OPEN
    split = [one for one in result.quantities if one.name.endswith("less that of one, mlp 64 x 2")]
    assert [one.agrees for one in split] == [NO, NO]
    assert all(one.why and one.interval[0] < 0 < one.interval[1] for one in split)
    assert not any(name.startswith("exponent of K, mlp 64") for name in agrees)  # its loss is not seen to fall


def test_points_are_the_means_of_the_kept_rows(result):
    rows = [row for row in table.read_runs(KEPT).to_pylist() if row["purpose"] == "ensemble" and row["width"] == 16]
    layers = {layer.name: layer for layer in result.drawings[0].panels[0].layers}
    for name, sizes in (("mlp 16 x 2", (1, 2, 4)), ("mlp 16 x 2, foretold", (8,))):
        means = [np.mean([row["loss"] for row in rows if row["strength"] == size - 1]) for size in sizes]
        np.testing.assert_allclose(layers[name].y, means)
        assert layers[name].x.tolist() == list(sizes)
    assert layers["mlp 16 x 2, foretold"].mark == "hollow"
    assert all(json.loads(row["config"])["ensemble.kind"] == "deep" for row in rows)


def test_another_power_than_one_is_told_from_it():
    right = {one.name: one for one in (*ensembles._law(planted(1.0)), *ensembles._exponent(planted(1.0), 60))}
    assert right["exponent of K, planted"].agrees == YES
    assert right["exponent of K, planted"].here == pytest.approx(1.0, abs=0.03)
    assert right["loss of 8 members less what fewer foretell, planted"].agrees == YES
    wrong = {one.name: one for one in (*ensembles._law(planted(0.4)), *ensembles._exponent(planted(0.4), 60))}
    assert wrong["exponent of K, planted"].agrees == NO
    assert wrong["loss of 8 members less what fewer foretell, planted"].agrees == NO
    assert wrong["largest residual of c + b / K over its interval's reach, planted"].agrees == NO


def test_a_table_without_ensembles_is_refused():
    folder = KEPT.parent / "demo"
    with pytest.raises(DataError, match=r"no ensembles of several sizes; allowed: a table of experiments.ensemble"):
        ensembles.members(Own("cpu", {"ensembles": folder}, 20))


def test_every_recipe_has_single_members_to_stand_beside():
    for parts in recipe.PARTS.values():
        assert all(min(part.members) == 1 < len(part.members) for part in parts)
