"""The unit of a loss by task, and how losses are written: no digit of a text's or of a tiny loss is lost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_laws import spec
from scaling_laws.units import Units, loss_text, of_row, reached, units_of


@pytest.mark.parametrize(
    "form, loss, data",
    [
        (spec.text(256, 128), "nats/token", "tokens"),
        (spec.Spec("vector", (4,), 3), "nats/example", "examples"),
        (spec.Spec("vector", (4,), 1, "squared_error"), "squared error", "examples"),
    ],
)
def test_units_follow_from_the_task(form, loss, data):
    assert units_of(form.loss, form.targets) == Units(loss, data)
    assert of_row({"loss_kind": form.loss, "context": form.targets}) == Units(loss, data)


@pytest.mark.parametrize("targets", [None, math.nan, 0])
def test_what_a_stranger_does_not_say_is_text(targets):
    assert units_of(None, targets) == units_of("cross_entropy", targets) == Units("nats/token", "tokens")
    assert of_row({}) == Units()


@pytest.mark.parametrize(
    "value, text",
    [(1.62714, "1.6271"), (0.01, "0.0100"), (0.009, "0.009000"), (1.23456e-5, "1.235e-05"), (123456.0, "1.235e+05"),
     (math.inf, "inf"), (0.0, "0.000")],
)  # fmt: skip
def test_losses_as_they_are_written(value, text):
    assert loss_text(value) == text


@given(st.floats(1e-300, 1e300))
def test_a_written_loss_is_the_loss_to_three_digits_or_four_decimals(value):
    assert abs(float(loss_text(value)) - value) <= max(5.1e-4 * value, 5.1e-5 if 0.01 <= value < 1e4 else 0)


def test_an_error_has_the_form_of_its_loss():
    assert loss_text(0.00213, like=1.6) == "0.0021"
    assert loss_text(2.134e-7, like=1.2e-5) == "2.134e-07"


def test_what_a_run_reached():
    text = {"loss": 2.5, "loss_se": 0.004, "bits_per_byte": 3.6067, "context": 128, "loss_kind": "cross_entropy"}
    assert reached(text) == "loss 2.5000 ± 0.0040 nats/token, 3.6067 bits/byte"
    classes = {"loss": 0.25, "loss_se": 0.02, "bits_per_byte": None, "context": 1, "accuracy": 0.9125}
    assert reached(classes) == "loss 0.2500 ± 0.0200 nats/example, accuracy 0.9125"
    numbers = {
        "loss": 1.5e-5,
        "loss_se": 2e-7,
        "loss_kind": "squared_error",
        "context": 1,
        "r2": 0.999,
        "accuracy": None,
    }
    assert reached(numbers) == "loss 1.500e-05 ± 2.000e-07 squared error, r2 0.9990"
    assert reached({"loss": 2.0}) == "loss 2.0000 nats/token"
