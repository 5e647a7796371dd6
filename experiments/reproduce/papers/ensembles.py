"""Lobacheva et al. 2020, "On power laws in deep ensembles": loss over the number of members, c + b / K."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Quantity, Result

if TYPE_CHECKING:
    from analysis.figures.chart import Drawing, Layer

EXPONENT = 1.0  # of K, where members are many
SHAPE = ("family", "width", "depth", "steps")
FEWEST = 3  # sizes, of which the largest is foretold by the others
GRID = 60
PAPER_SCALE = "VGG and WideResNet on CIFAR"
ROLES = ("law", "approach1", "approach2", "approach3")
FEW_MEMBERS = "b / K is how averages of many members fall; of one to eight, terms in 1 / K^2 have not gone yet"
SMALL = (
    "the seeds do not tell one network from several of its parameters; splitting is said to pay for networks larger "
    "than their data ask for, and nine thousand parameters are not"
)


@dataclasses.dataclass(frozen=True)
class Arm:
    """Ensembles of one width: sizes (K,) and losses (S, K) of the same seeds; `n_params` of a single member."""

    name: str
    members_K: np.ndarray
    losses_SxK: np.ndarray
    n_params: int

    @property
    def held_out(self) -> int:
        """How many of the largest sizes are foretold, not fitted."""
        return int(len(self.members_K) >= FEWEST)


def members(own: Own) -> Result:
    """Loss over K with the law through all sizes but the largest, and the split of one network's parameters."""
    from analysis.load import DataError

    workdir = own.workdirs["ensembles"]
    whole, split = _arms(workdir)
    if not whole:
        raise DataError(f"{workdir}: no ensembles of several sizes; allowed: a table of experiments.ensemble")
    quantities = [one for arm in whole for one in (*_law(arm), *_exponent(arm, own.bootstrap))]
    for arm in split:
        beside = [one for one in whole if arm.name.startswith(f"{one.name},")]
        quantities += [each for one in beside for each in _split(arm, one)]
    return Result((_drawing(whole, split),), tuple(quantities))


def _arms(workdir: Path) -> tuple[list[Arm], list[Arm]]:
    """Those of whole members by width, and those that share the parameters of one of them."""
    from experiments.ensembles.report import matrices
    from experiments.ensembles.study import Made
    from experiments.reproduce import own_study

    rows = [row for row in own_study.rows(workdir) if _is_deep(row)]
    single = {tuple(row[name] for name in SHAPE): row["n_params"] for row in rows if row["strength"] == 0}
    whole: list[Made] = []
    split: list[Made] = []
    for row in rows:
        shape = tuple(row[name] for name in SHAPE)
        about = row["seed"], round(row["strength"]) + 1, row, ()
        if shape in single:
            whole.append(Made(_said(shape), *about))
        elif single:
            near = min(single, key=lambda each: abs(np.log(single[each] / row["n_params"])))
            split.append(Made(f"{_said(near)}, split", *about))
    sizes = {_said(shape): n for shape, n in single.items()}
    found = [
        [Arm(name, *both, sizes[name.removesuffix(", split")]) for name, both in matrices(part).items()]
        for part in (whole, split)
    ]
    return sorted((arm for arm in found[0] if len(arm.members_K) > 1), key=lambda arm: arm.n_params), found[1]


def _is_deep(row: dict[str, Any]) -> bool:
    return row["purpose"] == "ensemble" and json.loads(row["config"]).get("ensemble.kind") == "deep"


def _said(shape: Sequence[Any]) -> str:
    return f"{shape[0]} {shape[1]} x {shape[2]}"


def _law(arm: Arm) -> Iterator[Quantity]:
    """How well c + b / K describes every size, and foretells the largest."""
    from analysis.lines import lines
    from analysis.over_members import over_members
    from experiments.reproduce import own_study

    scale = f"N {arm.n_params:,}, {len(arm.losses_SxK)} seeds"
    law = over_members(arm.members_K, arm.losses_SxK)
    yield Quantity(f"b of c + b / K, {arm.name}", None, law.b, law.b_interval, scale=scale)
    if not arm.held_out:
        return
    misfit = float(np.max(np.abs(law.residuals) / law.reaches))
    said = f"largest residual of c + b / K over its interval's reach, {arm.name}"
    yield Quantity(said, 1.0, misfit, None, None, PAPER_SCALE, scale, FEW_MEMBERS, at_most=True)
    last = int(arm.members_K[-1])
    fits = lines(1 / arm.members_K[:-1], arm.losses_SxK[:, :-1])
    off, ends = own_study.mean(arm.losses_SxK[:, -1] - fits[:, 0] - fits[:, 1] / last)
    said = f"loss of {last} members less what fewer foretell, {arm.name}"
    yield Quantity(said, 0.0, off, ends, (ends[1] - ends[0]) / 2, PAPER_SCALE, scale, FEW_MEMBERS)


