"""Laws of techniques: sparsity (Frantar et al. 2023), precision (Kumar et al. 2024), routing (Clark et al. 2022).

A law is fitted again to points of its published coefficients, which shows that fit and multiplier are the paper's; with
--data naming a folder of kept tables of techniques (`docs/results/techniques`), what those runs measured stands beside.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from experiments.reproduce.entry import Figure, Own, Paper, Published, Quantity, Result

TABLES = {"pictures": "images", "text": "text"}
FILES = tuple(f"{name}/runs.parquet" for name in TABLES.values())
AT_SPARSITY = {0.5: 1.59, 0.75: 2.16}  # m_N of T5
AT_BITS = {4: 0.776, 8: 0.950}  # of weights
DENSE_SIZES = (1e7, 1e8, 1e9)  # N at which routing is drawn
ROUTED = (1, 2, 4, 8, 16, 64, 256)
SIDE = 0.07  # bits
PERCENT, MILLE = 0.005, 5e-4
PRUNED = (
    "networks of ten thousand parameters, pruned while they train; of the strongest, most cells lie beyond what the "
    "baseline measured and are left out; on text only the matrices of the blocks are pruned"
)
ROUNDED = (
    "networks a thousand times smaller than those of the law, whose least useful bits are others'; on text only the "
    "matrices of the blocks are rounded, neither embedding nor head"
)
FEW = "three orders of magnitude below the smallest network of the law, where a router chooses by 12 to 32 features"


@dataclasses.dataclass(frozen=True)
class Arm:
    """One strength of a technique in kept runs: its pooled m_N, and shares of its parameters (geometric means)."""

    table: str
    technique: str
    strength: float
    m_n: float
    interval: tuple[float, float]
    nonzero: float
    active: float
    size: float
    cells: int


def sparsity(data: Published | None) -> Result:
    """m_N beside a dense model with as many weights as are not 0, over sparsity."""
    from analysis.figures.chart import Axis, Layer
    from analysis.published import FRANTAR_2023

    fits = {name: _refit(law, {"density": (1.0, 0.5, 0.25, 0.125)}) for name, law in FRANTAR_2023.items()}
    quantities = []
    for name, found in fits.items():
        for share in (0.5, 0.75, 0.875):
            printed = AT_SPARSITY.get(share) if name == "T5" else None
            value = float(found.multiplier(density=1 - share))
            quantities.append(Quantity(f"m_N at sparsity {share:g}, {name}", printed, value, tolerance=PERCENT))
    grid = np.linspace(0.0, 0.9, 91)
    layers = [
        Layer("line", f"{name}, published", grid, found.multiplier(density=1 - grid), role=role, mark="dashed")
        for (name, found), role in zip(fits.items(), ("law", "muted"), strict=True)
    ]
    arms = _arms(data, "prune")
    for one in arms:
        value, interval = one.m_n / one.nonzero, (one.interval[0] / one.nonzero, one.interval[1] / one.nonzero)
        there = float(fits["T5"].multiplier(density=one.nonzero))
        said = f"m_N at sparsity {1 - one.nonzero:.3g}, {one.table}"
        quantities.append(Quantity(said, there, value, interval, None, "T5's law", _scale(one), PRUNED))
    layers += _points(arms, lambda one: (1 - one.nonzero, 1 / one.nonzero))
    caption = "m_N: parameters of a dense model with the same loss, over weights that are not 0."
    x = Axis("sparsity S of all parameters", log=False)
    return _result("sparsity", "What sparse weights are worth (Frantar et al. 2023)", caption, x, layers, quantities)


def precision(data: Published | None) -> Result:
    """Effective over real parameters by the bits of weights, and of activations."""
    from analysis.figures.chart import Axis, Layer
    from analysis.published import HOFFMANN_2022, KUMAR_2024
    from analysis.published import Published as Law

    grid, layers, quantities, fits = np.linspace(1.0, 9.0, 81), [], [], {}
    for (column, gamma), role in zip(KUMAR_2024.items(), ("law", "muted"), strict=True):
        name = f"precision({column})" if column != "weight_bits" else "precision"
        law = Law(name, HOFFMANN_2022.coefficients | {f"gamma_{column}": gamma}, "Kumar et al. 2024, equation 3")
        fits[column] = found = _refit(law, {column: (2, 3, 4, 6, 8)}, 1e8, 1e10)
        said = column.replace("_", " ")
        quantities.append(Quantity(f"gamma of {said}", gamma, found.coefficients[f"gamma_{column}"], tolerance=5e-5))
        line = found.multiplier(**{column: grid})
        layers.append(Layer("line", f"{said}, published", grid, line, role=role, mark="dashed"))
    for bits, printed in AT_BITS.items():
        value = float(fits["weight_bits"].multiplier(weight_bits=bits))
        quantities.append(Quantity(f"N_eff / N at {bits} bits of weights", printed, value, tolerance=MILLE))
    arms = _arms(data, "quantize_weights", "quantize_activations")
    for one in arms:
        column = "weight_bits" if one.technique == "quantize_weights" else "activation_bits"
        there = float(fits[column].multiplier(**{column: one.strength}))
        said = f"m_N at {one.strength:g} {column.replace('_', ' ')}, {one.table}"
        quantities.append(Quantity(said, there, one.m_n, one.interval, None, "the law", _scale(one), ROUNDED))
    layers += _points(arms, lambda one: (one.strength, 1.0), SIDE)
    caption = "The law's N_eff / N, and m_N: parameters of a model in full precision with the same loss, over its own."
    x = Axis("bits", log=False)
    return _result("precision", "What bits are worth (Kumar et al. 2024)", caption, x, layers, quantities)


def routing(data: Published | None) -> Result:
    """Effective parameters of a routed network, over those that a token meets, by the number of experts."""
    from analysis.figures.chart import Axis, Layer
    from analysis.published import CLARK_2022

    found = _refit(CLARK_2022, {"experts": ROUTED}, 1e7, None)
    quantities = [
        Quantity(f"{name} of S-Base", value, found.coefficients[name], tolerance=abs(value) * 1e-3)
        for name, value in CLARK_2022.coefficients.items()
    ]
    grid = np.geomspace(1.0, 256.0, 60)
    layers = [
        Layer("line", f"N {size:.0e}, published", grid, _routed(found, size, grid), role=role, mark="dashed")
        for size, role in zip(DENSE_SIZES, ("law", "muted", "ink"), strict=True)
    ]
    arms = _arms(data, "experts")
    for one in arms:
        value, interval = one.m_n / one.active, (one.interval[0] / one.active, one.interval[1] / one.active)
        there = float(_routed(found, one.size * one.active, np.array([one.strength]))[0])
        said = f"m_N of the active parameters, {one.strength:g} experts, {one.table}"
        quantities.append(Quantity(said, there, value, interval, None, "S-Base's law", _scale(one), FEW))
    layers += _points(arms, lambda one: (one.strength, 1 / one.active))
    caption = "Parameters of a dense network with the same loss, over those of the routed one that a token meets."
    x, title = Axis("experts"), "What experts are worth (Clark et al. 2022)"
    return _result("routing", title, caption, x, layers, quantities)


def _refit(law, condition: dict[str, Sequence[float]], smallest: float = 1.0, fewest: float | None = 1.0):
    """The law fitted to noiseless points of its published coefficients: two decades of N and, where it reads them, of
    D, from the smallest on, and the condition's values."""
    from analysis import laws
    from analysis.fit import fit
    from analysis.load import Runs

    (column, values), entry = next(iter(condition.items())), laws.get(law.law)
    axes = (np.geomspace(smallest, 100 * smallest, 6), np.geomspace(1, 100, 5) * (fewest or 1.0), values)
    n, d, s = (axis.ravel() for axis in np.meshgrid(*map(np.asarray, axes)))
    given = {"n_params": n, "tokens": d, column: s.astype(float)}
    loss = laws.value(entry, law.coefficients, {name: given[name] for name in entry.inputs})
    return fit(Runs({**given, "flops": 6 * n * d, "loss": loss}, law.source), law.law, objective="log_mse")


