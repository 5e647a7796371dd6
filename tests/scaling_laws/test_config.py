"""Settings: what is refused, and what a run's identity depends on."""

import dataclasses
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_laws import config as c
from scaling_laws import families, validation
from scaling_laws.fields import setting

DEFAULT = c.ExperimentConfig()
PATHS = [path for path, _, _ in c.leaves(DEFAULT)]
TYPES = c.field_types(DEFAULT)
FIELDS = {path: field for path, field, _ in c.leaves(DEFAULT)}
RUN_PATHS = [path for path, _, _ in c.leaves(c.RunConfig())]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from([10**400, -(10**400)])
)
anything = st.one_of(scalars, st.lists(scalars, max_size=3), st.lists(scalars, max_size=3).map(tuple))


def within(path, value):
    """The rule of a field, spelled out independently of check_fields."""
    kind, rule = TYPES[path], FIELDS[path].metadata
    if kind in (int, float):
        return type(value) in ((int,) if kind is int else (int, float)) and rule["low"] <= value <= rule["high"]
    return type(value) is kind and (rule["choices"] is None or value in rule["choices"])


@given(st.sampled_from(PATHS), anything)
def test_any_value_is_either_allowed_or_refused_by_name(path, value):
    changed = c.replace(DEFAULT, {path: value})
    try:
        c.check_fields(changed)
    except c.ConfigError as error:
        message = str(error)
        assert message.startswith(path)
        assert "allowed:" in message
        assert "\n" not in message.replace(repr(value), "")
        if not isinstance(value, tuple):
            assert not within(path, value)
    else:
        assert isinstance(value, tuple) or within(path, value)


def test_the_defaults_are_allowed():
    c.check_fields(DEFAULT)
    validation.validate_run(DEFAULT)


def test_every_default_has_the_declared_type_and_every_number_has_bounds():
    for path, field, value in c.leaves(DEFAULT):
        kind = TYPES[path]
        assert isinstance(value, getattr(kind, "__origin__", kind)), path
        assert field.metadata["doc"], path
        if kind in (int, float):
            assert field.metadata["low"] < field.metadata["high"], path


@given(st.text(alphabet="abcdefghijklmnop._", max_size=12))
def test_an_unknown_path_is_refused(path):
    if path in PATHS:
        return
    with pytest.raises(c.ConfigError, match="no such field"):
        c.replace(DEFAULT, {path: 1})


def test_messages_name_field_value_and_allowed_values():
    def said(path, value):
        with pytest.raises(c.ConfigError) as error:
            c.check_fields(c.replace(DEFAULT, {path: value}))
        return str(error.value)

    assert said("model.width", -1) == "model.width: -1; allowed: whole number, 0 to 65536"
    assert said("model.width", "8") == "model.width: '8' is a str; allowed: whole number, 0 to 65536"
    assert said("model.norm", "rmss") == "model.norm: 'rmss'; allowed: rms, layer; did you mean rms?"
    assert said("train.seed", 2**31) == "train.seed: 2147483648; allowed: whole number, 0 to 2147483647"
    assert said("sweep.widths", (16, 16)).startswith("sweep.widths: (16, 16) repeats a value")
    assert said("sweep.widths", [16]).startswith("sweep.widths: [16] is not a tuple")
    with pytest.raises(c.ConfigError, match=re.escape("model.widht: no such field; did you mean model.width?")):
        c.replace(DEFAULT, {"model.widht": 1})


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"model.width": 0}, "model.width"),
        ({"model.depth": 0}, "model.depth"),
        ({"model.width": 40}, "model.width"),  # not a multiple of head_dim 16
        ({"model.n_heads": 3}, "model.n_heads"),  # 64 / 3
        ({"model.n_heads": 64}, "model.head_dim"),  # heads of size 1 cannot rotate
        ({"task.vocab_size": 512}, "task.vocab_size"),
        ({"task.tokenizer": "bpe"}, "task.vocab_size"),
        ({"task.valid_fraction": 0.3, "task.heldout_fraction": 0.3}, "task.heldout_fraction"),
        ({"task.folds": 1}, "task.folds"),
        ({"task.fold": 1}, "task.fold"),
        ({"task.folds": 3, "task.fold": 3}, "task.fold"),
        ({"optimizer.schedule": "wsd", "optimizer.warmup": 0.5, "optimizer.cooldown": 0.6}, "optimizer.cooldown"),
        ({"train.parametrization": "mup", "train.base_width": 0}, "train.base_width"),
        ({"train.parametrization": "completep", "train.base_width": 0}, "train.base_width"),
        ({"train.parametrization": "completep", "train.base_depth": 0}, "train.base_depth"),
    ],
)
def test_rules_across_fields(changes, field):
    with pytest.raises(c.ConfigError, match=f"^{field}: .*allowed:"):
        validation.validate_run(c.replace(c.RunConfig(), changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"train.parametrization": "standard", "train.base_width": 0},  # standard reads no base
        {"train.parametrization": "mup", "train.base_depth": 0},  # nor mup a depth
        {"train.base_width": 40},  # nobody trains the base: heads of 16 need not divide it
        {"train.parametrization": "mup", "train.base_width": 32},
        {"train.parametrization": "mup", "train.base_width": 8},  # a single head of 8
        {"train.parametrization": "completep", "train.base_width": 128, "train.base_depth": 9},
    ],
)
def test_a_base_that_is_read_is_given(changes):
    assert validation.validate_run(c.replace(c.RunConfig(), changes)) is None  # and says nothing of another


