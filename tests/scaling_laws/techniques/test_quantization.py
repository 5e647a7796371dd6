"""Settings of rounding: what a row says of them, what is refused, and the bytes of what is stored."""

import pytest

from scaling_laws import spec, validation
from scaling_laws.config import ConfigError, QuantizeConfig, RunConfig, form, identity, non_defaults, replace
from scaling_laws.hyper import hyperparameters
from scaling_laws.techniques import catalog, stored


def run(**changes):
    """`changes` of `quantize`, and __ for a dot elsewhere."""
    return replace(RunConfig(), {k.replace("__", ".") if "__" in k else f"quantize.{k}": v for k, v in changes.items()})


def test_a_row_names_what_is_rounded_and_one_over_its_bits():
    assert catalog.of(run()) == ("none", 0.0)
    assert catalog.of(run(weight_bits=4)) == ("quantize_weights", 0.25)
    assert catalog.of(run(activation_bits=8, when="after")) == ("quantize_activations_after", 0.125)
    both = catalog.of(run(weight_bits=2, activation_bits=8, regularise__dropout=0.5))
    assert both == ("dropout+quantize_weights+quantize_activations", 1.125)


def test_what_nothing_reads_is_no_part_of_the_identity():
    baseline = identity(RunConfig(), "corpus")
    assert identity(run(granularity="group", group=8, ends=True, when="after"), "corpus") == baseline
    assert non_defaults(run(activation_bits=4, granularity="tensor", group=8, ends=True)).keys() - non_defaults(
        RunConfig()
    ).keys() == {"quantize.activation_bits", "quantize.ends"}
    assert identity(run(weight_bits=4, group=8), "corpus") == identity(run(weight_bits=4), "corpus") != baseline
    grouped = [identity(run(weight_bits=4, granularity="group", group=size), "corpus") for size in (8, 32)]
    assert len({*grouped, identity(run(weight_bits=4), "corpus")}) == 3


def test_runs_of_any_bits_share_a_program_and_those_without_have_the_baselines():
    assert form(run(weight_bits=2)) == form(run(weight_bits=8)) != form(run(activation_bits=8))
    assert form(run(granularity="group", when="after")) == form(RunConfig()) != form(run(weight_bits=2))
    numbers = hyperparameters(run(weight_bits=4))
    assert (numbers["quantize.weight_steps"], numbers["quantize.activation_steps"]) == (7.5, 0.0)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"weight_bits": 1}, ["quantize.weight_bits: 1", "allowed: 0 or 2 to 8"]),
        ({"activation_bits": 16}, ["quantize.activation_bits: 16"]),
        ({"granularity": "row"}, ["quantize.granularity: 'row'", "tensor, channel, group"]),
        ({"weight_bits": 4, "model__family": "mlp", "model__depth": 1}, ["weight_bits: 4", "ends=true", "mlp"]),
        ({"activation_bits": 4, "model__family": "memoriser", "model__depth": 1}, ["activation_bits: 4", "memoriser"]),
    ],
)
def test_what_cannot_be_is_refused(changes, words):
    with pytest.raises(ConfigError) as refusal:
        validation.validate_run(run(**changes))
    assert all(word in str(refusal.value) for word in words)


def test_where_nothing_is_multiplied_nothing_is_rounded_there():
    table = run(activation_bits=4, ends=True, model__family="memoriser", model__depth=1, model__width=4)
    with pytest.raises(ConfigError, match="activation_bits: 4; allowed: 0 with"):
        catalog.check_task(table, spec.Spec("index", (), 1, loss="squared_error", source="stream"))


SHAPES = {"embedding": (256, 16), "head": (16, 256), "final_norm/scale": (16,), "block_0/mlp/up": (16, 40)}


@pytest.mark.parametrize(
    "settings, rounded, scales",
    [
        ({"weight_bits": 8}, 640, 40),
        ({"weight_bits": 3}, 240, 40),
        ({"weight_bits": 4, "granularity": "tensor"}, 320, 1),
        ({"weight_bits": 4, "granularity": "group", "group": 10}, 320, 2 * 40),
        ({"weight_bits": 4, "ends": True}, 320 + 2 * 2048, 40 + 256 + 256),
    ],
)
def test_the_bytes_of_a_stored_model(settings, rounded, scales):
    """Rows of the embedding have a scale each, columns of other matrices."""
    rest = 16 + (0 if settings.get("ends") else 2 * 256 * 16)
    assert stored.model_bytes(QuantizeConfig(**settings), SHAPES) == rounded + 4 * scales + 4 * rest
    assert stored.model_bytes(QuantizeConfig(activation_bits=8), SHAPES) is None
