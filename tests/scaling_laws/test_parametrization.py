import dataclasses

import pytest

from scaling_laws import parametrization
from scaling_laws.config import ConfigError, ModelConfig, RunConfig, TrainConfig, replace
from scaling_laws.parametrization import Scheme

MODEL = ModelConfig(width=64, depth=8, head_dim=16)


@pytest.mark.parametrize(
    "path, kind",
    [
        (("embedding",), "embedding"),
        (("position",), "position"),
        (("head",), "head"),
        (("block_3", "attention", "qkv"), "hidden"),
        (("blocks", "attention", "out"), "hidden"),
        (("blocks", "mlp", "down"), "hidden"),
        (("block_0", "mlp", "up"), "hidden"),
        (("final_norm", "scale"), "norm"),
        (("block_0", "attention", "query_norm", "scale"), "norm"),
        (("final_norm", "bias"), "norm"),
    ],
)
def test_kind_follows_from_the_path(path, kind):
    assert parametrization.kind(path) == kind


@pytest.mark.parametrize("path", [("block_0", "mlp", "middle"), ()])
def test_an_unknown_tensor_is_refused(path):
    with pytest.raises(ValueError, match="no rule for"):
        parametrization.kind(path)


def test_standard_table():
    rules = parametrization.rules(Scheme(), MODEL)
    assert rules.for_path(("block_0", "attention", "qkv")).std(64) == pytest.approx(1 / 8)
    # Two branches a block, eight blocks: what enters the residual stream is a quarter.
    assert rules.for_path(("block_0", "mlp", "down")).std(256) == pytest.approx(1 / 64)
    assert rules.for_path(("final_norm", "scale")) == parametrization.Rule(mean=1.0, weight_decay=0.0)
    assert rules.for_path(("final_norm", "bias")).weight_decay == 0
    for name in ("embedding", "position", "head", "qkv", "out", "up", "down"):
        rule = rules.for_path((name,))
        assert (rule.learning_rate, rule.weight_decay) == (1, 1)
        assert rule.std(64) > 0
    assert rules.forward == parametrization.Forward(embedding=1, residual=1, attention=0.25, logits=1)
    assert rules.embedding.std(256) == 1
    assert hash(rules) == hash(parametrization.rules(Scheme(), MODEL))


def test_a_tied_matrix_gives_a_stream_of_size_one_and_logits_of_size_one():
    rules = parametrization.rules(Scheme(), dataclasses.replace(MODEL, tie_embeddings=True))
    assert rules.embedding.std(256) * rules.forward.embedding == pytest.approx(1)
    assert rules.embedding.std(256) * 64**0.5 == pytest.approx(1)


def test_every_choice_of_the_configuration_has_a_table():
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    assert set(fields["parametrization"].metadata["choices"]) == set(parametrization.TABLES)


def test_an_unknown_parametrization_is_one_clear_line():
    allowed = r"allowed: standard, mup, completep; did you mean standard"
    with pytest.raises(ConfigError, match=rf"train\.parametrization: 'standart'; {allowed}"):
        parametrization.rules(Scheme("standart"), MODEL)


def flat(rules):
    """Every number of a table."""
    return {
        f"{row.name}.{field.name}": getattr(getattr(rules, row.name), field.name)
        for row in dataclasses.fields(rules)
        for field in dataclasses.fields(getattr(rules, row.name))
    }


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("name", ["mup", "completep"])
def test_at_the_base_shape_it_is_the_standard_table(name, optimizer, tied):
    model = dataclasses.replace(MODEL, tie_embeddings=tied)
    scheme = Scheme(name, base_width=64, base_depth=8, optimizer=optimizer)
    assert flat(parametrization.rules(scheme, model)) == pytest.approx(flat(parametrization.rules(Scheme(), model)))


# m = 4 times as wide, k = 2 times as deep, against the tables of the papers (Yang et al. 2022, tables 3 and 8; Dey et
# al. 2025, table 1), with the logits divided by m and each branch by k.
PUBLISHED = {
    ("completep", "adamw"): {
        "embedding": (1, 1, 1 / 4),
        "position": (1, 1, 1 / 4),
        "hidden": (1 / 4, 4, 1 / 8),
        "branch_output": (1 / 4, 4, 1 / 8),
        "head": (1, 1, 1 / 4),
        "norm": (1, 0, 1 / 8),
        "final_norm": (1, 0, 1 / 4),
    },
    ("completep", "sgd"): {
        "embedding": (4, 1 / 4, None),
        "position": (4, 1 / 4, None),
        "hidden": (2, 1 / 2, None),
        "branch_output": (2, 1 / 2, None),
        "head": (4, 1 / 4, None),
        "norm": (8, 0, None),
        "final_norm": (4, 0, None),
    },
    ("mup", "adamw"): {
        "embedding": (1, 1, 1 / 4),
        "hidden": (1 / 4, 4, 1 / 4),
        "head": (1, 1, 1 / 4),
        "norm": (1, 0, 1 / 4),
    },
    ("mup", "sgd"): {"embedding": (4, 1 / 4, None), "hidden": (1, 1, None), "head": (4, 1 / 4, None)},
}
WIDER = dataclasses.replace(MODEL, width=256, depth=16)


