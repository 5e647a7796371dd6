import json

import pytest

from scaling_laws import families, spec, table
from scaling_laws.config import RunConfig, replace
from scaling_laws.describe import describe

CHANGES = {"model.width": 8, "model.depth": 1, "model.head_dim": 4, "task.context": 16, "train.batch_size": 4}


def described(unique_tokens=10**6, **changes):
    run = replace(RunConfig(), CHANGES | {"train.steps": 100} | {k.replace("__", "."): v for k, v in changes.items()})
    counts = families.count(run.model, spec.text(256, 16))
    return describe(run, counts, run_id="r", spec=spec.text(256, 16), unique_tokens=unique_tokens, corpus_hash="c0ffee")


def test_counts_by_hand():
    """Width 8, depth 1, context 16, 256 tokens: N 4888 and C/D 18432, counted by hand in sweep/test_plan.py."""
    row = described()
    tokens = 100 * 4 * 16
    assert (row["n_params"], row["tokens"], row["n_heads"]) == (4888, tokens, 2)
    assert row["n_non_embedding"] == 4888 - 2 * 256 * 8
    assert row["n_effective"] == 4888 + 4 * 16 * 8 // 2  # attention's products, 4 L w a token, are 2 FLOPs a parameter
    assert row["flops"] == 18432 * tokens
    assert row["flops_6nd"] == 6 * 4888 * tokens
    assert row["flops_non_embedding"] == (18432 - 3 * 2 * 256 * 8) * tokens
    assert row["flops_effective"] == 6 * row["n_effective"] * tokens
    assert row["hardware_flops"] == row["flops"]
    assert described(model__remat=True)["hardware_flops"] > row["flops"]


def test_what_laws_of_techniques_read():
    names = ("experts", "n_active", "density", "weight_bits", "activation_bits")
    row, odd = described(), described(model__experts=3, prune__sparsity=0.75, quantize__weight_bits=4)
    assert [row[name] for name in names] == [1, None, 1.0, 32, 32]
    up_and_down = 2 * 8 * 32  # of one expert, of which a place takes one of three
    assert [odd[name] for name in names] == [3, odd["n_params"] - 2 * up_and_down, 0.25, 4, 32]


@pytest.mark.parametrize("unique, epochs, read", [(10**6, 0.0064, 6400), (3200, 2.0, 3200)])
def test_unique_tokens_are_those_that_were_read(unique, epochs, read):
    row = described(unique)
    assert row["epochs"] == pytest.approx(epochs)
    assert row["unique_tokens"] == read


def test_unique_examples_make_the_epochs():
    """100 steps of 4 windows of 16 tokens, out of 50 windows that are read again and again."""
    row = described(train__unique_examples=50)
    assert (row["unique_tokens"], row["epochs"], row["tokens"]) == (800, 8.0, 6400)
    assert described(train__unique_examples=500)["unique_tokens"] == 6400
    assert "train.unique_examples" not in json.loads(described()["config"])


def test_config_holds_what_differs_and_enters_the_identity():
    row = described(train__steps_per_dispatch=3, optimizer__learning_rate=0.5)
    rules = {"train.parametrization": "completep", "train.base_width": 64, "train.base_depth": 2}
    rules["model.head_init"] = "fan_in"
    assert json.loads(row["config"]) == CHANGES | rules | {"train.steps": 100, "optimizer.learning_rate": 0.5}


@pytest.mark.parametrize("name, base", [("standard", (0, 0)), ("mup", (16, 0)), ("completep", (16, 3))])
def test_the_base_is_that_which_the_parametrisation_reads(name, base):
    row = described(train__parametrization=name, train__base_width=16, train__base_depth=3)
    assert (row["base_width"], row["base_depth"]) == base


def test_with_how_it_ended_it_is_a_row(tmp_path):
    ended = {"status": "failed", "reason": "why", "purpose": "grid", "steps_done": 0}
    with table.Journal(tmp_path) as journal:
        journal.append(described() | ended)
    assert table.read_runs(tmp_path)["width"].to_pylist() == [8]
