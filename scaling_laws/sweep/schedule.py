"""Which run an idle worker does next."""

from collections.abc import Collection, Mapping, Sequence

from scaling_laws.sweep.planned import PlannedRun

Program = tuple[int, int, int]


def choose(
    waiting: Sequence[PlannedRun],
    compiled: Collection[Program],
    elsewhere: Collection[Program],
    n_workers: int,
    ahead: Mapping[str, float],
) -> PlannedRun:
    """The next run for a worker that has `compiled` these programs while others have compiled those `elsewhere`.

    A run so long that it alone would take a fair share of the rest goes first, else it would end last with the other
    workers idle. Then a program this worker has compiled, then one that nobody has, then any; the longest within each.
    A branch is as long as all that wait on its trunk, `ahead` by trunk (`trunks.seconds_ahead`).
    """

    def seconds(planned: PlannedRun) -> float:
        return ahead[planned.trunk] if planned.trunk else planned.expected_seconds

    def length(planned: PlannedRun) -> tuple[float, str]:
        return seconds(planned), planned.run_id

    longest = max(waiting, key=length)
    fair_share = sum(map(seconds, waiting)) / n_workers
    if seconds(longest) >= fair_share:
        return longest
    own = [planned for planned in waiting if planned.program in compiled]
    fresh = [planned for planned in waiting if planned.program not in elsewhere]
    return max(own or fresh or waiting, key=length)
