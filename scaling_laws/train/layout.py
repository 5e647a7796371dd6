"""Where a program's arrays lie: how a pack's members are worked through, and over which devices.

A mesh has the axes `pack` (members), `data` (windows of a batch) and `fsdp` (windows, and slices of every large tensor;
Zhao et al. 2023). Dimension letters: M members, K steps a dispatch, B batch.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from scaling_laws.config import ConfigError, RunConfig
from scaling_laws.spec import Spec

STRATEGIES = ("map", "vmap")
AXES = ("pack", "data", "fsdp")


@dataclasses.dataclass(frozen=True)
class Layout:
    """`members` runs of one shape advanced together: one after the other (`map`) or side by side (`vmap`)."""

    members: int = 1
    strategy: str = "map"
    backend: str = "jit"  # or pmap
    pack_devices: int = 1
    data_devices: int = 1
    fsdp_devices: int = 1
    processes: int = 1  # whose devices these are

    @classmethod
    def of(cls, run: RunConfig, members: int = 1, strategy: str = "map", pack_devices: int = 1) -> "Layout":
        """The layout that a run's settings ask for. Raises ConfigError where it does not fit the run or the devices."""
        train = run.train
        devices = (pack_devices, train.data_devices, train.fsdp_devices)
        layout = cls(members, strategy, train.backend, *devices, processes=jax.process_count())
        layout.check()
        return layout

    @property
    def n_devices(self) -> int:
        """Devices that the programs run on."""
        return self.pack_devices * self.data_devices * self.fsdp_devices

    def brings(self, spec: Spec) -> bool:
        """Whether each process brings the windows of its own share of a batch, in place of a text that lies on every
        device."""
        return self.processes > 1 and spec.source == "windows"

    def rows(self, batch: int) -> np.ndarray | None:
        """(n,) ascending: the rows of a batch that the devices of this process work on; None for all."""
        if self.processes == 1:
            return None
        cuts = self.sharding(("data", "fsdp")).addressable_devices_indices_map((batch,))
        return np.unique(np.concatenate([np.arange(batch)[cut] for cut in cuts.values()]))

    def check(self) -> None:
        """Raises ConfigError, in one line, where the layout cannot be had."""
        found = jax.device_count()
        if self.n_devices > found:
            raise ConfigError(
                f"train.data_devices x train.fsdp_devices x pack: {self.n_devices} devices; allowed: at most {found}"
            )
        if self.processes > 1:
            self._check_over_processes(found)
        if self.backend == "pmap" and self.fsdp_devices * self.pack_devices > 1:
            raise ConfigError("train.backend: pmap; allowed: jit where tensors or packs are spread over devices")
        if self.members % self.pack_devices:
            raise ConfigError(f"pack of {self.members} on {self.pack_devices} devices; allowed: a multiple of them")
        if self.strategy not in STRATEGIES:
            raise ConfigError(f"strategy: {self.strategy!r}; allowed: {', '.join(STRATEGIES)}")
        if self.pack_devices > 1 and self.strategy != "vmap":
            raise ConfigError(f"strategy: {self.strategy!r}; allowed: vmap where a pack is spread over devices")

    def _check_over_processes(self, found: int) -> None:
        if self.n_devices != found:
            raise ConfigError(
                f"train.data_devices x train.fsdp_devices: {self.n_devices}; allowed: {found}, all devices of "
                f"{self.processes} processes"
            )
        if self.backend == "pmap":
            raise ConfigError("train.backend: pmap; allowed: jit where several processes train one model")
        if self.pack_devices > 1:
            raise ConfigError(f"pack over {self.pack_devices} devices; allowed: 1 where several processes train it")

    def mesh(self) -> Mesh:
        """The mesh over the first devices, axes pack, data and fsdp."""
        sizes = (self.pack_devices, self.data_devices, self.fsdp_devices)
        devices = np.array(jax.devices()[: self.n_devices]).reshape(sizes)
        return Mesh(devices, AXES, axis_types=(AxisType.Auto,) * len(AXES))

    def state_shardings(self, state: Any) -> Any:
        """Shardings of a state with a leading axis of members: each tensor cut along its longest axis that divides."""
        mesh = self.mesh()
        return jax.tree.map(lambda leaf: NamedSharding(mesh, self._cut(leaf.shape[1:])), state)

    def _cut(self, shape: tuple[int, ...]) -> PartitionSpec:
        spec: list[str | None] = [None] * len(shape)
        whole = [axis for axis, size in enumerate(shape) if size % self.fsdp_devices == 0 and size > 1]
        if whole and self.fsdp_devices > 1:
            spec[max(whole, key=lambda axis: shape[axis])] = "fsdp"
        return PartitionSpec("pack", *spec)

    def sharding(self, *spec: Any) -> NamedSharding:
        """The sharding of an array whose axes lie along these axes of the mesh."""
        return NamedSharding(self.mesh(), PartitionSpec(*spec))


def over_members(function: Any, strategy: str, axes: tuple[int | None, ...]) -> Any:
    """`function` over the leading axis of the arguments whose entry in `axes` is 0; results stacked."""
    if strategy == "vmap":
        return jax.vmap(function, in_axes=axes)

    def mapped(*arguments: Any) -> Any:
        varied = [argument for argument, axis in zip(arguments, axes, strict=True) if axis == 0]

        def one(mine: Any) -> Any:
            left = iter(mine)
            return function(*(next(left) if axis == 0 else a for a, axis in zip(arguments, axes, strict=True)))

        n_members = len(jax.tree.leaves(varied[0])[0])
        if n_members > 1:
            return jax.lax.map(one, varied)
        return jax.tree.map(lambda leaf: leaf[None], one([jax.tree.map(lambda leaf: leaf[0], each) for each in varied]))

    return mapped
