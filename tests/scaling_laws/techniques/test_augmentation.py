"""Which tasks can be augmented, what runs share a program, and what their rows say."""

import re

import pytest

from scaling_laws import config, spec, validation
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.techniques import augmentation, catalog

PICTURES = Spec("image", (8, 6, 1), 3)
VECTORS = Spec("vector", (5,), 1, "squared_error")
POINTS = Spec("vector", (5,), 1, "squared_error", source="stream", stream="manifold")
PAIRS = Spec("pair", (2,), 1, "squared_error", sizes=(4, 4))
TAKEN = [(PICTURES, {"crop": 5, "flip": True, "noise": 0.1, "mixup": 0.2}), (VECTORS, {"noise": 0.1, "mixup": 0.2})]


def run(**augment):
    return replace(RunConfig(), {f"augment.{name}": value for name, value in augment.items()})


@pytest.mark.parametrize("spec, augment", TAKEN)
def test_what_a_task_takes(spec, augment):
    augmentation.check(run(**augment).augment, spec)


@pytest.mark.parametrize(
    "spec, augment, said",
    [
        (VECTORS, {"crop": 1}, "augment.crop: 1; allowed: 0 where the examples are no pictures"),
        (VECTORS, {"flip": True}, "augment.flip: True; allowed: False where the examples are no pictures"),
        (spec.text(256, 16), {"noise": 0.5}, "augment.noise: 0.5; allowed: 0.0 where"),
        (PAIRS, {"mixup": 0.2}, "augment.mixup: 0.2; allowed: 0.0 where"),
        (POINTS, {"noise": 0.5}, "augment.noise: 0.5; allowed: 0.0 where the examples are no vectors or pictures of a"),
        (PICTURES, {"crop": 6}, "augment.crop: 6; allowed: at most 5 in pictures of 8 x 6"),
    ],
)
def test_what_a_task_does_not_take_is_refused(spec, augment, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        augmentation.check(run(**augment).augment, spec)


def test_a_run_is_checked_before_it_is_trained():
    changes = {"model.family": "mlp", "augment.flip": True}
    with pytest.raises(ConfigError, match=r"^augment\.flip: True"):
        validation.check_task(replace(RunConfig(), changes), VECTORS)
    sounds = {"model.family": "mlp", "augment.flip": True, "task.name": "audio"}
    with pytest.raises(ConfigError, match=r"^augment\.flip: True; allowed: False with task\.name=audio"):
        validation.check_task(replace(RunConfig(), sounds), PICTURES)


def test_runs_that_differ_in_numbers_alone_share_a_program():
    assert config.form(run(noise=0.1, mixup=0.2, crop=1)) == config.form(run(noise=2, mixup=1.0, crop=1))
    forms = {config.form(run(**augment)) for augment in ({}, {"noise": 0.1}, {"mixup": 0.1}, {"crop": 1}, {"crop": 2})}
    assert len(forms) == 5


@pytest.mark.parametrize(
    "augment, expected",
    [
        ({}, ("none", 0.0)),
        ({"crop": 2}, ("crop", 2.0)),
        ({"flip": True}, ("flip", 1.0)),
        ({"noise": 0.3}, ("noise", 0.3)),
        ({"mixup": 0.2, "crop": 2}, ("crop+mixup", 2.2)),
    ],
)
def test_technique_and_strength(augment, expected):
    name, strength = catalog.of(run(**augment))
    assert (name, strength) == (expected[0], pytest.approx(expected[1]))


def test_neutral_settings_are_no_part_of_the_identity():
    assert config.identity(run(crop=0, flip=False, noise=0, mixup=0.0), "x") == config.identity(RunConfig(), "x")
    assert config.identity(run(crop=1), "x") != config.identity(RunConfig(), "x")
