"""Which models and tasks can be regularised how, what runs share a program, and what their rows say."""

import re

import pytest

from scaling_laws import config, spec, validation
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.techniques import catalog

CLASSES, NUMBERS = Spec("vector", (5,), 3), Spec("vector", (5,), 1, "squared_error")
POINTS = Spec("vector", (5,), 1, "squared_error", source="stream", stream="manifold")


def run(**changes):
    return replace(RunConfig(), {name.replace("__", "."): value for name, value in changes.items()})


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"model__family": "mlp", "model__depth": 0}, "regularise.dropout: 0.1; allowed: 0 with model.family=mlp of"),
        ({"model__family": "recommender", "model__depth": 0}, "allowed: 0 with model.family=recommender of depth 0"),
        ({"model__family": "features", "model__depth": 1}, "which has no hidden layer or branch"),
    ],
)
def test_a_model_without_anything_to_drop_is_refused(changes, said):
    own = run(train__parametrization="standard", regularise__dropout=0.1, **changes)
    with pytest.raises(ConfigError, match=re.escape(said)):
        validation.validate_run(own)
    validation.validate_run(replace(own, {"regularise.dropout": 0.0, "regularise.l2": 0.1}))


@pytest.mark.parametrize(
    "changes, examples, said",
    [
        ({"regularise__label_smoothing": 0.1}, NUMBERS, "regularise.label_smoothing: 0.1; allowed: 0 where a number"),
        ({"regularise__patience": 3}, POINTS, "regularise.patience: 3; allowed: 0 with a stream"),
    ],
)
def test_a_task_that_cannot_be_regularised_so_is_refused(changes, examples, said):
    own = run(model__family="mlp", **changes)
    with pytest.raises(ConfigError, match=re.escape(said)):
        validation.check_task(own, examples)
    validation.check_task(own, CLASSES)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, ("none", 0.0)),
        ({"regularise__dropout": 0.2}, ("dropout", 0.2)),
        ({"regularise__patience": 4}, ("early_stopping", 0.25)),
        ({"augment__crop": 1, "regularise__l1": 0.5}, ("crop+l1", 1.5)),
    ],
)
def test_technique_and_strength(changes, expected):
    assert catalog.of(run(**changes)) == expected


def test_neutral_settings_leave_identities_as_they_were():
    assert not {path for path in config.non_defaults(run()) if path.startswith("regularise.")}
    assert config.identity(run(regularise__l2=0.1), "feed") != config.identity(run(), "feed")


def test_runs_of_unlike_strengths_share_a_form_and_others_do_not():
    strong, weak = run(regularise__dropout=0.5, regularise__patience=3), run(regularise__dropout=0.1)
    assert config.form(strong) == config.form(weak) != config.form(run())
    validation.check_task(run(regularise__label_smoothing=0.1), spec.text(256, 128))
