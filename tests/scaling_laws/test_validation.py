"""Rules between a run and its task."""

import pytest

from scaling_laws import validation
from scaling_laws.config import ConfigError, RunConfig, replace
from scaling_laws.spec import Spec

STREAM = Spec("noise", (), 1, "squared_error", source="stream", stream="keys")


@pytest.mark.parametrize("batch", [1, 4, 7])
def test_a_run_ends_before_its_stream_does(batch):
    most = (2**31 - 1) // batch
    settings = {"model.family": "features", "model.depth": 1, "train.batch_size": batch}
    longest, longer = (replace(RunConfig(), settings | {"train.steps": most + more}) for more in (0, 1))
    validation.check_task(longest, STREAM)
    with pytest.raises(ConfigError, match=rf"^train\.steps: {most + 1} of {batch} examples; allowed: at most {most}, "):
        validation.check_task(longer, STREAM)
    table = Spec("vector", (3,), 1, "squared_error")
    validation.check_task(longer, table)
