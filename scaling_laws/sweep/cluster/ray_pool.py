"""Workers as actors of a Ray cluster: placed by Ray where their resources are free, started anew when they are lost."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from scaling_laws.config import TaskConfig
from scaling_laws.sweep.cluster.ray_engine import Engine, Lost
from scaling_laws.sweep.crew import Crew, Messenger
from scaling_laws.sweep.messages import Died, Ready, Setup


class RayWorker(Messenger):
    """An actor, and the question for news that is open with it."""

    queues = True

    def __init__(self, name: str, engine: Engine):
        super().__init__(name)
        self._engine = engine
        self.actor: Any = None
        self.question: Any = None

    @property
    def alive(self) -> bool:
        """Whether it was asked for and has not been lost."""
        return self.actor is not None

    def open(self, setup: Setup) -> None:
        """Ask for the actor."""
        self.actor = self._engine.start(setup)
        self.ask()
        self.restart(time.monotonic())

    def ask(self) -> None:
        """Ask it for news."""
        self.question = self._engine.ask(self.actor)

    def send(self, message: Any) -> None:
        """As `Messenger`."""
        self._engine.give(self.actor, message)

    def end(self, why: str) -> None:
        """End its actor; that is heard of as `Died`."""
        self.ended = why
        self._engine.end(self.actor)

    def leave(self) -> None:
        """Forget the actor."""
        self.actor, self.question, self.ready = None, None, False


class RayPool(Crew[RayWorker]):
    """At most `n_workers` actors (0: as many as the cluster has room for now); a context manager that leaves none."""

    def __init__(self, engine: Engine, n_workers: int, task: TaskConfig, workdir: Path, corpus_hash: str):
        self._engine, self._task, self._workdir, self._corpus_hash = engine, task, workdir.resolve(), corpus_hash
        super().__init__([RayWorker(f"ray-{i}", engine) for i in range(n_workers or max(1, engine.room()))])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._alive():
            self._engine.end(each.actor)
            each.leave()
        self._engine.close()

    def start(self, count: int) -> None:
        """As `Crew`; actors that no run is left for give their place back."""
        super().start(count)
        spare = len(self._alive()) - count
        for each in [each for each in self._alive() if each.idle or not each.ready][: max(0, spare)]:
            self._engine.end(each.actor)
            each.leave()

    def _start(self, each: RayWorker) -> None:
        folders = {"workdir": str(self._workdir), "cache": "", "programs": ""}  # caches are the node's own
        each.open(Setup(each.name, 0.0, self._corpus_hash, None, self._task, **folders))

    def events(self, timeout: float) -> Iterator[tuple[RayWorker, Any]]:
        """As `Launcher`; `Died` where an actor was lost."""
        asked = {each.question: each for each in self._alive()}
        if not asked:
            time.sleep(timeout)
            return
        for question in self._engine.answered(list(asked), timeout):
            each = asked[question]
            if each.question is question:  # not of an actor that was let go in the meantime
                yield from ((each, message) for message in self._heard(each))

    def _heard(self, each: RayWorker) -> Iterator[Any]:
        try:
            messages = self._engine.news(each.question)
        except Lost as lost:
            each.deaths += not each.ready
            self._engine.end(each.actor)  # it may be cut off alone, and must not train what another takes up
            each.leave()
            each.hear(None, time.monotonic())
            yield Died(None, str(lost))
            return
        each.ask()
        for message in messages:
            each.hear(message, time.monotonic())
            if isinstance(message, Ready):
                each.ready, each.deaths = True, 0
            yield message
