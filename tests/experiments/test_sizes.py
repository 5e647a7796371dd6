"""Which sizes, axes and parametrisations the flags ask for."""

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import cli, sizes
from scaling_laws.config import ConfigError, RunConfig, replace


@pytest.fixture(autouse=True)
def parsed():
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])


def run_of(**changes):
    return replace(RunConfig(), {name.replace("__", "."): value for name, value in changes.items()})


def shapes_of(config, axis, growth=(1, 2, 4)):
    return [(one.model.width, one.model.depth) for one in sizes.shapes(config, axis, growth)]


def widths():
    return shapes_of(RunConfig(), "width")


def test_sizes_are_multiples_of_the_base_shape():
    config = run_of(train__base_width=16, train__base_depth=3, model__width=48, model__depth=6)
    assert shapes_of(config, "width") == [(16, 6), (32, 6), (64, 6)]
    assert shapes_of(config, "depth") == [(48, 3), (48, 6), (48, 12)]


def test_without_a_base_the_models_own_shape_counts_and_without_a_shape_the_base():
    without = run_of(model__width=24, model__depth=2, train__base_width=0, train__base_depth=0)
    assert shapes_of(without, "width") == [(24, 2), (48, 2), (96, 2)]
    config = run_of(train__base_width=16, train__base_depth=3, model__width=0, model__depth=0)
    assert shapes_of(config, "width") == [(16, 3), (32, 3), (64, 3)]
    assert shapes_of(config, "depth") == [(16, 3), (16, 6), (16, 12)]


@flagsaver.flagsaver(widths=["64", "8", "64"], depths=["3"])
def test_sizes_given_are_taken_once_each_and_ascending():
    config = run_of(train__base_width=16, model__depth=2)
    assert shapes_of(config, "width") == [(8, 2), (64, 2)]
    assert shapes_of(config, "depth") == [(64, 3)]


def test_all_else_stays():
    config = run_of(train__steps=77, optimizer__name="sgd")
    for one in sizes.shapes(config, "width", (2,)):
        assert one == replace(config, {"model.width": 128})


def test_axes_and_parametrisations():
    assert sizes.axes() == ["width", "depth"]
    assert sizes.parametrizations(run_of(train__parametrization="mup")) == ["mup"]
    with flagsaver.flagsaver(axes=["depth", "depth"], beside=["standard", "mup"]):
        assert sizes.axes() == ["depth"]
        assert sizes.parametrizations(run_of(train__parametrization="mup")) == ["mup", "standard"]


@pytest.mark.parametrize(
    "given, asked, line",
    [
        ({"axes": ["widht"]}, sizes.axes, "--axes: 'widht'; allowed: width, depth"),
        ({"axes": []}, sizes.axes, "--axes: none; allowed: width, depth"),
        ({"widths": ["8", "x"]}, widths, "--widths: '8,x'; allowed: whole numbers separated by commas"),
        ({"widths": ["1.5"]}, widths, "--widths: '1.5'; allowed: whole numbers"),
        ({"widths": [""]}, widths, "--widths: ''; allowed: whole numbers"),
    ],
)
def test_what_is_refused(given, asked, line):
    with flagsaver.flagsaver(**given), pytest.raises(ConfigError) as error:
        asked()
    assert str(error.value).startswith(line)


def test_no_number_is_refused():
    with pytest.raises(ConfigError, match="--seeds: ''; allowed: whole numbers"):
        cli.whole_numbers("--seeds", [])
