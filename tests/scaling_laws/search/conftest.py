import pytest
from fake_search import FACTS, SPACE, Pools

from scaling_laws import config
from scaling_laws.config import ExperimentConfig
from scaling_laws.search import driver
from scaling_laws.search.settings import Search
from scaling_laws.search.space import parse
from scaling_laws.sweep import launch

TINY = {"model.width": 8, "model.depth": 1, "model.head_dim": 8, "task.context": 16, "train.batch_size": 4}


@pytest.fixture
def experiment():
    return config.replace(ExperimentConfig(), {**TINY, "train.steps": 64, "sweep.workers": 2})


@pytest.fixture
def make(experiment):
    """A search; keywords as its fields, `space` as text."""

    def made(space=SPACE, **fields):
        base = config.run_part(experiment)
        return Search(base, parse(space, base), **{"sampler": "random", "trials": 6, **fields})

    return made


@pytest.fixture
def pools(monkeypatch):
    found = Pools()
    monkeypatch.setattr(launch, "Pool", found)
    monkeypatch.setattr(driver, "facts_of", lambda experiment, say: FACTS)
    return found
