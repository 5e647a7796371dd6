"""A search over two settings whose runs' losses are a formula, and workers that answer with it."""

import math

from fake_pool import FakePool, row_of

from scaling_laws import spec
from scaling_laws.sweep.messages import Done, Failed
from scaling_laws.sweep.planned import TaskFacts

SPACE = "optimizer.learning_rate=log:1e-3:1:4,model.norm=rms|layer"
FACTS = TaskFacts(unique_tokens=10**7, corpus_hash="c0ffee", spec=spec.text(256, 16))
NO_LOSS = {"loss": None, "bits_per_byte": None}


def loss_of(run):
    """Lowest at a rate of 0.1 with `rms`; lower with more steps and a higher seed or fold."""
    rate = math.log(run.optimizer.learning_rate / 0.1) ** 2 / 10
    spread = 0.01 * run.train.seed + 0.1 * run.task.fold
    return 2 + rate + 0.5 * (run.model.norm == "layer") - spread + 10 / run.train.steps


def trained(planned, attempt=1):
    return Done(planned.run_id, row_of(planned, FACTS) | {"loss": loss_of(planned.run), "steps_done": 64}, [])


def diverged(planned, attempt=1):
    found = {"status": "diverged", "reason": "not finite", "steps_done": planned.run.train.steps // 4, **NO_LOSS}
    return Done(planned.run_id, row_of(planned, FACTS) | found, [])


def failed(planned, attempt=1):
    return Failed("OSError: no")


class Pools:
    """What the driver starts instead of workers; counts how often each run was handed out."""

    def __init__(self):
        self.answer, self.runs = trained, []

    def __call__(self, n_workers, task, workdir, corpus_hash):
        return self.Pool(self, n_workers)

    class Pool(FakePool):
        def __init__(self, pools, n_workers):
            super().__init__(lambda planned, attempt: pools.answer(planned, attempt), n_workers)
            self.pools = pools

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.pools.runs += self.assigned