def _exponent(arm: Arm, bootstrap: int) -> Iterator[Quantity]:
    """The exponent of K where it is free, and where the loss is seen to fall at all. Resampled by seed, for the
    ensembles of a seed share members."""
    from analysis.fit import fit
    from analysis.load import Runs
    from analysis.over_members import over_members

    if not arm.held_out or not over_members(arm.members_K, arm.losses_SxK).b_interval[0] > 0:
        return
    seeds, sizes = arm.losses_SxK.shape
    columns = {
        "x": np.tile(arm.members_K.astype(float), seeds),
        "loss": arm.losses_SxK.ravel(),
        "trunk": np.repeat(np.arange(seeds), sizes).astype(str),
    }
    law = fit(Runs(columns, arm.name), "power_floor(x)", objective="mse", bootstrap=bootstrap)
    yield Quantity(f"exponent of K, {arm.name}", EXPONENT, law.coefficients["gamma"], law.intervals.get("gamma"), None,
                   PAPER_SCALE, f"N {arm.n_params:,}, {seeds} seeds", FEW_MEMBERS)  # fmt: skip


def _split(arm: Arm, whole: Arm) -> Iterator[Quantity]:
    """Each number of members of N / K beside the one network of N, seed by seed; nothing where seeds are missing."""
    if len(arm.losses_SxK) < len(whole.losses_SxK):
        return
    from experiments.reproduce import own_study

    for place, size in enumerate(arm.members_K.tolist()):
        off, ends = own_study.mean(arm.losses_SxK[:, place] - whole.losses_SxK[:, 0])
        said = f"loss of {size} members of N / {size} less that of one, {whole.name}"
        yield Quantity(said, 0.0, off, ends, None, PAPER_SCALE, f"N {whole.n_params:,}", SMALL, at_most=True)


def _drawing(whole: Sequence[Arm], split: Sequence[Arm]) -> "Drawing":
    from analysis.figures.chart import Axis, Drawing, Panel

    layers = [layer for k, arm in enumerate(whole) for layer in _layers(arm, ROLES[k % len(ROLES)])]
    layers += [_points(arm, slice(None), "warning", "hollow", f"{arm.name}: members of N / K") for arm in split]
    panel = Panel(Axis("members K"), Axis("held-out loss (nats/example)", log=False), tuple(layers))
    caption = (
        "Means over seeds with 95 % intervals. The law c + b / K goes through the full points of its colour, with the "
        "interval of its mean; the largest K is foretold."
    )
    return Drawing("over_members", "Loss over members (Lobacheva et al. 2020)", caption, (panel,))


def _layers(arm: Arm, role: str) -> "Iterator[Layer]":
    from analysis.figures.chart import Layer
    from analysis.lines import lines
    from experiments.reproduce import own_study

    count = len(arm.members_K) - arm.held_out
    x = np.geomspace(1.0, arm.members_K[-1], GRID)
    fits = lines(1 / arm.members_K[:count], arm.losses_SxK[:, :count])
    means, ends = zip(*(own_study.mean(fits[:, 0] + fits[:, 1] / each) for each in x), strict=True)
    yield Layer("band", f"{arm.name}: interval", x, np.array(means), *np.array(ends).T, role=role, legend=False)
    yield Layer("line", f"{arm.name}: c + b / K", x, np.array(means), role=role)
    yield _points(arm, slice(count), role, "dot", arm.name)
    if arm.held_out:
        yield _points(arm, slice(count, None), role, "hollow", f"{arm.name}, foretold")


def _points(arm: Arm, part: slice, role: str, mark: str, name: str) -> "Layer":
    from analysis.figures.chart import Layer
    from experiments.reproduce import own_study

    means, ends = zip(*(own_study.mean(losses) for losses in arm.losses_SxK.T[part]), strict=True)
    x = arm.members_K[part].astype(float)
    return Layer("points", name, x, np.array(means), *np.array(ends).T, role=role, mark=mark)


PAPER = Paper(
    "Lobacheva et al. 2020, On power laws in deep ensembles (arXiv:2007.08483)",
    "The loss of an ensemble falls with its members as c + b / K; large networks do better split into several.",
    {"members": Figure("loss over the members of deep ensembles", own=members, sweeps=("ensembles",))},
)
