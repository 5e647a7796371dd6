"""Counts of other shapes from a table's settings, against the families' own; tables that cannot be counted anew."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from analysis import shape_counts
from analysis.load import Runs, load
from scaling_laws import config, families, spec

DEMO = Path(__file__).parents[2] / "docs" / "results" / "demo"


@pytest.fixture(scope="module")
def demo():
    return load(DEMO)


def test_other_shapes_are_counted_as_their_family_counts(demo):
    count = shape_counts.counter(demo, compute=True)
    model = dataclasses.replace(config.ModelConfig(), n_heads=2)
    for width, depth in ((8, 2), (52, 4), (100, 7)):
        own = families.count(dataclasses.replace(model, width=width, depth=depth), spec.text(1024, 64))
        assert count(width, depth) == (own.n_params, own.flops_per_token)
    assert count(13, 2) is None  # two heads do not divide it


def test_every_row_of_the_table_comes_back(demo):
    count = shape_counts.counter(demo, compute=True)
    columns = (demo[name].tolist() for name in ("width", "depth", "n_params", "flops", "tokens"))
    for width, depth, n_params, flops, tokens in zip(*columns, strict=True):
        assert count(width, depth) == pytest.approx((n_params, flops / tokens))


def test_another_convention_is_not_counted(demo):
    other = demo.with_columns(flops=6.0 * demo["n_params"] * demo["tokens"])
    assert shape_counts.counter(other) is not None
    assert shape_counts.counter(other, compute=True) is None
    n_params = demo["n_params"].copy()
    n_params[0] += 1000  # of one shape alone
    assert shape_counts.counter(demo.with_columns(n_params=n_params)) is None


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"model.heads": 3}'])
def test_settings_of_other_programs_count_nothing(demo, text):
    strange = demo.with_columns(config=np.full(len(demo), text, dtype=object))
    assert shape_counts.counter(strange) is None


def test_tables_without_settings(demo):
    bare = Runs({name: values for name, values in demo.columns.items() if name != "config"})
    assert shape_counts.settings_of(bare) is None
    assert shape_counts.counter(bare) is None


def test_settings_are_those_of_the_largest_run_or_of_a_row(demo):
    largest, second = shape_counts.settings_of(demo), shape_counts.settings_of(demo, 1)
    assert largest["model.width"] == demo["width"][int(np.argmax(demo["flops"]))]
    assert second["model.width"] == demo["width"][1] != largest["model.width"]
    assert second["train.steps"] == demo["steps"][1]
    assert second["quantize.weight_bits"] == config.RunConfig().quantize.weight_bits  # what no row names is neutral


def test_the_usual_batch(demo):
    assert shape_counts.batch_tokens_of(demo) == 512
    assert shape_counts.batch_tokens_of(Runs({"tokens": np.ones(2)})) == 0
    mixed = {"tokens": np.array([100.0, 300.0, 640.0]), "steps": np.array([10, 10, 64])}
    assert shape_counts.batch_tokens_of(Runs(mixed)) == 10
    assert shape_counts.batch_tokens_of(Runs({"batch_size": np.array([8, 8, 4]), "context": np.full(3, 64)})) == 512
    assert shape_counts.batch_tokens_of(Runs({"batch_size": np.array([8, 8, 4]), "tokens": np.ones(3)})) == 8
