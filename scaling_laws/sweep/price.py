"""What a plan would take on devices that are named, not at hand: hours, money, time by the clock, room on the disk."""

import dataclasses
import heapq
from collections.abc import Iterable, Sequence

from scaling_laws.config import ConfigError
from scaling_laws.progress import duration
from scaling_laws.sweep import show, trunks, volume
from scaling_laws.sweep.device import Device
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.plan import Plan
from scaling_laws.sweep.planned import PlannedRun
from scaling_laws.sweep.waiting import Waiting

SHOWN = 5  # shapes that do not fit, a line each
SIZES = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclasses.dataclass(frozen=True)
class Price:
    """Of the runs that fit the device's memory, their `expected_seconds` those of one device, or of as many as a run is
    spread over; compiling, starting and checks of the rate are left out. Bytes as `volume` has them."""

    device: Device
    runs: tuple[PlannedRun, ...]
    misfits: tuple[tuple[PlannedRun, int], ...]  # with the bytes that each would need of one device
    spread: int  # devices a run
    wall_seconds: float

    @property
    def device_hours(self) -> float:
        """Hours in which a device trains."""
        return self.spread * sum(planned.expected_seconds for planned in self.runs) / 3600

    @property
    def cost(self) -> float | None:
        """Of those hours, in the currency of the price."""
        return None if self.device.price is None else self.device.price * self.device_hours

    @property
    def held_cost(self) -> float | None:
        """Of all devices from the first run's start to the last one's end."""
        if self.device.price is None:
            return None
        return self.device.price * self.device.count * self.wall_seconds / 3600

    @property
    def logs(self) -> int:
        """Bytes of journal and TensorBoard in the end."""
        return sum(volume.journal(planned) + volume.events(planned) for planned in self.runs)

    @property
    def kept(self) -> int:
        """Bytes of the parameters that finished runs keep."""
        return sum(map(volume.parameters, self.runs))

    @property
    def written(self) -> int:
        """Bytes of all checkpoints that are written on the way."""
        return sum(volume.saves(one, one.expected_seconds) * volume.checkpoint(one) for one in self.runs)

    @property
    def at_once(self) -> int:
        """Bytes of checkpoints that lie on the disk at once, at most."""
        long = sorted(
            (volume.checkpoint(one) for one in self.runs if volume.saves(one, one.expected_seconds)), reverse=True
        )
        shared = {one.trunk: volume.checkpoint(one) for one in self.runs if one.trunk}
        return (volume.KEPT + 1) * sum(long[: self.device.count // self.spread]) + sum(shared.values())


def price(plan: Plan, device: Device) -> Price:
    """What the runs of a plan would take there. Raises ConfigError where a run is spread over more devices than there
    are.

    A run of several devices (`train.data_devices`, `train.fsdp_devices`) is taken to go so many times as fast.
    """
    train = plan.config.train
    spread = train.data_devices * train.fsdp_devices
    if spread > device.count:
        raise ConfigError(f"--device: count={device.count}; allowed: at least {spread}, the devices of one run")
    pace = Pace(default=spread * device.rate)
    needs = [_needed(planned, plan, train.fsdp_devices, spread) for planned in plan.runs]
    fitting = [one for one, needed in zip(plan.runs, needs, strict=True) if needed <= device.memory]
    misfits = [(one, needed) for one, needed in zip(plan.runs, needs, strict=True) if needed > device.memory]
    runs = tuple(trunks.lasting(planned, pace) for planned in fitting)
    return Price(device, runs, tuple(misfits), spread, wall_seconds(runs, device.count // spread))


def _needed(planned: PlannedRun, plan: Plan, shards: int, spread: int) -> int:
    """Bytes of one device: of the state its shard, of a step's work its share of the windows."""
    needed = show.memory_of(planned.run, plan.facts, on_cpu=False)
    state = needed.state - plan.facts.data_bytes
    return state // shards + plan.facts.data_bytes + needed.work // spread


def wall_seconds(runs: Iterable[PlannedRun], n_workers: int) -> float:
    """When the last of the runs ends if workers are handed them as a sweep does (`Waiting`): no worker waits while a
    run is ready, the longest go first, and a branch of a trunk waits for the shorter ones."""
    waiting, idle, now = Waiting(runs), n_workers, 0.0
    ends: list[tuple[float, str, PlannedRun]] = []
    while waiting or ends:
        while idle and (chosen := waiting.choose((), set, n_workers)):
            waiting.take([chosen])
            heapq.heappush(ends, (now + chosen.expected_seconds, chosen.run_id, chosen))
            idle -= 1
        now, _, ended = heapq.heappop(ends)
        waiting.release(ended)
        idle += 1
    return now


def lines(found: Price, dtype: str) -> list[str]:
    """The price in words; `dtype`: of the runs' products."""
    device, rate = found.device, found.device.peak
    peak = f"{rate:.4g} FLOP/s{' of bfloat16' if device.dtype else ''}, {size(device.memory)}"
    said = [f"on {device} ({peak}), at {device.utilization:.0%} of the peak:"]
    if device.dtype and dtype != device.dtype:
        said.append(f"  note: model.dtype is {dtype}, the peak that of {device.dtype}; say peak= for another")
    if found.runs:
        said += [f"  {line}" for line in (_hours(found), _clock(found), _checkpoints(found), _logs(found))]
    return said + [f"  {line}" for line in _misfits(found.misfits, device)]


def _hours(found: Price) -> str:
    text = f"{show.plural(len(found.runs), 'run')}, {found.device_hours:.3g} device-hours without compiling"
    if found.cost is None:
        return f"{text}; price= says what an hour of one costs"
    held = f"{found.held_cost:,.2f} with all devices held to the end"
    return f"{text}; at {found.device.price:g} an hour {found.cost:,.2f}, or {held}"


def _clock(found: Price) -> str:
    longest = max(found.runs, key=lambda one: one.expected_seconds)
    width, depth = longest.shape
    idle = 1 - 3600 * found.device_hours / (found.device.count * found.wall_seconds)
    long = f"the longest run, width {width} depth {depth}, takes {duration(longest.expected_seconds)}"
    return f"{duration(found.wall_seconds)} by the clock, of which devices idle {idle:.0%}; {long}"


def _checkpoints(found: Price) -> str:
    largest = max(map(volume.checkpoint, found.runs))
    kept = f", {size(found.kept)} of parameters kept" if found.kept else ""
    most = f"at most {size(found.at_once)} on the disk at once, {size(found.written)} written in all{kept}"
    return f"checkpoints of up to {size(largest)}: {most}"


def _logs(found: Price) -> str:
    count = sum(map(volume.points, found.runs))
    return f"logs of {size(found.logs)}: journal and TensorBoard, {count:,} points of curves"


def _misfits(misfits: Sequence[tuple[PlannedRun, int]], device: Device) -> list[str]:
    worst: dict[tuple[int, int, int], tuple[int, int]] = {}
    for planned, needed in misfits:
        count, most = worst.get(planned.program, (0, 0))
        worst[planned.program] = (count + 1, max(most, needed))
    said = [
        f"does not fit: width {width} depth {depth} batch {batch}, {show.plural(count, 'run')}: "
        f"about {size(needed)} of {size(device.memory)}"
        for (width, depth, batch), (count, needed) in sorted(worst.items(), key=lambda item: item[1][1])
    ]
    more = [f"and {len(said) - SHOWN} more shapes that do not fit"] if len(said) > SHOWN else []
    return said[:SHOWN] + more


def size(n_bytes: float) -> str:
    """`1.2 GB`: of thousands, as memories and disks are sold."""
    unit, name = next(((unit, name) for unit, name in SIZES if n_bytes >= unit), (1.0, "bytes"))
    return f"{n_bytes / unit:.3g} {name}"
