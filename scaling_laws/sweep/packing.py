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
    def of(cls, sweep: SweepConfig) -> "Packing":
        """What `sweep.strategy` asks for on this machine; what `auto` goes by unless it is worth measuring.

        On a CPU one single-threaded process a core is faster than packs of small transformers; an accelerator, which a
        single small model leaves idle, is filled by `vmap`, several by a pack spread over them.
        """
        strategy, size = sweep.strategy, sweep.pack_size or LARGEST
        if strategy == "auto":
            strategy = "processes" if not machine.accelerator() else "devices" if machine.device_count() > 1 else "vmap"
        if strategy == "processes":
            return ALONE
        return cls._spread(size) if strategy == "devices" else cls(size, strategy)

    @classmethod
    def options(cls, sweep: SweepConfig) -> tuple["Packing", ...]:
        """What `auto` measures where that is worth it; nothing where `sweep.strategy` leaves no choice."""
        if sweep.strategy != "auto":
            return ()
        largest = sweep.pack_size or LARGEST
        sizes = sorted({min(FEW, largest), largest}) if machine.accelerator() else [min(FEW, largest)]
        several = machine.device_count() > 1
        return (ALONE, *(cls._spread(size) if several else cls(size, "vmap") for size in sizes if size > 1))

    @classmethod
    def _spread(cls, size: int) -> "Packing":
        n_devices = machine.device_count()
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


ALONE = Packing()
