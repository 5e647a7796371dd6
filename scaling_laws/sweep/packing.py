"""Which runs a worker advances together, and how."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

from scaling_laws.config import SweepConfig
from scaling_laws.sweep import machine
from scaling_laws.sweep.planned import PlannedRun

FEW = 8  # runs of the smaller pack that is tried
LARGEST = 32  # runs a pack, where `sweep.pack_size` does not say


@dataclasses.dataclass(frozen=True)
class Packing:
    """At most `size` runs a pack, worked through by `strategy` (map or vmap), spread over `pack_devices` devices."""

    size: int = 1
    strategy: str = "map"
    pack_devices: int = 1

    @classmethod
    def of(cls, sweep: SweepConfig, accelerators: int | None = None) -> "Packing":
        """What `sweep.strategy` asks for; what `auto` goes by unless it is worth measuring.

        On a CPU one single-threaded process a core is faster than packs of small transformers; an accelerator, which a
        single small model leaves idle, is filled by `vmap`, several by a pack spread over them. A worker has so many
        `accelerators`; None: all of this machine's.
        """
        strategy, size, count = sweep.strategy, sweep.pack_size or LARGEST, _accelerators(accelerators)
        if strategy == "auto":
            strategy = "processes" if not count else "devices" if count > 1 else "vmap"
        if strategy == "processes":
            return ALONE
        return cls._spread(size, count) if strategy == "devices" else cls(size, strategy)

    @classmethod
    def options(cls, sweep: SweepConfig, accelerators: int | None = None) -> tuple["Packing", ...]:
        """What `auto` measures where that is worth it; nothing where `sweep.strategy` leaves no choice."""
        if sweep.strategy != "auto":
            return ()
        largest, count = sweep.pack_size or LARGEST, _accelerators(accelerators)
        sizes = sorted({min(FEW, largest), largest}) if count else [min(FEW, largest)]
        return (ALONE, *(cls._spread(size, count) if count > 1 else cls(size, "vmap") for size in sizes if size > 1))

    @classmethod
    def _spread(cls, size: int, accelerators: int) -> "Packing":
        n_devices = max(1, accelerators)
        return cls(max(1, size // n_devices) * n_devices, "vmap", n_devices)

    def choose(
        self, first: PlannedRun, waiting: Sequence[PlannedRun], at: Callable[[PlannedRun], int]
    ) -> list[PlannedRun]:
        """`first` and those waiting that can be advanced with it: of one form, at one step (`at`, by checkpoints).

        A pack over devices takes a multiple of them, or `first` alone.
        """
        if self.size == 1:
            return [first]
        step = at(first)
        alike = (each for each in waiting if each is not first and each.program == first.program)
        others = (each for each in alike if each.form == first.form and at(each) == step)
        pack = [first, *itertools.islice(others, self.size - 1)]
        whole = len(pack) - len(pack) % self.pack_devices
        return pack[: max(1, whole)]


def _accelerators(given: int | None) -> int:
    if given is not None:
        return given
    return machine.device_count() if machine.accelerator() else 0


ALONE = Packing()