@pytest.mark.parametrize("name, optimizer", PUBLISHED)
def test_rates_decays_and_epsilons_are_those_of_the_papers(name, optimizer):
    rules = parametrization.rules(Scheme(name, 64, 8, optimizer), WIDER)
    for role, (rate, decay, epsilon) in PUBLISHED[name, optimizer].items():
        rule = getattr(rules, role)
        assert (rule.learning_rate, rule.weight_decay) == pytest.approx((rate, decay)), role
        assert epsilon is None or rule.epsilon == pytest.approx(epsilon), role


@pytest.mark.parametrize("name, residual, branch", [("mup", 1, 1 / 32**0.5), ("completep", 1 / 2, 1 / 16**0.5)])
def test_forward_multipliers_and_draws(name, residual, branch):
    rules = parametrization.rules(Scheme(name, 64, 8), WIDER)
    assert rules.forward == parametrization.Forward(embedding=1, residual=residual, attention=0.25, logits=1 / 4)
    assert rules.hidden.std(256) == pytest.approx(1 / 16)
    assert rules.branch_output.std(256) == pytest.approx(branch / 16)
    assert rules.head.std(256) == 1 / 8  # the base's: the multiplier has the 1/m
    small = dataclasses.replace(WIDER, head_init="small")
    assert parametrization.rules(Scheme(name, 64, 8), small).head.std(256) == 0.02
    assert rules.embedding.std(256) == 1


def test_heads_that_grow_are_divided_by_their_size_and_not_by_its_root():
    model = dataclasses.replace(WIDER, n_heads=4)
    rules = parametrization.rules(Scheme("mup", 64), model)
    assert rules.forward.attention == pytest.approx(16**0.5 / 64)


def test_a_tied_matrix_keeps_its_entries():
    model = dataclasses.replace(WIDER, tie_embeddings=True)
    rules = parametrization.rules(Scheme("mup", 64), model)
    assert rules.embedding.std(256) == pytest.approx(1 / 8)
    assert rules.forward.embedding == pytest.approx(8)
    assert rules.forward.logits == pytest.approx(1 / 4)


def test_independent_decay_is_not_scaled():
    rules = parametrization.rules(Scheme("completep", 64, 8, independent_decay=True), WIDER)
    assert (rules.hidden.weight_decay, rules.embedding.weight_decay, rules.norm.weight_decay) == (1, 1, 0)


@pytest.mark.parametrize("heads, gradient", [({"n_heads": 4}, 1 / 4), ({"head_dim": 16}, 1 / 2)])
def test_scales_shared_by_more_heads_gather_more_gradient_as_random_numbers_do(heads, gradient):
    """4 heads at both widths, or 4 and 16: whatever the gradient falls by, rate and epsilon make up for."""
    model = dataclasses.replace(WIDER, **heads)
    sgd, adam = (parametrization.rules(Scheme("mup", 64, optimizer=name), model).head_norm for name in ("sgd", "adamw"))
    assert sgd.learning_rate == pytest.approx(1 / gradient)
    assert (adam.learning_rate, adam.epsilon) == pytest.approx((1, gradient))


def test_a_scheme_leaves_out_the_base_that_its_table_does_not_read():
    run = RunConfig(train=TrainConfig(parametrization="standard", base_width=64, base_depth=2))
    assert Scheme.of(run) == Scheme()
    wide = replace(run, {"train.parametrization": "mup"})
    assert Scheme.of(wide) == Scheme("mup", base_width=64)
    assert Scheme.of(replace(wide, {"optimizer.name": "sgd"})).optimizer == "sgd"


# m = 8 times as wide and k = 4 times as many branches as the base; rate and decay, then epsilon, of Adam; rate of SGD
OF_EXAMPLES = {
    "input": ((1, 1, 1 / 8), 8),
    "input_bias": ((1, 0, 1 / 8), 8),
    "table": ((1, 1, 1 / 8), 8),
    "plain": ((1 / 8, 8, 1 / 8), 1),
    "branch_output": ((1 / 8, 8, 1 / 32), 4),
    "router": ((1, 1, 1 / 32), 32),
    "depthwise": ((1, 1, 1 / 32), 32),
    "transition": ((1 / 8, 8, 1 / 8), 1),
    "norm": ((1, 0, 1 / 32), 32),
    "head_bias": ((1, 0, 1), 1),
    "linear": ((1, 1, 1), 1),
}


@pytest.mark.parametrize(
    "family, depth, base", [("mlp", 9, 3), ("recommender", 8, 2), ("convnet", 8, 2)]
)  # a perceptron's first is none
@pytest.mark.parametrize("role", OF_EXAMPLES)
def test_rules_of_the_families_of_examples_follow_from_gradient_and_change(role, family, depth, base):
    model = ModelConfig(family=family, width=128, depth=depth)
    adam, sgd = (
        getattr(parametrization.rules(Scheme("completep", 16, base, name), model), role) for name in ("adamw", "sgd")
    )
    (rate, decay, epsilon), of_sgd = OF_EXAMPLES[role]
    assert (adam.learning_rate, adam.weight_decay, adam.epsilon) == pytest.approx((rate, decay, epsilon))
    assert sgd.learning_rate == pytest.approx(of_sgd)


def test_layers_to_which_nothing_is_added_know_no_depth():
    model = ModelConfig(family="mlp", width=16, depth=33, residual=False)
    scheme = Scheme("completep", 16, 3, "sgd")
    assert flat(parametrization.rules(scheme, model)) == pytest.approx(flat(parametrization.rules(Scheme(), model)))
