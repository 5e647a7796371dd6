"""A search as a whole: what it refuses, its rungs, and what a row counts as."""

import dataclasses
import math

import pytest

from scaling_laws import config, spec
from scaling_laws.config import ConfigError
from scaling_laws.search.space import Axis, Space


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"trials": 0}, "--trials: 0; allowed: 1 to"),
        ({"seeds": ()}, "--seeds: none"),
        ({"seeds": (1, 1)}, "--seeds: none, or one twice"),
        ({"seeds": (-1,)}, "train.seed: -1; allowed: whole number, 0 to"),
        ({"folds": 1}, "task.folds: 1; allowed: 0 for none, 2 or more"),
        ({"folds": 2000}, "task.folds: 2000; allowed: whole number, 0 to 1000"),
        ({"sampler": "grid", "space": "optimizer.learning_rate=log:1e-3:1"}, "is a range; allowed in a grid"),
        ({"eta": 2}, "--halving: without --rungs"),
        ({"rungs": 2}, "--halving: without --rungs"),
        ({"eta": 1, "rungs": 2}, "allowed: both 2 or more"),
        ({"eta": -2, "rungs": 2}, "allowed: both 2 or more"),
        ({"eta": 2, "rungs": 0}, "allowed: both 2 or more"),
        ({"eta": 2, "rungs": 7}, "--rungs: 7; allowed: so many that train.steps is 2 or more"),
        ({"eta": 2, "rungs": 2, "space": "train.steps=int:10:20"}, "train.steps: --halving decides it"),
    ],
)
def test_what_makes_no_search(make, fields, said):
    with pytest.raises(ConfigError) as caught:
        make(**fields).check()
    assert said in str(caught.value)


def test_rungs_shrink_by_the_factor(make):
    search = make(trials=20, eta=3, rungs=3)
    search.check()
    assert [search.steps(rung) for rung in range(3)] == [7, 21, 64]
    assert [search.places(rung) for rung in range(3)] == [20, 6, 2]
    assert make(trials=2, eta=3, rungs=3).places(2) == 1
    assert [make().steps(0), make().places(0)] == [64, 6]


def test_a_grid_is_no_wider_than_its_space(make):
    assert [make(sampler="grid", trials=trials).width for trials in (5, 8, 100)] == [5, 8, 8]


@pytest.mark.parametrize(
    "status, loss, expected",
    [
        ("finished", 2.0, 2.0),
        ("finished", 7.0, math.log(256)),
        ("diverged", None, math.log(256)),
        ("spiked", 2.0, math.log(256)),
    ],
)
def test_what_a_row_counts_as(make, status, loss, expected):
    assert make().objective({"status": status, "loss": loss, "vocab_size": 256}) == expected


def test_bits_per_byte_where_tokens_are_no_unit(make):
    search = dataclasses.replace(make(), space=Space((Axis("task.vocab_size", (512, 1024)),)))
    row = {"status": "finished", "loss": 5.0, "bits_per_byte": 2.5, "vocab_size": 512}
    assert (make().column, search.column) == ("loss", "bits_per_byte")
    assert search.objective(row) == 2.5
    assert search.objective(row | {"bits_per_byte": 11.0}) == search.objective(row | {"status": "diverged"}) == 8.0


@pytest.mark.parametrize(
    "row, seen, expected",
    [
        ({"status": "finished", "loss": 7.0}, (), 7.0),  # worse than the mean alone, and still told apart from 8
        ({"status": "finished", "loss": 1e-5}, (3.0,), 1e-5),
        ({"status": "diverged", "loss": None, "good_loss": None}, (), 1.0),
        ({"status": "diverged", "loss": None, "good_loss": 0.2}, (0.1, 0.4), 1.0),
        ({"status": "diverged", "loss": None, "good_loss": 0.2}, (0.1, 7.0), 7.0),
        ({"status": "diverged", "loss": None, "good_loss": 18.0}, (), 1.0),  # on its way up: no measure of guessing
    ],
)
def test_what_a_squared_error_counts_as(make, row, seen, expected):
    search = make()
    assert search.objective(row | {"loss_kind": "squared_error", "vocab_size": 1}, seen) == expected


def test_the_scale_of_targets_as_they_came_is_that_of_the_losses(make):
    search = make()
    search = dataclasses.replace(search, base=config.replace(search.base, {"task.standardise": False}))
    gone = {"status": "diverged", "loss": None, "good_loss": 900.0, "loss_kind": "squared_error", "vocab_size": 1}
    assert [search.objective(gone, seen) for seen in ((), (5e4,))] == [900.0, 5e4]
    assert search.objective(gone | {"status": "spiked", "loss": 1200.0}) == 1200.0
    assert search.objective(gone | {"good_loss": None}) == 1.0


def test_classes_are_guessed_like_tokens(make):
    row = {"status": "diverged", "loss": None, "loss_kind": "cross_entropy", "vocab_size": 10, "good_loss": 4.0}
    assert make().objective(row, (5.0,)) == math.log(10)


def test_the_unit_is_that_of_the_task(make):
    plain, words = make(), dataclasses.replace(make(), space=Space((Axis("task.vocab_size", (512, 1024)),)))
    assert (plain.unit(spec.text(256, 16)), words.unit(spec.text(256, 16))) == ("nats/token", "bits/byte")
    assert plain.unit(spec.Spec("vector", (4,), 1, "squared_error")) == "squared error"
    labelled = dataclasses.replace(words, base=config.replace(words.base, {"task.name": "labelled_text"}))
    assert labelled.column == "loss"
    assert labelled.unit(spec.Spec("tokens", (64,), 4, sizes=(512,))) == "nats/example"
