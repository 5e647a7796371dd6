import json
from pathlib import Path

import pytest

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks import unchanged


def row(content_hash, **settings):
    config = {f"task.{name}": value for name, value in settings.items()}
    return {"run_id": "r", "corpus_hash": content_hash, "config": json.dumps(config)}


@pytest.mark.parametrize(
    "settings",
    [{}, {"path": "my.txt"}, {"name": "table", "path": "my.csv", "target": "y"}, {"name": "zipf", "alpha": 0.5}],
)
def test_other_content_under_the_same_settings_is_refused(settings):
    task = TaskConfig(**settings)
    unchanged.check([row("aaaa", **settings)], task, "aaaa", Path("w"))
    with pytest.raises(ConfigError, match=r"is not what run r in w was trained on \(SHA-256 aaaa, now bbbb\)"):
        unchanged.check([row("aaaa", **settings)], task, "bbbb", Path("w"))
    with pytest.raises(ConfigError, match="is not what run"):  # what is done with the data does not count
        unchanged.check([row("aaaa", **settings, context=64)], task, "bbbb", Path("w"))


@pytest.mark.parametrize("other", [{"name": "images"}, {"path": "x"}, {"examples": 9}, {"target": "z"}, {"rank": 2}])
def test_a_table_may_hold_runs_on_data_that_were_asked_for_by_other_settings(other):
    task = TaskConfig(name="table", path="my.csv", target="y")
    before = {"name": "table", "path": "my.csv", "target": "y"}
    unchanged.check([row("aaaa", **{**before, **other})], task, "bbbb", Path("w"))
