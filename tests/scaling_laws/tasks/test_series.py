"""Forecasts: windows, splits in time, and a made-up series whose noise floor a regression finds."""

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import series


def load(path="", **settings):
    return series.load(TaskConfig(name="series", path=str(path), **settings), None)


def write(place, cells):
    place.write_text("day,level\n" + "".join(f"d{k},{cell}\n" for k, cell in enumerate(cells)))
    return place


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 40), context=st.integers(1, 12))
def test_windows_are_the_values_before_each_target(n, context):
    values = np.arange(n, dtype=np.float32)
    if n <= context:
        return
    found = series.windows(values, context)
    expected = [values[t - context : t] for t in range(context, n)]
    np.testing.assert_array_equal(found["inputs"], expected)
    np.testing.assert_array_equal(found["targets"], values[context:])
    assert not found["inputs"].flags.writeable


def test_splits_follow_one_another_and_no_window_reaches_across(tmp_path):
    place = write(tmp_path / "a.csv", range(200))
    task = load(place, target="level", context=8, standardise=False, valid_fraction=0.2, heldout_fraction=0.25)
    bounds = {"train": (0, 110), "valid": (110, 150), "heldout": (150, 200)}
    for name, (start, stop) in bounds.items():
        part = task.split(name)
        assert (part["inputs"].min(), part["targets"].max()) == (start, stop - 1)
        np.testing.assert_array_equal(part["targets"], np.arange(start + 8, stop))
        np.testing.assert_array_equal(part["inputs"][:, -1], part["targets"] - 1)
    assert (task.spec.inputs, task.spec.shape, task.spec.outputs) == ("vector", (8,), 1)
    assert (task.spec.loss, task.spec.targets, task.spec.source) == ("squared_error", 1, "examples")


def test_values_are_imputed_and_standardised_by_the_train_part_as_pandas_does(tmp_path):
    random = np.random.default_rng(0)
    cells = [f"{x:.4f}" for x in random.normal(100, 5, 300)]
    for k in (0, 50, 290):
        cells[k] = "NA"
    place = write(tmp_path / "a.csv", cells)
    task = load(place, target="level", context=8, impute="mean")
    frame = pandas.read_csv(place)["level"]
    train = frame.iloc[:255]
    full = frame.fillna(train.mean())
    scaled = (full - full.iloc[:255].mean()) / full.iloc[:255].std(ddof=0)
    np.testing.assert_allclose(task.train["targets"], scaled.iloc[8:255], atol=1e-6)
    np.testing.assert_allclose(task.heldout["targets"], scaled.iloc[278:], atol=1e-6)
    assert task.notes[0] == f"column 'level': 3 missing, each taken for {train.mean():.9g}, the mean of the train split"
    assert task.notes[1].startswith("column 'level' standardised by the train split: mean ")


def test_a_file_with_one_column_needs_no_target(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text("level\n" + "".join(f"{k}\n" for k in range(400)))
    assert load(place, context=8).length("train") == 340 - 8
    with pytest.raises(ConfigError, match=r"task.target: empty; allowed: the column to forecast, 'day', 'level'"):
        load(write(place, range(400)), context=8)


def test_the_future_changes_nothing_of_the_train_split(tmp_path):
    cells = np.random.default_rng(0).normal(size=200).round(3).tolist()
    before = load(write(tmp_path / "a.csv", cells), target="level", context=8)
    after = load(write(tmp_path / "b.csv", [*cells[:170], *[9e5] * 30]), target="level", context=8)
    np.testing.assert_array_equal(before.train["inputs"], after.train["inputs"])
    assert before.content_hash != after.content_hash


@pytest.mark.parametrize("noise, deviation", [(0.0, 0.1), (0.5, 0.5)])
def test_a_regression_that_knows_the_seasons_reaches_the_noise_floor_and_none_goes_below(noise, deviation):
    task = load(noise=noise, standardise=False, context=8)
    assert f"below {deviation**2:.9g}, before standardising" in task.notes[0]
    values = series.generated(20_000, deviation)
    time = np.arange(2, 20_000)
    waves = [f(2 * np.pi * time / period) for period, _, _ in series.SEASONS for f in (np.sin, np.cos)]
    known = np.column_stack([values[1:-1], values[:-2], *waves])
    fit, *_ = np.linalg.lstsq(known, values[2:], rcond=None)
    assert np.mean((values[2:] - known @ fit) ** 2) == pytest.approx(deviation**2, rel=0.03)
    assert fit[:2] == pytest.approx(series.LAGS, abs=0.03)
    blind, *_ = np.linalg.lstsq(task.train["inputs"], task.train["targets"], rcond=None)
    rest = task.heldout["targets"] - task.heldout["inputs"] @ blind
    assert np.mean(rest**2) > 1.05 * deviation**2


def test_the_made_up_series_is_that_of_a_filter_that_has_settled():
    shocks = np.random.Generator(np.random.PCG64(1906)).standard_normal(700) * 0.1
    process = lfilter([1], [1, *(-lag for lag in series.LAGS)], shocks)[200:]
    time = np.arange(500)
    seasons = np.sin(2 * np.pi * time / 24) + 0.7 * np.sin(2 * np.pi * time / 168 + 1)
    seasons += 0.4 * np.sin(2 * np.pi * time / 61 + 2)
    np.testing.assert_allclose(series.generated(500, 0.1), seasons + process, atol=1e-12)


def test_the_made_up_series_is_stationary_and_shorter_ones_are_its_beginning():
    values = series.generated(20_000, 0.1)
    assert np.abs(np.roots([1, *(-lag for lag in series.LAGS)])).max() < 1
    assert values[:10_000].std() == pytest.approx(values[10_000:].std(), rel=0.05)
    np.testing.assert_array_equal(series.generated(50, 0.1), values[:50])
    assert sum(load(examples=5000).length(name) for name in ("train", "valid", "heldout")) == 5000 - 3 * 128
