"""Which packing each form of run gets: that of a rule, or the one that a short measurement found fastest."""

from collections.abc import Sequence

from scaling_laws.config import RunConfig
from scaling_laws.sweep.packing import ALONE, Packing
from scaling_laws.sweep.planned import PlannedRun

WORTH = 300.0  # expected seconds of a form's waiting runs from which on it pays to compile and time the other ways
CLEARLY = 1.05  # by so much a pack must be faster than runs alone, which lose less to an interruption


class Choices:
    """`rule` for every form until `options` have been measured with it; no options: the rule for good."""

    def __init__(self, rule: Packing, options: tuple[Packing, ...] = ()):
        self.rule, self.options = rule, options
        self._found: dict[RunConfig, Packing] = {}
        self._too_few: dict[RunConfig, int] = {}  # form -> how many runs waited when it was not worth a trial

    def alone(self, planned: PlannedRun) -> bool:
        """Whether runs of that form go alone for good, whatever waits."""
        return self.of(planned) == ALONE and (not self.options or planned.form in self._found)

    def of(self, planned: PlannedRun) -> Packing:
        """How runs of that form are packed, as far as is known."""
        return self._found.get(planned.form, self.rule) if self.options else self.rule

    def to_try(self, first: PlannedRun, waiting: Sequence[PlannedRun]) -> tuple[Packing, ...]:
        """The ways to measure with `first` before the runs of its form are handed out; none where that is not worth it.

        They are named once: the other workers go by the rule in the meantime.
        """
        if not self.options or first.form in self._found or len(waiting) <= self._too_few.get(first.form, -1):
            return ()
        alike = [each for each in waiting if each.program == first.program and each.form == first.form]
        fitting = tuple(option for option in self.options if option.size <= len(alike))
        if len(fitting) < 2 or sum(each.expected_seconds for each in alike) < WORTH:
            self._too_few[first.form] = len(waiting)
            return ()
        self._found[first.form] = self.rule
        return fitting

    def learn(self, planned: PlannedRun, options: Sequence[Packing], rates: Sequence[float]) -> str:
        """Take the fastest from now on; says in one line what was measured, in steps a second of all members."""
        credit = [rate / (CLEARLY if option.size > 1 else 1.0) for option, rate in zip(options, rates, strict=True)]
        best = options[credit.index(max(credit))]
        self._found[planned.form] = best
        measured = ", ".join(f"{name(option)} {rate:.4g}" for option, rate in zip(options, rates, strict=True))
        width, depth = planned.shape
        return f"width {width} depth {depth}: {measured} steps a second; runs go {name(best)}"


def name(packing: Packing) -> str:
    """`alone`, `vmap x 8`, `vmap x 32 on 4 devices`."""
    if packing == ALONE:
        return "alone"
    devices = f" on {packing.pack_devices} devices" if packing.pack_devices > 1 else ""
    return f"{packing.strategy} x {packing.size}{devices}"
