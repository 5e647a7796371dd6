import dataclasses

import numpy as np
import pytest

from scaling_laws.config import TASKS as CHOICES
from scaling_laws.config import ConfigError, TaskConfig
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


STREAMS = ("power_law", "zipf", "manifold")


@pytest.mark.parametrize("name", [name for name in catalog.TASKS if name not in ("text", *STREAMS)])
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
