"""What a run reads of its train split: bootstrap samples, all but one part, a few examples again and again."""

import re

import numpy as np
import pytest
from scipy import stats

from scaling_laws import spec, validation
from scaling_laws.config import ConfigError, RunConfig, form, identity, replace
from scaling_laws.spec import Spec
from scaling_laws.tasks import batches, order, samples
from scaling_laws.tasks.samples import Sample
from scaling_laws.tasks.task import Task
from scaling_laws.techniques import catalog

N = 700


def table(inputs):
    split = {"inputs": inputs, "targets": np.zeros(len(inputs), np.int32)}
    return Task("table", Spec("vector", inputs.shape[1:], 2), split, split, split, content_hash="x")


TASK = table(np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32))
TEXT = {"tokens": np.zeros(8 * N + 5, np.uint8)}
TEXT = Task("text", spec.text(256, 8), TEXT, TEXT, TEXT, content_hash="x")


def read(task, sample, first=0, n=N, seed=3):
    return order.places(task, seed, first, n, 1, sample).ravel()


def test_a_bag_is_a_bootstrap_sample_that_every_epoch_reads_whole():
    one, again = read(TASK, Sample(bag=5)), read(TASK, Sample(bag=5), first=N)
    np.testing.assert_array_equal(np.sort(one), np.sort(again))
    assert (one != again).any()
    counts = np.bincount(one, minlength=N)
    # multinomial: (1 - 1/n)^n is left out, and counts are Poisson's but for a term in 1 / n
    assert abs((counts > 0).mean() - (1 - (1 - 1 / N) ** N)) < 3 * np.sqrt(0.1 / N)
    expected = N * stats.poisson.pmf(np.arange(5), 1)
    seen = np.bincount(np.minimum(counts, 4), minlength=5)
    expected[4] += N - expected.sum()
    assert stats.chisquare(seen, expected).pvalue > 1e-3
    assert set(read(TASK, Sample(bag=6)).tolist()) != set(one.tolist())
    assert samples.size(TASK, Sample(bag=5)) == (counts > 0).sum()


def test_any_part_of_a_run_is_read_alike():
    whole = order.places(TASK, 3, 0, 300, 4, Sample(bag=5))
    np.testing.assert_array_equal(order.places(TASK, 3, 120, 50, 4, Sample(bag=5)), whole[120:170])
    np.testing.assert_array_equal(order.places(TASK, 3, 0, 300, 4), order.places(TASK, 3, 0, 300, 4, Sample()))


