"""Tables: shipped ones against scikit-learn, and what becomes of a CSV file's columns."""

import csv
import subprocess
import sys

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import columns, examples, shipped, sklearn_files, table

SPLITS = ("train", "valid", "heldout")


def load(path="", **settings):
    return table.load(TaskConfig(name="table", path=str(path), **settings), None)


def joined(task, name="inputs"):
    return np.concatenate([task.split(split)[name] for split in SPLITS])


def sorted_rows(inputs, targets):
    rows = np.column_stack([inputs, targets])
    return rows[np.lexsort(rows.T)]


@pytest.fixture
def pets(tmp_path):
    """60 rows: a number with missing cells, words with missing cells, an identifier, a class, a price."""
    random = np.random.default_rng(0)
    rows = []
    for k in range(60):
        weight = "" if k % 7 == 0 else f"{random.normal(10, 3):.3f}"
        kind = ["cat", "dog", "NA", "eel"][k % 4]
        rows.append([f"id{k}", weight, kind, ["yes", "no"][k % 2], f"{random.normal(50, 9):.2f}"])
    place = tmp_path / "pets.csv"
    with place.open("w", newline="") as file:
        csv.writer(file).writerows([["name", "weight", "kind", "happy", "price"], *rows])
    return place


@pytest.mark.parametrize(
    "name, shape, classes",
    [("breast_cancer", (569, 30), 2), ("wine", (178, 13), 3), ("iris", (150, 4), 3), ("diabetes", (442, 10), 1)],
)
def test_shipped_tables_are_those_of_scikit_learn(name, shape, classes):
    from sklearn import datasets

    raw = {"scaled": False} if name == "diabetes" else {}
    expected = getattr(datasets, f"load_{name}")(**raw)
    found = shipped.SHIPPED[name]()
    assert [c.name for c in found.columns] == [*map(str, expected.feature_names), "target"]
    np.testing.assert_array_equal(np.column_stack([c.values for c in found.columns[:-1]]), expected.data)
    np.testing.assert_array_equal(found.columns[-1].values, expected.target)
    if name != "diabetes":
        assert found.classes == tuple(expected.target_names)
    task = load(name, standardise=False)
    assert (task.spec.inputs, task.spec.shape, task.spec.outputs) == ("vector", shape[1:], classes)
    assert (task.spec.source, task.spec.targets) == ("examples", 1)
    whole = sorted_rows(expected.data.astype(np.float32), expected.target.astype(np.float32))
    np.testing.assert_array_equal(sorted_rows(joined(task), joined(task, "targets").astype(np.float32)), whole)


def test_breast_cancer_is_the_default_and_its_splits_are_shares():
    task = load()
    assert task.content_hash == load("breast_cancer").content_hash
    assert [task.length(split) for split in SPLITS] == [484, 28, 57]
    assert task.notes == ("classes: 0 'malignant', 1 'benign'",)
    assert (task.train["inputs"].dtype, task.train["targets"].dtype) == (np.float32, np.int32)
    assert not task.train["inputs"].flags.writeable


