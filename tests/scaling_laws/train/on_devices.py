"""Trains one model for 30 steps in every layout on 8 simulated devices; prints what came out, as JSON."""

import functools
import json
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from scaling_laws import hyper as numbers
from scaling_laws import spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.train import arrays
from scaling_laws.train.checkpoint import Checkpoints
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.programs import Programs, stack
from scaling_laws.train.shape import Shape
from scaling_laws.train.state import averaged
from scaling_laws.train.state import params as params_of

RUN = replace(
    RunConfig(),
    {
        "train.parametrization": "standard",
        "model.head_init": "small",  # large gradients grow differences of rounding past 1e-5 in thirty steps
        "model.width": 32,
        "model.depth": 1,
        "task.context": 16,
        "train.batch_size": 16,
        "train.steps": 30,
        "train.steps_per_dispatch": 10,
        "train.accumulation": 1,
        "optimizer.clip_norm": 0.5,
        "optimizer.weight_decay": 0.1,
        "train.average": "ema",
    },
)
LAYOUTS = {
    "data": {"data_devices": 8},
    "fsdp": {"fsdp_devices": 8},
    "data x fsdp": {"data_devices": 2, "fsdp_devices": 4},
    "pmap": {"data_devices": 8, "backend": "pmap"},
    "brought": {"data_devices": 2, "fsdp_devices": 4, "processes": 2},  # as several would, their devices all in one
    "pack": {"members": 8, "strategy": "vmap", "pack_devices": 8},
    "pack x data": {"members": 4, "strategy": "vmap", "pack_devices": 2, "data_devices": 4},
    "pack x fsdp": {"members": 2, "strategy": "vmap", "pack_devices": 2, "fsdp_devices": 4},
}
RNG = np.random.default_rng(0)
TEXT = {"tokens": RNG.integers(0, 256, 2000).astype(np.uint8)}
STARTS = RNG.integers(0, 1900, (3, 10, 16)).astype(np.int32)


@functools.cache
def programs_of(layout: Layout, accumulation: int) -> Programs:
    """Compiled once, whoever goes on in that layout."""
    run = replace(RUN, {"train.accumulation": accumulation})
    return Programs(Shape.of(run, spec.text(256, 16)), layout, DataForms.of(TEXT, TEXT))


def trained(*layouts: Layout, accumulation: int = 1):
    """Losses (M, 30), the members' last parameters and averages, evaluation losses (M, B), bytes of state a device.

    With three layouts, each trains ten steps from the checkpoint that the one before it has left.
    """
    layout = layouts[0]
    programs = programs_of(layout, accumulation)
    data, eval_data = programs.place_data(TEXT, TEXT)
    members = range(layout.members)
    state = programs.place_states([programs.initial_state(seed) for seed in members])
    rates = [replace(RUN, {"optimizer.learning_rate": 1e-3 * (1 + seed)}) for seed in members]
    hyper, losses = stack([numbers.hyperparameters(each) for each in rates]), []
    for turn in range(3):
        if turn and len(layouts) > 1:
            kept, layout = through_checkpoints(programs.fetch_states(state)), layouts[turn]
            programs = programs_of(layout, accumulation)
            data, eval_data = programs.place_data(TEXT, TEXT)
            state = programs.place_states(kept)
        same = np.broadcast_to(STARTS[turn], (layout.members, 10, 16))
        state, found, *_ = programs.advance(state, hyper, data, same, 10, np.ones(layout.members, bool))
        losses.append(np.asarray(found))
    evaluated = np.asarray(programs.losses_MxB(state, hyper, eval_data, np.arange(16, dtype=np.int32))[0])
    params = [(params_of(each), averaged(each)) for each in programs.fetch_states(state)]
    return np.concatenate(losses, axis=1), params, evaluated, bytes_on_first_device(state)


def through_checkpoints(states: list) -> list:
    """The states as they come back from the disk."""
    back = []
    for state in states:
        with tempfile.TemporaryDirectory() as folder:
            Checkpoints(folder).save(10, state)
            found = Checkpoints(folder).restore({name: np.zeros_like(leaf) for name, leaf in state.items()})
            assert found is not None
            back.append(found[1])
    return back


def shares_make_the_whole() -> bool:
    """What one process would keep of a state over eight devices, from the disk, beside the state itself; each number is
    there once."""
    layout = Layout(**LAYOUTS["brought"])
    programs = programs_of(layout, 1)
    (before,) = [programs.initial_state(0)]
    state = programs.place_states([dict(before)])
    (kept,) = programs.kept_states(state)
    once = all(sum(values.size for _, values in kept[name].pieces) == leaf.size for name, leaf in before.items())
    with tempfile.TemporaryDirectory() as folder:
        arrays.write_pieces(Path(folder), kept, 0)
        after = arrays.read(Path(folder), before)
    return once and all(after[name].tobytes() == leaf.tobytes() for name, leaf in before.items())


def bytes_on_first_device(state) -> int:
    """Bytes of a state that lie on the first device."""
    first = jax.devices()[0]
    shards = [shard for leaf in jax.tree.leaves(state) for shard in leaf.addressable_shards]
    return sum(shard.data.nbytes for shard in shards if shard.device == first)


def difference(a, b) -> float:
    """The largest absolute difference between the leaves of two trees."""
    return max(float(np.abs(x - y).max()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def main() -> None:
    """Every layout against its members trained alone on one device."""
    alone, out = trained(Layout(members=8)), {}
    for name, settings in LAYOUTS.items():
        layout = Layout(**settings)
        if layout.processes == 1:
            layout.check()
        losses, params, evaluated, n_bytes = trained(layout)
        count = layout.members
        out[name] = {
            "losses": difference(losses, alone[0][:count]),
            "params": max(difference(mine, theirs) for mine, theirs in zip(params, alone[1], strict=False)),
            "evaluated": difference(evaluated, alone[2][:count]),
            "bytes": n_bytes,
        }
    single = [alone[0][:1], alone[1][:1], alone[2][:1], alone[3] // 8]  # the first of the members
    moved = trained(Layout(fsdp_devices=8), Layout(data_devices=2, fsdp_devices=2), Layout())
    out["8, 4, 1 devices"] = {"losses": difference(moved[0], single[0]), "params": difference(moved[1], single[1])}
    moved = trained(Layout(), Layout(data_devices=4, backend="pmap"), Layout(fsdp_devices=4))
    out["1, 4, 4 devices"] = {"losses": difference(moved[0], single[0]), "params": difference(moved[1], single[1])}
    parted = trained(Layout(), accumulation=4)
    out["one"] = {"bytes": single[3], "fell": float(single[0][0, 0] - single[0][0, -1])}
    out["accumulated"] = {"losses": difference(parted[0], single[0]), "params": difference(parted[1], single[1])}
    both = trained(Layout(data_devices=2, fsdp_devices=2), accumulation=2)
    out["accumulated on 4"] = {"losses": difference(both[0], single[0]), "params": difference(both[1], single[1])}
    out["shares"] = shares_make_the_whole()
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
