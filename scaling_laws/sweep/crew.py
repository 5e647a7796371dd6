"""Workers that are started once, take messages and answer them: what is the same wherever they run."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from scaling_laws.sweep.messages import Stop
from scaling_laws.sweep.packing import Packing
from scaling_laws.sweep.planned import PlannedRun
from scaling_laws.sweep.slot import Slot

PATIENCE = 2  # deaths in a row before it was ready, after which a worker is not started again


class Launcher(Protocol):
    """What `execute` hands runs to; a context manager that leaves nothing behind."""

    @property
    def workers(self) -> Sequence[Slot]:
        """All slots, started or not."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether nothing runs and nothing may be started again."""
        ...

    @property
    def at_once(self) -> int:
        """How many can be at work at the same time, as far as is known."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def start(self, count: int) -> None:
        """Have slots for `count` runs, as far as there may be so many."""
        ...

    def try_out(self, each: Any, planned: PlannedRun, options: tuple[Packing, ...]) -> None:
        """Have an idle slot measure how fast such runs advance in each of these packs."""
        ...

    def assign(self, each: Any, pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str] = ()) -> None:
        """Hand runs of one form to an idle slot; those `awaited` (run_ids) leave a checkpoint of their trunk."""
        ...

    def ask_to_stop(self) -> None:
        """Have every run write its checkpoint and end."""
        ...

    def events(self, timeout: float) -> Iterator[tuple[Slot, Any]]:
        """What there is to hear within `timeout` seconds."""
        ...


class Messenger(Slot):
    """A slot that takes messages."""

    def send(self, message: Any) -> None:
        """Send a message; one to a worker that has just died is lost, its end is heard of separately."""
        raise NotImplementedError


Each = TypeVar("Each", bound=Messenger)


class Crew(Generic[Each]):
    """`workers` that live from one run to the next; how one is started and heard of is each kind's own."""

    def __init__(self, workers: Sequence[Each]):
        self.workers = list(workers)

    @property
    def at_once(self) -> int:
        """As `Launcher`."""
        return len(self.workers)

    def _start(self, each: Each) -> None:
        raise NotImplementedError

    def _alive(self) -> list[Each]:
        return [each for each in self.workers if each.alive]

    def start(self, count: int) -> None:
        """Have at least `count` workers running, as far as the crew's size and their deaths allow."""
        missing = min(count, len(self.workers)) - len(self._alive())
        rested = [each for each in self.workers if not each.alive and each.deaths < PATIENCE]
        for each in rested[: max(0, missing)]:
            self._start(each)

    def try_out(self, each: Each, planned: PlannedRun, options: tuple[Packing, ...]) -> None:
        """As `Launcher`."""
        each.send(each.try_out(planned, options))

    def assign(self, each: Each, pack: Sequence[PlannedRun], packing: Packing, awaited: Collection[str] = ()) -> None:
        """As `Launcher`."""
        each.send(each.take(pack, packing, awaited))

    def ask_to_stop(self) -> None:
        """Ask every worker to write its checkpoint and end."""
        for each in self._alive():
            each.send(Stop())

    @property
    def exhausted(self) -> bool:
        """Whether no worker runs and none may be started again."""
        return not self._alive() and all(each.deaths >= PATIENCE for each in self.workers)