def _routed(found, size: float, experts: np.ndarray) -> np.ndarray:
    """(n,) dense sizes of the same loss over `size`; ln loss is straight in ln N at one expert."""
    low, high = (float(np.log(found.predict(n, experts=1.0))) for n in (size, np.e * size))
    return np.exp((np.log(found.predict(size, experts=experts)) - low) / (high - low))


def _arms(data: Published | None, *techniques: str) -> list[Arm]:
    """Every strength of some techniques in the kept tables; none without tables, or where none is told."""
    from analysis.technique import worth
    from analysis.technique.comparison import DEFAULTS
    from experiments.reproduce import tables

    found: list[Arm] = []
    if data is None:
        return found
    for said, folder in TABLES.items():
        runs = tables.compared(data.folder / folder, *techniques)
        if (runs["technique"] == "none").all():
            continue
        for arm in worth(runs, dataclasses.replace(DEFAULTS, bootstrap=data.bootstrap)).arms:
            pooled = arm.pooled["m_n"]
            own = (runs["technique"] == arm.technique) & (runs["strength"] == arm.strength)
            if not pooled.reason:
                size = runs["n_params"][own]
                nonzero, active = (_mean(runs.numbers(name)[own] / size) for name in ("nonzero_params", "n_active"))
                found.append(Arm(said, arm.technique, arm.strength, pooled.value, pooled.interval, nonzero, active,
                                 _mean(size), pooled.cells))  # fmt: skip
    return found


