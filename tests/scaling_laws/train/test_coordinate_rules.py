"""The coordinate check of the parametrisations, and rule by rule that it would fail without the rule.

A rule is judged where its tensors act directly, while they alone learn (`coordinates.isolated`): what follows hears of
other rules too, and the logits' change under a head that rests falls as m^-1/2, for the head is random. So the head is
drawn small here: at a size of 1, and rates as low as these, that part would rule the first ten steps.
"""

import dataclasses

import coordinate_checks
import pytest
from coordinate_checks import assert_only_the_rule_keeps, slopes

from scaling_laws import parametrization
from scaling_laws.config import RunConfig, replace
from scaling_laws.parametrization import Scheme

SEEDS = {"head_norm": range(12)}  # its gradient is a few random numbers: with 6 seeds a slope is sure within .07
SETTINGS = {
    "model.width": 32,
    "model.depth": 2,
    "model.head_dim": 8,
    "model.qk_norm": True,
    "model.positions": "learned",
    "model.head_init": "small",
    "task.context": 16,
    "train.batch_size": 8,
    "train.parametrization": "completep",
    "train.base_width": 32,
    "train.base_depth": 2,
    "optimizer.clip_norm": 0.0,
}
SIZES = {"width": (32, 256), "depth": (4, 32)}
LARGE = (64, 512)  # where the chance overlap of 32 random numbers would count
FIXED_HEADS = {"model.n_heads": 4, "model.qk_norm": False}
TIED = {"model.tie_embeddings": True, "train.base_width": 8}  # at the base width its logits are large
SGD = {"optimizer.name": "sgd", "optimizer.learning_rate": 0.1}
ADAM = {"optimizer.learning_rate": 3e-3}
FAN_IN = {"model.head_init": "fan_in"}
EPSILON = {"optimizer.learning_rate": 0.03, "optimizer.epsilon": 1.0}


def check(task, axis, changes, sizes=None, alone="", swapped=()):
    """The check of the small transformer, over SIZES where none are given."""
    seeds = SEEDS.get(alone, range(3))
    return coordinate_checks.check(task, axis, sizes or SIZES[axis], SETTINGS | changes, seeds, alone, swapped)


OVER_DEPTH = {"model.width": 64, "train.base_width": 64, "train.base_depth": 4}
PASSING = [
    pytest.param("width", "mup", ADAM, SIZES["width"], id="width mup adamw"),
    *(
        pytest.param(*case, marks=pytest.mark.slow, id=" ".join((*case[:2], case[2].get("optimizer.name", "adamw"))))
        for case in (
            ("width", "completep", ADAM, LARGE),
            ("width", "mup", SGD, LARGE),
            ("width", "completep", SGD, LARGE),
            ("depth", "completep", {"optimizer.learning_rate": 1e-3} | OVER_DEPTH, None),
            ("depth", "completep", SGD | OVER_DEPTH, None),
        )
    ),
]


@pytest.mark.parametrize("axis, name, settings, sizes", PASSING)
def test_every_layer_keeps_its_size_and_standards_do_not(task, axis, name, settings, sizes):
    found = check(task, axis, settings | {"train.parametrization": name}, sizes)
    assert found.passed, slopes(found)
    standard = check(task, axis, settings | {"train.parametrization": "standard"}, sizes)
    assert not standard.passed, slopes(standard)


# (axis, optimiser, row, field): the role that learns alone ("" for all), the layer judged, settings and sizes.
FIRST, LAST, BEGINNING = "block_0/attention_out", "logits", "attention at 0 depth"
DIRECT = {
    "embedding": "embedded",
    "position": "embedded",
    "hidden": FIRST,
    "branch_output": "block_0/mlp_out",
    "norm": FIRST,
    "head_norm": FIRST,
    "final_norm": "normalised",
    "head": LAST,
}
AT_DEPTH = {"hidden": BEGINNING, "branch_output": "mlp at 0 depth", "norm": BEGINNING, "head_norm": BEGINNING}
OF_LARGE = ("head", "head_norm")


def of_width(optimizer, row, field, settings, layer=""):
    sizes = LARGE if row in OF_LARGE else None
    return ("width", optimizer, row, field), (row, layer or DIRECT[row], settings, sizes)


def of_depth(optimizer, row, field, settings):
    return ("depth", optimizer, row, field), (row, AT_DEPTH[row], settings | OVER_DEPTH, None)


