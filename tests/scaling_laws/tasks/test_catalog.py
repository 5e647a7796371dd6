import dataclasses

import numpy as np
import pytest

from scaling_laws.config import TASKS as CHOICES
from scaling_laws.config import TEXTS, ConfigError, TaskConfig
from scaling_laws.tasks import catalog
from scaling_laws.tasks.task import SPLITS

OTHER = {"tokenizer": "bpe", "loss": "squared_error", "impute": "mean", "target": "x", "ignore": "x"}
SMALL = {"audio": 64, "ratings": 5000, "labelled_text": 200, "series": 4000}


def test_every_choice_of_the_configuration_is_a_task():
    assert set(CHOICES) == set(catalog.TASKS)


def test_every_name_that_a_task_reads_is_a_setting():
    names = {field.name for field in dataclasses.fields(TaskConfig)}
    assert names == {*catalog.COMMON, *(name for kind in catalog.TASKS.values() for name in kind.reads)}


@pytest.mark.parametrize("name", catalog.TASKS)
def test_a_setting_that_a_task_does_not_read_is_refused(name, tmp_path):
    default = TaskConfig()
    for field in dataclasses.fields(TaskConfig):
        if field.name in (*catalog.COMMON, *catalog.TASKS[name].reads):
            continue
        usual = getattr(default, field.name)
        other = OTHER[field.name] if field.name in OTHER else not usual if isinstance(usual, bool) else 2 * usual + 1
        with pytest.raises(ConfigError, match=rf"^task.{field.name}: .* for task.name={name} does not read it$"):
            catalog.load(dataclasses.replace(default, name=name, **{field.name: other}), tmp_path)


def noisy(name, path=""):
    """Whether the data of a task change with task.noise."""
    found = [
        catalog.TASKS[name].load(TaskConfig(name=name, path=path, examples=SMALL.get(name, 100), noise=noise), None)
        for noise in (0.5, 0.7)
    ]
    return found[0].content_hash != found[1].content_hash


@pytest.mark.parametrize("path", ["houses", "fraud", "toy_classes", "toy_line"])
def test_a_made_up_table_reads_noise_where_it_has_some(path, tmp_path):
    config = TaskConfig(name="table", path=path, examples=100, noise=0.5)
    if noisy("table", path):
        assert len(catalog.load(config, tmp_path).content_hash) == 64
        return
    with pytest.raises(ConfigError, match=rf"^task.noise: 0.5; allowed: 0.0, for .* task.path={path} does not read it"):
        catalog.load(config, tmp_path)


@pytest.mark.parametrize(
    "name, path, settings",
    [
        ("table", "", {"examples": 9, "noise": 0.5}),
        ("table", "wine", {"examples": 9, "noise": 0.5}),
        ("table", "a.csv", {"examples": 9, "noise": 0.5}),
        ("ratings", "a.csv", {"examples": 9, "noise": 0.5, "rank": 2}),
        ("series", "a.csv", {"examples": 9, "noise": 0.5, "split_seed": 1}),
        ("series", "", {"target": "x", "split_seed": 1}),
        ("audio", "folder", {"examples": 9, "noise": 0.5}),
        ("labelled_text", "a.csv", {"examples": 9}),
        ("labelled_text", "", {"target": "x"}),
        ("power_law", "", {"valid_fraction": 0.2, "heldout_fraction": 0.2, "split_seed": 1}),
        ("zipf", "", {"valid_fraction": 0.2, "heldout_fraction": 0.2}),
        ("manifold", "", {"valid_fraction": 0.2, "heldout_fraction": 0.2}),
    ],
)
def test_a_setting_that_the_data_at_a_path_do_not_read_is_refused(name, path, settings, tmp_path):
    where = f" with task.path={path}" if path else ""
    for setting, value in settings.items():
        with pytest.raises(
            ConfigError, match=rf"^task.{setting}: {value}; allowed: .+, for task.name={name}{where} does not read it$"
        ):
            catalog.load(TaskConfig(name=name, path=path, **{setting: value}), tmp_path)


STREAMS = ("power_law", "zipf", "manifold")


@pytest.mark.parametrize("name", [name for name in catalog.TASKS if name not in (*TEXTS, *STREAMS)])
def test_the_data_of_a_task_are_as_its_spec_says(name, tmp_path):
    task = catalog.load(TaskConfig(name=name, examples=SMALL.get(name, 0)), tmp_path)
    spec, kinds = task.spec, {"tokens": "i", "pair": "i", "image": "uf", "vector": "f"}
    for split in SPLITS:
        arrays = task.split(split)
        assert set(arrays) == {"inputs", "targets"}
        assert arrays["inputs"].shape == (task.length(split), *spec.shape)
        assert arrays["inputs"].dtype.kind in kinds[spec.inputs]
        assert arrays["targets"].shape == (task.length(split),)
        assert arrays["targets"].dtype == (np.int32 if spec.is_classification else np.float32)
        assert not any(array.flags.writeable for array in arrays.values())
        if spec.is_classification:
            assert 0 <= arrays["targets"].min() <= arrays["targets"].max() < spec.outputs
        else:
            assert spec.outputs == 1
        for place, size in enumerate(spec.sizes if spec.inputs in ("tokens", "pair") else ()):
            assert arrays["inputs"].reshape(len(arrays["inputs"]), -1)[:, place :: len(spec.sizes)].max() < size
