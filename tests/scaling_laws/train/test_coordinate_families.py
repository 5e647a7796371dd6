"""The coordinate check of the families of examples, and of the rules that they have beside the transformer's.

As in `test_coordinate_rules` the head is drawn small. Sizes are such that what falls as the root of the width, or of
the number of branches that add up, no longer rules the first ten steps: over depth from eight times the base on, for a
stack of ReLUs without a norm grows by its own random sum at the base; and for matrix factorisation, where a pair that
was not trained on hears of the others by the chance overlap of their vectors at first, from width 512 on (slope -.11 ±
.003 from 64 to 512, -.02 from 512 to 4096). Places that change their expert are such random numbers too, one block's
no others': over depth the stream of a mixture of experts had -.13 ± .007 from 4 to 32 blocks and -.03 ± .04 from 16 to
64; over width SGD's few first steps tell nothing (.2 ± .2, four seeds), but the router alone does.
"""

import pytest
from coordinate_checks import assert_only_the_rule_keeps, check, slopes

from scaling_laws.config import TaskConfig
from scaling_laws.tasks import images, ratings

COMMON = {
    "model.width": 64,
    "model.depth": 2,
    "train.base_width": 32,
    "train.base_depth": 2,
    "train.parametrization": "completep",
    "model.head_init": "small",
    "optimizer.clip_norm": 0.0,
}
CONVNET = {
    "model.family": "convnet",
    "model.width": 32,
    "model.depth": 1,
    "train.base_width": 16,
    "train.base_depth": 1,
    "train.batch_size": 8,
}
VIT = {"model.family": "vit", "model.head_dim": 8, "train.batch_size": 32}
FAMILIES = {
    "mlp": {"model.family": "mlp", "train.batch_size": 32},
    "plain": {"model.family": "mlp", "model.residual": False, "train.batch_size": 32},
    "vit": VIT,
    "experts": VIT | {"model.patch": 2, "model.experts": 4},
    "convnet": CONVNET,
    "separable": CONVNET | {"model.convolution": "separable"},
    "towers": {"model.family": "recommender", "train.batch_size": 256},
    "factors": {"model.family": "recommender", "model.depth": 0, "train.batch_size": 1024},
}


@pytest.fixture(scope="module")
def tasks():
    digits = images.load(TaskConfig(name="images"), None)
    pairs = ratings.load(TaskConfig(name="ratings"), None)
    return {
        "mlp": digits,
        "plain": digits,
        "vit": digits,
        "experts": digits,
        "convnet": digits,
        "separable": digits,
        "towers": pairs,
        "factors": pairs,
    }


def sgd(rate):
    return {"optimizer.name": "sgd", "optimizer.learning_rate": rate}


def adam(rate):
    return {"optimizer.learning_rate": rate}


def base(depth):
    return {"train.base_depth": depth, "train.base_width": 64}


MORE = range(8)  # seeds, where a few random numbers decide
PASSING = {
    "mlp width adamw": ((32, 256), adam(3e-3), range(3)),
    "mlp width sgd": ((64, 512), sgd(0.02), range(3)),
    "mlp depth adamw": ((9, 65), adam(1e-3) | base(3), range(3)),
    "mlp depth sgd": ((9, 65), sgd(0.02) | base(3), range(3)),
    "plain width adamw": ((32, 256), adam(3e-3), range(3)),
    "plain width sgd": ((64, 512), sgd(0.02), range(3)),
    "vit width adamw": ((32, 256), adam(3e-3), range(3)),
    "vit width sgd": ((32, 256), sgd(0.02), MORE),
    "vit depth adamw": ((4, 32), adam(1e-3) | base(4), range(3)),
    "vit depth sgd": ((8, 64), sgd(0.02) | base(1), range(3)),
    "experts width adamw": ((32, 256), adam(3e-3), range(3)),
    "convnet width sgd": ((16, 128), sgd(0.03), range(3)),
    "separable width adamw": ((16, 128), adam(3e-3), range(3)),
    "towers width adamw": ((32, 256), adam(0.02), range(3)),
    "towers width sgd": ((64, 512), sgd(0.3), range(3)),
    "towers depth adamw": ((8, 64), adam(0.01) | base(8), range(3)),
    "factors width adamw": ((512, 4096), adam(0.05), range(3)),
    "factors width sgd": ((64, 512), sgd(1.0), range(3)),
}
QUICK = ("mlp width adamw",)


def slow_but(quick, names):
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.slow, id=name) for name in names]


@pytest.mark.parametrize("name", slow_but(QUICK, PASSING))
def test_every_layer_keeps_its_size_and_standards_do_not(tasks, name):
    family, axis, _ = name.split()
    sizes, settings, seeds = PASSING[name]
    settings = COMMON | FAMILIES[family] | settings
    found = check(tasks[family], axis, sizes, settings, seeds)
    assert found.passed, slopes(found)
    standard = check(tasks[family], axis, sizes, settings | {"train.parametrization": "standard"}, seeds)
    assert not standard.passed, slopes(standard)


HIDDEN, EPSILON = "block_0/mlp_out", {"optimizer.epsilon": 1.0}
RULES = {
    "mlp sgd input learning_rate": ("embedded", sgd(0.1)),
    "mlp sgd input_bias learning_rate": ("embedded", sgd(0.1)),
    "mlp sgd norm learning_rate": (HIDDEN, sgd(0.1)),
    "mlp adamw input epsilon": ("embedded", adam(0.03) | EPSILON),
    "mlp adamw input_bias epsilon": ("embedded", adam(0.03) | EPSILON),
    "mlp adamw branch_output learning_rate": (HIDDEN, adam(3e-3)),
    "mlp sgd input weight_decay": ("embedded", sgd(0.02) | {"optimizer.weight_decay": 3.0}),
    "plain adamw plain learning_rate": (HIDDEN, adam(3e-3)),
    "plain adamw plain epsilon": (HIDDEN, adam(0.03) | EPSILON),
    "plain adamw plain weight_decay": (HIDDEN, adam(3e-3) | {"optimizer.weight_decay": 30.0}),
    "vit sgd input learning_rate": ("embedded", sgd(0.1)),
    "vit sgd position learning_rate": ("embedded", sgd(0.1)),
    "experts sgd router learning_rate": (HIDDEN, sgd(0.1)),
    "convnet adamw transition learning_rate": ("block_1/stream", adam(3e-3)),
    "factors sgd table learning_rate": ("embedded", sgd(1.0)),
    "factors adamw table epsilon": ("embedded", adam(0.05) | EPSILON),
    "factors adamw forward logits": ("logits", adam(0.05)),
    "factors sgd table weight_decay": ("embedded", sgd(1.0) | {"optimizer.weight_decay": 0.01}),
}


@pytest.mark.parametrize("name", slow_but(("mlp sgd input learning_rate",), RULES))
def test_without_the_rule_the_check_fails(tasks, name):
    family, _, row, field = name.split()
    layer, settings = RULES[name]
    sizes = (16, 128) if family in ("convnet", "separable") else (512, 4096) if row == "forward" else (64, 512)
    alone = "" if row == "forward" else row
    settings = COMMON | FAMILIES[family] | settings
    assert_only_the_rule_keeps(layer, (row, field), tasks[family], "width", sizes, settings, alone=alone)