def test_of_a_text_windows_are_drawn_and_stay_on_their_grid():
    n = batches.windows_per_epoch(8 * N + 5, 8)
    plain, one, again = (
        read(TEXT, s, first, n) for s, first in ((Sample(), 0), (Sample(bag=5), 0), (Sample(bag=5), n))
    )
    assert len(set(plain.tolist())) == n
    offset = plain.min()
    assert set(one.tolist()) <= set(plain.tolist())
    windows = [np.sort((starts - starts.min() % 8) // 8) for starts in (one, again)]
    np.testing.assert_array_equal(*windows)
    assert len(set(one.tolist())) * 8 == samples.size(TEXT, Sample(bag=5)) < 0.7 * 8 * n
    assert offset < 8


def test_parts_are_equal_apart_and_together_the_whole():
    left = [set(range(N)) - set(read(TASK, Sample(folds=4, fold=fold)).tolist()) for fold in range(4)]
    assert [len(part) for part in left] == [N // 4] * 4
    assert set().union(*left) == set(range(N))
    assert [samples.size(TASK, Sample(folds=4, fold=0)), samples.size(TASK, Sample())] == [N - N // 4, N]
    parts = samples.parts(TASK, 4)
    assert all(set(np.flatnonzero(parts == fold).tolist()) == left[fold] for fold in range(4))
    assert abs(np.corrcoef(np.arange(N), parts)[0, 1]) < 0.15  # not by their order


def test_equal_examples_are_in_one_part():
    inputs = np.arange(60, dtype=np.float32).reshape(30, 2)[np.r_[0:30, 0:30]]
    parts = samples.parts(table(inputs), 3)
    np.testing.assert_array_equal(parts[:30], parts[30:])


@pytest.mark.parametrize("task, targets", [(TASK, 1), (TEXT, 8)])
def test_a_few_examples_are_read_whole_in_every_epoch_and_nest(task, targets):
    begun = ((0, 3), (50, 3), (0, 9))
    epochs = [read(task, Sample(unique=50), first, 50, seed).tolist() for first, seed in begun]
    assert len({tuple(epoch) for epoch in epochs}) == 3  # each in an order of its own
    few = set(epochs[0])
    assert [sorted(epoch) for epoch in epochs] == [sorted(few)] * 3
    assert len(few) == 50
    assert few < set(read(task, Sample(unique=51), n=51).tolist())
    assert all(start % targets == 0 for start in few)  # no offset: the same tokens, not those around them
    assert samples.size(task, Sample(unique=50)) == 50 * targets
    places = np.sort(np.array(list(few)))
    assert abs(places.mean() / (N * targets) - 0.5) < 4 / np.sqrt(12 * 50)  # from all over the split


def test_any_part_of_repeated_reading_is_read_alike():
    for task in (TASK, TEXT):
        whole = order.places(task, 3, 0, 60, 4, Sample(unique=50))
        np.testing.assert_array_equal(order.places(task, 3, 17, 20, 4, Sample(unique=50)), whole[17:37])


def test_all_windows_of_a_text_may_be_the_few():
    n = batches.windows_per_epoch(8 * N + 5, 8)
    starts = read(TEXT, Sample(unique=n), n=n)
    assert sorted(starts.tolist()) == list(range(0, 8 * n, 8))
    with pytest.raises(ValueError, match=f"few: {n + 1}; allowed: at most {n}"):
        read(TEXT, Sample(unique=n + 1), n=1)


@pytest.mark.parametrize("form, kind", [(spec.text(256, 8), "windows"), (TASK.spec, "examples")])
def test_more_than_there_are_is_one_line(form, kind):
    most = batches.windows_per_epoch(N, 8) if kind == "windows" else N
    samples.check(run_of(unique_examples=most), form, N)
    said = f"train.unique_examples: {most + 1}; allowed: at most {most}, the {kind} of the train split, or 0 for all"
    with pytest.raises(ConfigError, match=re.escape(said)):
        samples.check(run_of(unique_examples=most + 1), form, N)


def run_of(**changes):
    return replace(RunConfig(), {f"train.{name}": value for name, value in changes.items()})


def test_a_sample_is_a_runs_identity_and_not_its_program():
    runs = [run_of(), run_of(bag=1), run_of(bag=2), run_of(folds=3), run_of(folds=3, fold=1), run_of(unique_examples=9)]
    assert len({identity(run, "x") for run in runs}) == 6
    assert len({form(run) for run in runs}) == 1
    assert [catalog.of(run) for run in runs[:4]] == [("none", 0.0), ("bag", 1.0), ("bag", 1.0), ("none", 0.0)]
    assert catalog.of(runs[-1]) == ("none", 0.0)


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"folds": 1}, "train.fold: 0 of 1; allowed: 0 without train.folds"),
        ({"folds": 3, "fold": 3}, "train.fold: 3 of 3; allowed: 0 to 2"),
        ({"fold": 1}, "train.fold: 1 of 0; allowed: 0 without train.folds"),
        ({"folds": 3, "bag": 1}, "train.bag: 1; allowed: 0 with train.folds"),
        ({"unique_examples": 99, "bag": 1}, "train.unique_examples: 99; allowed: 0 with train.bag or train.folds"),
        ({"unique_examples": 99, "folds": 2}, "train.unique_examples: 99; allowed: 0 with train.bag or train.folds"),
        ({"unique_examples": 15}, "train.unique_examples: 15; allowed: train.batch_size = 16 or more, or 0 for all"),
    ],
)
def test_samples_that_are_none_are_refused(changes, line):
    with pytest.raises(ConfigError, match=re.escape(line)):
        validation.validate_run(run_of(**changes))


def test_streams_have_no_bags_and_texts_no_parts():
    stream = Spec("index", (), 4, sizes=(9,), source="stream", stream="zipf")
    memoriser = replace(run_of(bag=1), {"model.family": "memoriser"})
    with pytest.raises(ConfigError, match=r"train\.bag: 1; allowed: 0 with a stream"):
        validation.check_task(memoriser, stream)
    few = replace(memoriser, {"train.bag": 0, "train.unique_examples": 99})
    with pytest.raises(ConfigError, match=r"train\.unique_examples: 99; allowed: 0 with a stream"):
        validation.check_task(few, stream)
    with pytest.raises(ConfigError, match=r"train\.folds: 3; allowed: 0 where no table"):
        validation.check_task(run_of(folds=3), spec.text(256, 128))
