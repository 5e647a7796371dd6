"""What is asked of Ray: an actor a worker, which does its runs in a thread and is asked again and again for its news.

Messages travel by Ray's own means between the processes of one cluster; nothing is read from files.
"""

import contextlib
import dataclasses
import os
import queue
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from scaling_laws import ray_cluster
from scaling_laws.cluster import ClusterConfig
from scaling_laws.sweep import machine, worker
from scaling_laws.sweep.messages import Setup

LISTEN = 20.0  # seconds that an actor keeps a question for news open
CALLS = 3  # of an actor at once: a question for news, a message, and one to spare


class Lost(Exception):
    """An actor is gone, with what Ray says of it in a few words."""


class Host:
    """The actor: a worker in a thread, with a box for what it is told and one for what it says."""

    def __init__(self, setup: Setup, environment: Mapping[str, str]):
        os.environ.update(environment)  # before JAX is imported, by the worker
        own = {"cache": str(machine.task_cache_folder()), "programs": str(machine.compile_cache_folder())}
        self._setup = dataclasses.replace(setup, started=time.monotonic(), **own)
        self._told: queue.Queue[Any] = queue.Queue()
        self._says: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            worker.serve(worker.Mailbox(_Boxes(self._told, self._says)), self._setup)
        except BaseException:  # as a process that ends by an error does
            traceback.print_exc()
            os._exit(1)

    def give(self, message: Any) -> None:
        """Take a message."""
        self._told.put(message)

    def hear(self, seconds: float = LISTEN) -> list[Any]:
        """What it has said since the last question; waits for the first of it, so many seconds at most."""
        found: list[Any] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._says.get(timeout=seconds))
            while True:
                found.append(self._says.get_nowait())
        return found


class _Boxes:
    """Two queues as the worker's end of a pipe."""

    def __init__(self, told: "queue.Queue[Any]", says: "queue.Queue[Any]"):
        self.send, self.recv = says.put, told.get
        self.poll = lambda: not told.empty()


class Engine:
    """A connection to a Ray cluster; `close` gives it back. Raises ConfigError where there is none."""

    def __init__(self, cluster: ClusterConfig):
        self._cluster = cluster
        self._ray, self._ours = ray_cluster.join("cluster.address", cluster.address)

    def room(self) -> int:
        """How many workers the cluster as it is now has cores and accelerators for."""
        there, wanted = self._ray.cluster_resources(), self._resources()
        return int(min(there.get(kind, 0.0) // wanted[name] for kind, name in _KINDS.items() if wanted.get(name)))

    def _resources(self) -> dict[str, float]:
        cluster = self._cluster
        memory = {"memory": int(cluster.memory_gb * 2**30)} if cluster.memory_gb else {}
        return {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus, **memory}

    def start(self, setup: Setup) -> Any:
        """An actor for a worker, on whichever node has room, now or later."""
        alone = self._cluster.cpus == 1 and not self._cluster.gpus
        environment = machine.worker_environment(alone) | ({} if self._cluster.gpus else {"JAX_PLATFORMS": "cpu"})
        kind = self._ray.remote(max_restarts=0, max_concurrency=CALLS, **self._resources())(Host)
        return kind.remote(setup, environment)

    def give(self, actor: Any, message: Any) -> None:
        """Send a message."""
        actor.give.remote(message)

    def ask(self, actor: Any) -> Any:
        """Ask for news: the question."""
        return actor.hear.remote()

    def answered(self, questions: Sequence[Any], timeout: float) -> list[Any]:
        """Those of the questions that are answered, after `timeout` seconds at most."""
        first, rest = self._ray.wait(list(questions), num_returns=1, timeout=timeout)
        also = self._ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else []
        return [*first, *also]

    def news(self, question: Any) -> list[Any]:
        """The answer. Raises Lost where its actor, or the node under it, is gone."""
        try:
            return self._ray.get(question)
        except self._ray.exceptions.RayError as error:
            raise Lost(_in_words(error)) from None

    def end(self, actor: Any) -> None:
        """End an actor at once."""
        self._ray.kill(actor)

    def close(self) -> None:
        """Leave the cluster, if it was joined here."""
        if self._ours:
            self._ray.shutdown()


_KINDS = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}


def _in_words(error: Exception) -> str:
    """What Ray says, of which the first line names a class and the rest goes on for pages."""
    text = " ".join([type(error).__name__, *str(error).split()])
    for sign, words in _SIGNS.items():
        if sign in text:
            return words
    return f"was lost ({text[:200]})"


_SIGNS = {
    "node has died": "was lost with its node",
    "node was terminated": "was lost with its node",
    "its node": "was lost with its node",
    "ActorUnavailableError": "was lost with its node, or cut off",
    "OOM": "was ended for want of memory",
}
