"""The cases whose exponents theory knows, with the bar that each measured one is held to."""

import dataclasses
from collections.abc import Callable, Sequence

from experiments.configs import manifold, power_law, zipf
from scaling_laws.config import ConfigError, ExperimentConfig, leaves, nearest, replace
from scaling_laws.theory import manifold as manifold_theory
from scaling_laws.theory import power_law_features, ridge_features
from scaling_laws.theory import zipf as zipf_theory

# Beside the recipe's own, (1, .25): budgets and centres at which every minimum lies inside the recipe's widths.
STEEP_BUDGETS = (1.28e5, 2.76e5, 5.94e5, 1.28e6, 2.76e6, 5.94e6, 1.28e7)
STEEP_CENTERS = {0.7: (39100.0, 0.41), 1.3: (224000.0, 0.5)}
PHASE_BARS = {0.25: (0.05, 0.07), 0.7: (0.05, None), 1.3: (0.07, None)}  # of the loss' exponent, of the width's
# An item of rank w must have been seen, once in 1/p_w examples, and places be many: by the exact sums these tables have
# slopes of .496 and .984.
PLACES = {0.5: (8, 16, 32, 64, 128, 256), 1.0: (16, 24, 36, 54, 80)}
PLACES_STEPS = 50_000
PLACES_HELDOUT = 1 << 19  # targets behind losses of down to .008


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One exponent: of "L(C)", the loss at the best size of each budget; of "N(C)", that size; of "L(N)" or "L(D)".

    `bar`: how far the measured one may lie from `theory`; None where theory bounds it or nothing is promised.
    """

    name: str
    theory: float
    bar: float | None = None


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Fits of `ridge_features.solve` at every size, number of examples and seed."""

    alpha: float
    sizes: tuple[int, ...]
    examples: tuple[int, ...]
    seeds: int
    data_seeds: int = 1


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained (a sweep) or solved (a Ridge), and what theory says; cases of a `group` are drawn together."""

    name: str
    group: str
    title: str
    source: str
    work: ExperimentConfig | Ridge
    quantities: tuple[Quantity, ...]


def _power_law(beta: float, n_seeds: int) -> Case:
    theory, (loss_bar, size_bar) = power_law_features.compute_optimal(1.0, beta), PHASE_BARS[beta]
    # 32 seeds of three shapes at the smallest budget are held against the oracle, run by run
    changes = {"task.beta": beta, "sweep.seeds": tuple(range(n_seeds)), "sweep.extra_seed_budgets": 1}
    changes["sweep.extra_seeds"] = tuple(range(n_seeds, 2 * n_seeds))
    if beta in STEEP_CENTERS:
        center, exponent = STEEP_CENTERS[beta]
        changes |= {"sweep.budgets": STEEP_BUDGETS, "sweep.center": center, "sweep.center_exponent": exponent}
    return Case(
        name=f"power_law_1_{beta:g}",
        group="power-law features",
        title=f"power-law random features (1, {beta:g}), phase {theory.phase}",
        source="Paquette et al. 2024, table 2",
        work=replace(power_law.get_config(), changes),
        quantities=(Quantity("L(C)", theory.loss, loss_bar), Quantity("N(C)", theory.size, size_bar)),
    )


def _zipf(alpha: float, n_seeds: int) -> Case:
    return Case(
        name=f"zipf_examples_{alpha:g}",
        group="Zipf memoriser",
        title=f"Zipf memoriser, a = {alpha:g}, over examples",
        source="Hutter 2021, section 3",
        work=replace(zipf.get_config(), {"task.alpha": alpha, "sweep.seeds": tuple(range(n_seeds))}),
        quantities=(Quantity("L(D)", zipf_theory.example_exponent(alpha), 0.03),),
    )


def _places(alpha: float, n_seeds: int) -> Case:
    changes = {"task.alpha": alpha, "sweep.steps": (PLACES_STEPS,), "sweep.widths": PLACES[alpha], "sweep.seeds": (0,)}
    return Case(
        name=f"zipf_places_{alpha:g}",
        group="Zipf memoriser",
        title=f"Zipf memoriser, a = {alpha:g}, over places",
        source="Hutter 2021: the sum of p_i beyond the places",
        work=replace(zipf.get_config(), changes | {"train.eval_tokens": PLACES_HELDOUT}),
        quantities=(Quantity("L(N)", zipf_theory.capacity_exponent(alpha), 0.03),),
    )


def _ridge_sizes(alpha: float, n_seeds: int) -> Case:
    return Case(
        name=f"ridge_sizes_{alpha:g}",
        group="ridge features",
        title=f"ridge random features, a = {alpha:g}, over features",
        source="Maloney et al. 2022, section 3",
        work=Ridge(alpha, sizes=(16, 28, 48, 84, 147, 256), examples=(8192,), seeds=n_seeds),
        quantities=(Quantity("L(N)", ridge_features.size_exponent(alpha), 0.06),),
    )


def _ridge_examples(alpha: float, n_seeds: int) -> Case:
    return Case(
        name=f"ridge_examples_{alpha:g}",
        group="ridge features",
        title=f"ridge random features, a = {alpha:g}, over examples",
        source="Maloney et al. 2022, section 3",
        work=Ridge(alpha, sizes=(2048,), examples=(13, 23, 38, 64, 108), seeds=max(1, n_seeds // 2), data_seeds=6),
        quantities=(Quantity("L(D)", ridge_features.example_exponent(alpha), 0.06),),
    )


def _manifold(dimension: int, n_seeds: int) -> Case:
    return Case(
        name=f"manifold_{dimension}",
        group="manifold",
        title=f"student on a manifold of {dimension} dimensions",
        source="Sharma and Kaplan 2020, section 2: about 4/d",
        work=replace(manifold.get_config(), {"task.dimension": dimension}),
        quantities=(Quantity("L(N)", manifold_theory.size_exponent(dimension)),),
    )


MACHINE = ("sweep.workers", "sweep.strategy", "sweep.pack_size")  # the settings that may be given beside a case's own
MAKERS: tuple[tuple[Callable[..., Case], float], ...] = (
    (_power_law, 0.25),
    (_power_law, 0.7),
    (_power_law, 1.3),
    (_zipf, 0.5),
    (_zipf, 1.0),
    (_places, 0.5),
    (_places, 1.0),
    (_ridge_sizes, 0.5),
    (_ridge_sizes, 1.0),
    (_ridge_examples, 0.5),
    (_ridge_examples, 1.0),
    (_manifold, 4),
    (_manifold, 8),
)


def cases(wanted: Sequence[str] = (), n_seeds: int = 16) -> list[Case]:
    """Those whose names begin with one of `wanted`, all by default, each over so many seeds where it has several.

    Raises ConfigError for a name that none begins with.
    """
    every = [make(number, n_seeds) for make, number in MAKERS]
    for name in wanted:
        if not any(case.name.startswith(name) for case in every):
            names = [case.name for case in every]
            raise ConfigError(f"--cases: {name!r}; allowed: beginnings of {', '.join(names)}{nearest(name, names)}")
    return [case for case in every if not wanted or any(case.name.startswith(name) for name in wanted)]


def machine_settings(config: ExperimentConfig) -> dict[str, object]:
    """What was given on the command line. Raises ConfigError for settings that the cases have of their own."""
    given = {path: value for path, _, value in leaves(config)}
    default = {path: value for path, _, value in leaves(ExperimentConfig())}
    for path, value in given.items():
        if value != default[path] and path not in MACHINE:
            allowed = ", ".join(MACHINE)
            raise ConfigError(f"--config.{path}: {value}; allowed: {allowed}, all else is the cases' own")
    return {path: given[path] for path in MACHINE if given[path] != default[path]}
