"""Exponents that theory knows, from the kept runs: what agrees, what cannot, and what an empty folder is told."""

import csv
from pathlib import Path

import numpy as np
import pytest

from analysis.load import DataError
from experiments.known.cases import cases
from experiments.reproduce.entry import NO, OPEN, YES, Own
from experiments.reproduce.papers import theory
from experiments.reproduce.recipes import theory as recipe

KEPT = Path(__file__).parents[2] / "docs" / "results"
OFF = {"N(C): power-law random features (1, 0.7), phase II", "L(N): student on a manifold of 8 dimensions"}


@pytest.fixture(scope="module")
def result():
    return theory.exponents(Own("cpu", {"theory": KEPT / "known_exponents"}, 40))


def test_every_exponent_stands_beside_theorys(result):
    agrees = {one.name: one.agrees for one in result.quantities}
    assert {name for name, verdict in agrees.items() if verdict == NO} == OFF
    assert set(agrees.values()) == {YES, NO}
    assert len(agrees) == sum(len(case.quantities) for case in cases()) + 2
    with (KEPT / "known_exponents" / "known_exponents.csv").open(newline="") as file:
        kept = [float(row["measured"]) for row in csv.DictReader(file)]
    assert [one.here for one in result.quantities[:-2]] == pytest.approx(kept)


def test_both_sides_of_the_duality_are_held_against_each_other(result):
    by_name = {one.name: one for one in result.quantities}
    for alpha in ("0.5", "1"):
        n, d = (by_name[f"L({axis}): ridge random features, a = {alpha}, over {what}"]
                for axis, what in (("N", "features"), ("D", "examples")))  # fmt: skip
        one = by_name[f"exponent over features less over examples, ridge features, a = {alpha}"]
        assert one.here == pytest.approx(n.here - d.here)
        widths = [high - low for low, high in (one.interval, n.interval, d.interval)]
        assert max(widths[1:]) < widths[0] < sum(widths[1:])


def test_points_on_the_line_are_those_that_theory_meets(result):
    line, *groups = result.drawings[0].panels[0].layers
    np.testing.assert_array_equal(line.x, line.y)
    assert sum(len(layer.x) for layer in groups) == len(result.quantities) - 2
    assert {layer.name for layer in groups} == {case.group for case in cases()}


def test_a_folder_without_cases_is_refused(tmp_path):
    with pytest.raises(DataError, match="no folder of a known exponent; allowed: folders with runs, of power_law_1_"):
        theory.exponents(Own("cpu", {"theory": tmp_path}, 40))


def test_each_scale_names_cases_that_there_are():
    some, every = ({case.name for case in cases(recipe.NAMES[scale], recipe.SEEDS[scale])} for scale in recipe.NAMES)
    assert some < every == {case.name for case in cases()}
    assert OPEN not in some