@pytest.mark.parametrize(
    "width, head_dim, n_heads, count, size",
    [(64, 16, 0, 4, 16), (16, 32, 0, 1, 16), (96, 16, 3, 3, 32), (24, 24, 0, 1, 24)],
)
def test_heads(width, head_dim, n_heads, count, size):
    model = c.ModelConfig(width=width, head_dim=head_dim, n_heads=n_heads)
    families.transformer.check(model)
    assert (c.head_count(model), c.head_size(model)) == (count, size)


def test_identity_is_the_hash_of_what_differs_from_the_defaults():
    def expected(facts):
        return hashlib.sha256(json.dumps([facts, "corpus"], separators=(",", ":")).encode()).hexdigest()[:16]

    neutral = {"train.parametrization": "standard", "model.head_init": "small"}  # when there were no others
    before = c.replace(c.RunConfig(), neutral)
    assert c.identity(before, "corpus") == expected({}) == "a800c121e0927ef7"
    tied = {"model.tie_embeddings": True, "model.head_init": "fan_in"}  # has no head of its own to draw
    assert c.identity(c.replace(before, tied), "corpus") == expected({"model.tie_embeddings": True})
    based = {"train.base_depth": 2, "train.base_width": 64, "train.parametrization": "completep"}
    assert c.identity(c.RunConfig(), "corpus") == expected({"model.head_init": "fan_in"} | based)
    changed = c.replace(DEFAULT, {"train.steps": 7, "model.width": 128, "train.parametrization": "mup"})
    facts = {"model.head_init": "fan_in", "model.width": 128, "train.base_width": 64, "train.parametrization": "mup"}
    assert c.identity(changed, "corpus") == expected(facts | {"train.steps": 7})
    assert c.identity(changed, "other") != c.identity(changed, "corpus")


def test_the_settings_of_a_row_make_the_run_again():
    for changes in ({}, {"quantize.weight_bits": 4, "model.tie_embeddings": True, "train.parametrization": "standard"}):
        run = c.replace(c.RunConfig(), changes)
        again = c.of_settings(json.loads(json.dumps(c.non_defaults(run))))
        assert c.non_defaults(again) == c.non_defaults(run)
        assert again.model == dataclasses.replace(run.model, head_init=again.model.head_init)
    with pytest.raises(c.ConfigError, match=r"model\.widht: no such field; did you mean model\.width"):
        c.of_settings({"model.widht": 3})


@pytest.mark.parametrize("path", [path for path in RUN_PATHS if TYPES[path] is float])
def test_one_and_one_point_zero_are_the_same_run(path):
    whole = max(1, int(FIELDS[path].metadata["low"]))
    names = [c.identity(c.replace(c.RunConfig(), {path: kind(whole)}), "corpus") for kind in (int, float)]
    assert names[0] == names[1]


def other_value(path):
    field = FIELDS[path]
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return next((choice for choice in choices if choice != field.default), None)
    if TYPES[path] is bool:
        return not field.default
    return "elsewhere" if TYPES[path] is str else low if low != field.default else high


@pytest.mark.parametrize("path", [path for path in RUN_PATHS if other_value(path) is not None])
def test_identity_moves_with_results_and_only_with_them(path):
    rounded = {"quantize.weight_bits": 4, "quantize.granularity": "group"}  # without which the rest is not read
    method = "rewind" if path in ("prune.rounds", "prune.rewind") else "gradual"
    pruned = {"prune.sparsity": 0.5, "prune.method": method}
    base = c.replace(c.RunConfig(), {"quantize": rounded, "prune": pruned}.get(path.split(".")[0], {}))
    moved = c.identity(c.replace(base, {path: other_value(path)}), "x") != c.identity(base, "x")
    assert moved == (FIELDS[path].metadata["identity"] and path != "task.path")


def test_the_sweep_around_a_run_is_not_in_its_identity():
    assert c.identity(c.replace(DEFAULT, {"sweep.widths": (8,)}), "x") == c.identity(DEFAULT, "x")


def test_a_field_added_later_leaves_old_identities():
    @dataclasses.dataclass(frozen=True)
    class Later(c.TrainConfig):
        dropout: float = setting(0.0, "a technique to come", low=0, high=1)

    old = c.RunConfig(train=c.TrainConfig(steps=9))
    assert c.identity(c.RunConfig(train=Later(steps=9)), "x") == c.identity(old, "x")
    assert c.identity(c.RunConfig(train=Later(steps=9, dropout=0.1)), "x") != c.identity(old, "x")


def test_no_setting_names_a_place_in_the_workdir():
    kinds = c.field_types(c.ExperimentConfig())
    texts = [
        path
        for path, field, _ in c.leaves(c.ExperimentConfig())
        if kinds[path] is str and not field.metadata["choices"]
    ]
    # files and workdirs that are read alone, columns, run_ids, and names that a cluster knows
    found = ["task.path", "task.target", "task.ignore", "transfer.source", "transfer.source_workdir"]
    found += ["distill.teacher", "distill.teacher_workdir", "boost.previous", "boost.previous_workdir"]
    found += ["sweep.rule"]
    found += [f"cluster.{name}" for name in ("address", "partition", "account", "qos", "constraint", "gres")]
    assert texts == found
    for path in ("sotu", "../../etc/x", "/", "\0"):
        run = c.replace(c.RunConfig(), {"task.path": path})
        assert re.fullmatch("[0-9a-f]{16}", c.identity(run, "../x"))  # the name of a run's folders and files