CASES = dict(
    [
        *(of_width("sgd", row, "learning_rate", SGD) for row in DIRECT if row not in ("hidden", "branch_output")),
        *(of_width("adamw", row, "learning_rate", ADAM) for row in ("hidden", "branch_output")),
        *(of_width("adamw", row, "epsilon", EPSILON) for row in DIRECT),
        *(
            of_width("adamw", row, "weight_decay", ADAM | {"optimizer.weight_decay": 30.0}, FIRST)
            for row in ("hidden", "branch_output")
        ),
        *(
            of_width("sgd", row, "weight_decay", SGD | {"optimizer.weight_decay": 3.0})
            for row in ("embedding", "position")
        ),
        of_width("sgd", "head", "weight_decay", SGD | {"optimizer.weight_decay": 1.0}),
        *(of_depth("sgd", row, "learning_rate", SGD) for row in AT_DEPTH),
        *(of_depth("adamw", row, "epsilon", EPSILON) for row in AT_DEPTH),
        *(
            of_depth("sgd", row, "weight_decay", SGD | {"optimizer.weight_decay": 3.0})
            for row in ("hidden", "branch_output")
        ),
        # what branches put out changes with what they read, and as much as their last matrix is drawn large
        (("depth", "", "branch_output", "scale"), ("hidden", BEGINNING, ADAM | OVER_DEPTH, None)),
        (("depth", "", "forward", "residual"), ("", "stream at 1 depth", ADAM | OVER_DEPTH, None)),
        (("width", "", "forward", "logits"), ("", LAST, ADAM, None)),
        (("width", "", "head", "scale"), ("embedding", "embedded", SGD | FAN_IN, None)),  # gradients are as large as it
        (("width", "", "forward", "attention"), ("", FIRST, ADAM | FIXED_HEADS, LARGE)),
        (("width", "", "embedding", "scale"), ("", FIRST, ADAM | TIED, None)),
        (("width", "", "forward", "embedding"), ("", "embedded", ADAM | TIED, None)),
    ]
)
QUICK = [("width", "adamw", "hidden", "learning_rate"), ("width", "sgd", "embedding", "learning_rate")]


def slow_but(quick, keys):
    return [pytest.param(key, marks=[] if key in quick else pytest.mark.slow, id=" ".join(key)) for key in keys]


@pytest.mark.parametrize("key", slow_but(QUICK, CASES))
def test_without_the_rule_the_check_fails(task, key):
    axis, _, row, field = key
    alone, layer, settings, sizes = CASES[key]
    assert_only_the_rule_keeps(
        layer, (row, field), task, axis, sizes or SIZES[axis], SETTINGS | settings, SEEDS.get(alone, range(3)), alone
    )


def differing(axis, changes):
    """(row, field) of the numbers of CompleteP's table that are not standard's, at the larger size."""
    own = {f"model.{axis}": SIZES[axis][1]} | (OVER_DEPTH if axis == "depth" else {})
    run = replace(RunConfig(), SETTINGS | changes | own)
    ours, theirs = (parametrization.rules(scheme, run.model) for scheme in (Scheme.of(run), Scheme()))
    return {
        (row.name, field.name)
        for row in dataclasses.fields(ours)
        if row.name in (*DIRECT, "forward")  # what a transformer has
        for field in dataclasses.fields(getattr(ours, row.name))
        if getattr(getattr(ours, row.name), field.name)
        != pytest.approx(getattr(getattr(theirs, row.name), field.name), rel=1e-9)
    }


@pytest.mark.parametrize("axis", SIZES)
@pytest.mark.parametrize("optimizer, reads", [("adamw", {"learning_rate", "weight_decay", "epsilon"}),
                                              ("sgd", {"learning_rate", "weight_decay"})])  # fmt: skip
def test_no_rule_is_left_out(axis, optimizer, reads):
    models = ({}, FIXED_HEADS, TIED, FAN_IN) if axis == "width" else ({},)
    found = set().union(*(differing(axis, {"optimizer.name": optimizer} | model) for model in models))
    of_updates = {(row, field) for row, field in found if field in reads}
    elsewhere = {(row, field) for row, field in found if field not in {"learning_rate", "weight_decay", "epsilon"}}
    tried = {key[2:] for key in CASES if key[:2] == (axis, optimizer)}
    assert of_updates == tried
    assert elsewhere == {key[2:] for key in CASES if key[:2] == (axis, "")}


def test_over_width_both_parametrizations_are_one_table():
    changes = SETTINGS | {"model.width": 256}
    runs = (replace(RunConfig(), changes | {"train.parametrization": name}) for name in ("mup", "completep"))
    mup, completep = (parametrization.rules(Scheme.of(run), run.model) for run in runs)
    assert mup == completep