def _mean(values: np.ndarray) -> float:
    """The geometric mean; NaN where a value is missing."""
    return float(np.exp(np.log(values).mean()))


def _scale(one: Arm) -> str:
    return f"N {one.size:.2g}, {one.cells} cell{'s' if one.cells > 1 else ''}, 95 %"


def _points(arms: Sequence[Arm], place, shift: float = 0.0) -> Iterator:
    """A layer a table and technique; `place(arm)`: x, and what its m_N is multiplied by; `shift`: of x a layer, so that
    bars do not hide each other."""
    from analysis.figures.chart import Layer

    for k, key in enumerate(dict.fromkeys((one.table, one.technique) for one in arms)):
        own = [one for one in arms if (one.table, one.technique) == key]
        x, factor = np.array([place(one) for one in own]).T
        value, low, high = np.array([(one.m_n, *one.interval) for one in own]).T
        name = f"own runs, {key[0]}" + (f", {key[1].replace('_', ' ')}" if len({o.technique for o in arms}) > 1 else "")
        role = ("approach1", "approach2", "frontier")[k % 3]
        yield Layer("points", name, x + shift * k, value * factor, low * factor, high * factor, role=role, mark="dot")


def _result(name: str, title: str, caption: str, x, layers, quantities) -> Result:
    from analysis.figures.chart import Axis, Drawing, Panel

    panel = Panel(x, Axis("multiplier of parameters m_N"), tuple(layers))
    return Result((Drawing(name, title, caption, (panel,)),), tuple(quantities))


def _figure(claim: str, build) -> Figure:
    """From the published coefficients alone, and with kept runs beside them."""

    def alone(own: Own) -> Result:
        return build(None)

    return Figure(claim, own=alone, published=build, files=FILES)


PAPER = Paper(
    "Frantar et al. 2023 (arXiv:2309.08520), Kumar et al. 2024 (arXiv:2411.04330), "
    "Clark et al. 2022 (arXiv:2202.01169)",
    "What a technique does to the loss is a multiplier of parameters, by its strength.",
    {
        "sparsity": _figure("m_N of sparse weights", sparsity),
        "precision": _figure("effective parameters by bits", precision),
        "routing": _figure("effective parameters by experts", routing),
    },
)
