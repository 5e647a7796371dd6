"""Which run an idle worker does next."""

from collections.abc import Collection, Sequence

from scaling_laws.sweep.planned import PlannedRun

Program = tuple[int, int, int]


def choose(
    waiting: Sequence[PlannedRun], compiled: Collection[Program], elsewhere: Collection[Program], n_workers: int
) -> PlannedRun:
    """The next run for a worker that has `compiled` these programs while others have compiled those `elsewhere`.

    A run so long that it alone would take a fair share of the rest goes first, else it would end last with the other
    workers idle. Then a program this worker has compiled, then one that nobody has, then any; the longest within each.
    """
    longest = max(waiting, key=_length)
    fair_share = sum(planned.expected_seconds for planned in waiting) / n_workers
    if longest.expected_seconds >= fair_share:
        return longest
    own = [planned for planned in waiting if planned.program in compiled]
    fresh = [planned for planned in waiting if planned.program not in elsewhere]
    return max(own or fresh or waiting, key=_length)


def _length(planned: PlannedRun) -> tuple[float, str]:
    return planned.expected_seconds, planned.run_id