def test_shipped_tables_are_read_without_importing_scikit_learn():
    code = (
        "import sys, scaling_laws.tasks.table as t; from scaling_laws.config import TaskConfig; "
        "t.load(TaskConfig(name='table'), None); assert not {'sklearn', 'scipy', 'pandas', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_scikit_learn_the_message_says_so(monkeypatch):
    monkeypatch.setattr(sklearn_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"task.path: iris needs the package scikit-learn, which is not installed"):
        load("iris")


def test_inputs_and_targets_are_standardised_by_the_train_split_as_scikit_learn_does():
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import StandardScaler

    task, bare = load("diabetes"), load("diabetes", standardise=False)
    for name in SPLITS:
        scaler = StandardScaler().fit(bare.train["inputs"].astype(np.float64))
        np.testing.assert_allclose(task.split(name)["inputs"], scaler.transform(bare.split(name)["inputs"]), atol=2e-5)
        centred = bare.split(name)["targets"] - bare.train["targets"].mean(dtype=np.float64)
        scaled = centred / bare.train["targets"].std(dtype=np.float64)
        np.testing.assert_allclose(task.split(name)["targets"], scaled, atol=1e-6)
    mean, deviation = bare.train["targets"].mean(dtype=np.float64), bare.train["targets"].std(dtype=np.float64)
    assert task.notes == (
        f"column 'target' standardised by the train split: mean {mean:.9g}, deviation {deviation:.9g}",
    )
    assert set(joined(bare, "targets")) == set(load_diabetes().target.astype(np.float32))


def test_a_file_becomes_what_pandas_makes_of_its_train_rows(pets):
    task = load(pets, target="price", ignore="name")
    frame = pandas.read_csv(pets, keep_default_na=False, na_values=["", "NA"])
    raw = columns.row_digests(
        [
            columns.Numbers("weight", frame["weight"].to_numpy()),
            columns.Words("kind", tuple(frame["kind"].fillna(""))),
            columns.Words("happy", tuple(frame["happy"])),
        ],
        60,
    )
    train = examples.indices(raw, TaskConfig())["train"]
    weight = frame["weight"].fillna(frame["weight"].iloc[train].median())
    seen = weight.iloc[train]
    expected = np.column_stack(
        [
            (weight - seen.mean()) / seen.std(ddof=0),
            pandas.get_dummies(frame["kind"].fillna("")),
            pandas.get_dummies(frame["happy"]),
        ]
    )[train]
    np.testing.assert_allclose(task.train["inputs"], expected, atol=1e-6)
    assert task.spec.shape == (7,)
    assert task.notes[:3] == (
        f"column 'weight': 9 missing, each taken for {frame['weight'].iloc[train].median():.9g}, the median of the "
        "train split",
        "column 'kind': 15 missing, a level of its own",
        "levels of words: 'kind' 4, 'happy' 2",
    )
    assert "nan" not in str(joined(task).sum())


def test_classes_are_sorted_words_and_numbers_in_their_order(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text("x,y\n" + "".join(f"{k},{[10, 9, 2.0][k % 3]}\n" for k in range(30)))
    task = load(place, target="y")
    assert task.notes[0] == "classes: 0 '2', 1 '9', 2 '10'"
    assert np.bincount(joined(task, "targets")).tolist() == [10, 10, 10]
    place.write_text("x,y\n" + "".join(f"{k},{['b', 'a', 'B'][k % 3]}\n" for k in range(30)))
    assert load(place, target="y").notes[0] == "classes: 0 'B', 1 'a', 2 'b'"


@pytest.mark.parametrize(
    "values, loss, outputs",
    [
        ([k % 20 for k in range(60)], "cross_entropy", 20),
        ([k % 21 for k in range(60)], "squared_error", 1),
        ([k % 3 + 0.5 for k in range(60)], "squared_error", 1),
        ([f"w{k % 25}" for k in range(60)], "cross_entropy", 25),
    ],
)
def test_the_loss_follows_from_the_target(tmp_path, values, loss, outputs):
    place = tmp_path / "a.csv"
    place.write_text("x,y\n" + "".join(f"{k},{value}\n" for k, value in enumerate(values)))
    spec = load(place, target="y").spec
    assert (spec.loss, spec.outputs) == (loss, outputs)


def test_the_loss_can_be_chosen(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text("x,y\n" + "".join(f"{k},{k % 3}\n" for k in range(30)))
    assert load(place, target="y", loss="squared_error").train["targets"].dtype == np.float32
    place.write_text("x,y\n" + "".join(f"{k},{k % 3 if k else 'none'}\n" for k in range(30)))
    task = load(place, target="y", loss="cross_entropy")
    assert task.notes[:2] == ("classes: 0 '0', 1 '1', 2 '2', 3 'none'", "classes with a single example: 'none'")


def test_balance_weighs_classes_as_scikit_learn_does():
    from sklearn.utils.class_weight import compute_class_weight

    task = load(balance=True)
    y = task.train["targets"]
    np.testing.assert_allclose(
        task.fixed["class_weights"], compute_class_weight("balanced", classes=np.arange(2), y=y), rtol=1e-6
    )
    assert load().fixed == {}


def test_equal_rows_go_into_one_split(tmp_path):
    place = tmp_path / "a.csv"
    place.write_text("x,w,y\n" + "".join(f"{k % 40},w{k % 4},{k % 2}\n" for k in range(120)))
    task = load(place, target="y", standardise=False)
    rows = [{row.tobytes() for row in task.split(name)["inputs"]} for name in SPLITS]
    assert len(set.union(*rows)) == sum(map(len, rows)) == 40


def test_folds_hold_every_row_out_once():
    held = [load("iris", folds=5, fold=fold, standardise=False).heldout for fold in range(5)]
    rows = np.concatenate([np.column_stack([part["inputs"], part["targets"]]) for part in held])
    whole = load("iris", standardise=False)
    expected = sorted_rows(joined(whole), joined(whole, "targets"))
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], expected)


def test_content_hash_sees_every_cell_and_no_file_name(pets, tmp_path):
    first = load(pets, target="price", ignore="name").content_hash
    other = tmp_path / "other.csv"
    other.write_bytes(pets.read_bytes())
    assert load(other, target="price", ignore="name").content_hash == first
    for change in (("eel", "eels"), ("no,", "no,1"), ("weight", "mass")):
        other.write_text(pets.read_text().replace(*change, 1))
        assert load(other, target="price", ignore="name").content_hash != first


def test_another_column_of_a_shipped_table_can_be_the_target():
    task = load("iris", target="petal width (cm)", ignore="target")
    assert (task.spec.shape, task.spec.loss) == ((3,), "squared_error")
    task = load("iris", target="petal width (cm)", loss="cross_entropy")
    assert task.notes[0].startswith("classes: 0 '0.1', 1 '0.2', 2 '0.3'")


CELLS = st.sampled_from(["", "NA", "1", "-2.5", "3e38", "1e-320", "7", "x", "y", "é", "0.1"])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["a", "b", "1", "2.5", "3"])), min_size=1, max_size=24),
    repeats=st.integers(1, 3),
    loss=st.sampled_from(["auto", "cross_entropy", "squared_error"]),
    impute=st.sampled_from(["median", "mean", "zero", "refuse"]),
    standardise=st.booleans(),
)
def test_any_table_becomes_finite_numbers_or_one_line(tmp_path_factory, rows, repeats, loss, impute, standardise):
    place = tmp_path_factory.mktemp("any") / "a.csv"
    with place.open("w", newline="") as file:
        csv.writer(file).writerows([["u", "v", "y"], *(rows * repeats)])
    task = refusal = None
    try:
        task = load(place, target="y", loss=loss, impute=impute, standardise=standardise)
    except ConfigError as error:
        refusal = str(error)
    if task:
        assert sum(task.length(name) for name in SPLITS) == len(rows) * repeats
        assert joined(task).shape[1] == task.spec.features
        assert np.isfinite(joined(task)).all()
        assert np.isfinite(joined(task, "targets")).all()
        assert loss in ("auto", task.spec.loss)
    else:
        assert refusal.startswith("task.")
        assert "\n" not in refusal
