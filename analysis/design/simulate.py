"""How well designs do: studies of a law that is known, the second half of each by design or by an even grid.

    python -m analysis.design.simulate --studies=50 --targets=loss,exponent --out=designs.json --figures=figures

Each study: a small sweep with seed noise, a fit, further runs of the same cost either way, and the fit to all of them.
Compared are the spread of the target over the studies and the width of its interval: of a choice of law, how far in
standard errors the wrong law is off.
Dimension letters: S studies.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.design.candidates import Candidates, Extent, Shape, grid
from analysis.design.proposal import propose
from analysis.design.result import Target
from analysis.design.search import Limits
from analysis.fitting import Fit, fit
from analysis.frontier import SIX_N_D, loss_of, optimal_n
from analysis.load import Runs, runs_from
from analysis.uncertainty import percentile, resample
from scaling_laws.config import ConfigError

ARMS = ("design", "even grid")
DRAWS = 2000  # resamples of the studies behind the intervals of ratios
RIVAL = "kaplan"
SIZES = 12  # of candidates


@dataclasses.dataclass(frozen=True)
class Truth:
    """The law L = E + A / N^alpha + B / D^beta with C = 6 N D, the noise of ln loss, and how a study goes.

    The first sweep has `sizes` models at each of `budgets`, evenly in ln N within a factor of `wide` of N*; further
    runs may cost `times` as much as it did, one of them `largest` of that; `far` is the C of the loss asked for.
    """

    law: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: {"E": 1.0, "A": 32.0, "B": 92.0, "alpha": 0.40, "beta": 0.35, "outer": 1.0}
    )
    noise: float = 0.004
    budgets: tuple[float, ...] = (2e11, 4e11, 8e11, 1.6e12)
    sizes: int = 5
    wide: float = 4.0
    times: float = 4.0
    largest: float = 0.1
    far: float = 1e15

    def runs(self, n_params: np.ndarray, tokens: np.ndarray, rng: np.random.Generator) -> Runs:
        """One run at each (N, D)."""
        losses = loss_of(self.law, n_params, tokens) * np.exp(self.noise * rng.standard_normal(len(n_params)))
        return runs_from({"n_params": n_params, "tokens": tokens, "flops": 6 * n_params * tokens, "loss": losses})

    def first(self, rng: np.random.Generator) -> Runs:
        """The small sweep that a study begins with."""
        around = np.geomspace(1 / self.wide, self.wide, self.sizes)
        n_params = np.concatenate([optimal_n(self.law, SIX_N_D, c) * around for c in self.budgets])
        return self.runs(n_params, np.repeat(self.budgets, self.sizes) / (6 * n_params), rng)

    def further(self, runs: Runs, candidates: Candidates, counts_J: np.ndarray, rng: np.random.Generator) -> Runs:
        """`runs` and those of a design."""
        rows = np.repeat(np.arange(len(candidates)), counts_J)
        new = self.runs(candidates.n_params_J[rows], candidates.tokens_J[rows], rng)
        return Runs({name: np.concatenate([runs[name], new[name]]) for name in new.columns})


@dataclasses.dataclass(frozen=True)
class Compared:
    """One target over S studies by arm: estimates (S,), half-widths (S,) of its interval, and whether these hold it.

    Of a choice the estimate is the distance of the wrong law, and the half-width its inverse. `spread` and `width`: of
    the designs over that of the even grid, with the interval over resampled studies; `promised`: what was expected.
    """

    target: str
    truth: float
    estimates: dict[str, np.ndarray]
    half_widths: dict[str, np.ndarray]
    coverage: dict[str, float]
    runs: dict[str, float]
    cost: float  # of the designs over that of the even grids
    promised: float
    spread: tuple[float, float, float]
    width: tuple[float, float, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("estimates", "half_widths"):
            found[name] = {arm: values.tolist() for arm, values in found[name].items()}
        return found | {name: list(found[name]) for name in ("spread", "width")}


def simulate(
    targets: Sequence[str] = ("loss", "exponent"),
    studies: int = 50,
    truth: Truth = Truth(),
    max_runs: int = 100,
    max_seeds: int = 8,
    objective: str = "huber",
    bootstrap: int = 24,
    seed: int = 0,
    told: Callable[[int], None] = lambda done: None,
) -> tuple[Compared, ...]:
    """What designs and even grids of equal cost come to, a target each."""
    for name in targets:
        Target(name, at={"flops": truth.far}, rival=_no_fit() if name == "choice" else None)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in targets}
    for study in range(studies):
        rng = np.random.default_rng((seed, study))
        runs = truth.first(rng)
        law = fit(runs, objective=objective, bootstrap=bootstrap, seed=study)
        limits = Limits(truth.times * float(runs["flops"].sum()), max_runs, max_seeds)
        for name in targets:
            found[name].append(_study(name, runs, law, truth, limits, rng))
        told(study + 1)
    return tuple(_compared(name, found[name], truth, seed) for name in targets)


def candidates_of(runs: Runs, limits: Limits, largest: float) -> Candidates:
    """Even sizes and tokens, C = 6 N D, up to the share `largest` of the budget a run."""
    extent = Extent.of(runs["n_params"], runs["tokens"], largest * limits.budget)
    extent = dataclasses.replace(extent, least_flops=float(runs["flops"].min()))
    sizes = np.geomspace(*extent.sizes(runs["n_params"]), SIZES).round().tolist()
    return grid([Shape(n, 6 * n) for n in sizes], extent)


def _study(name: str, runs: Runs, law: Fit, truth: Truth, limits: Limits, rng: np.random.Generator) -> dict[str, Any]:
    candidates = candidates_of(runs, limits, truth.largest)
    rival = fit(runs, law=RIVAL, objective=law.objective["name"]) if name == "choice" else None
    next_runs = propose(runs, law, candidates, Target(name, {"flops": truth.far}, rival), limits)
    both = {"design": next_runs.counts_J, "even grid": next_runs.even_J}
    costs = {arm: next_runs.costs.total(counts) for arm, counts in both.items()}
    found: dict[str, Any] = {"promised": next_runs.ratio, "cost": costs["design"] / costs["even grid"]}
    for arm, counts_J in both.items():
        full = truth.further(runs, candidates, counts_J, rng)
        found[arm] = (*_read(name, full, law.objective["name"], truth), int(counts_J.sum()))
    return found


def _read(name: str, runs: Runs, objective: str, truth: Truth) -> tuple[float, float]:
    """The target and the half-width of its 90 % interval from all the runs of a study; of a loss, of its logarithm."""
    if name == "choice":
        squares = [fit(runs, law=law, objective="log_mse").residual_sd ** 2 for law in ("chinchilla", RIVAL)]
        distance = float(np.sqrt(max(len(runs) * (squares[1] - squares[0]), 1e-12))) / truth.noise
        return distance, 1 / distance
    law = fit(runs, objective=objective, interval="delta")
    front = law.frontier
    assert front is not None
    if name == "exponent":
        low, high = front.intervals["a"]
        return front.a, 0.5 * (high - low)
    low, high = percentile(np.log(front.loss_samples(truth.far)), law.level)
    return float(np.log(front.loss(truth.far))), 0.5 * (high - low)


def _compared(name: str, studies: Sequence[Mapping[str, Any]], truth: Truth, seed: int) -> Compared:
    true = _true(name, truth)
    estimates = {arm: np.array([study[arm][0] for study in studies]) for arm in ARMS}
    half = {arm: np.array([study[arm][1] for study in studies]) for arm in ARMS}
    weights = resample(np.arange(len(studies)), DRAWS, seed) / len(studies)
    everyone = np.full((1, len(studies)), 1 / len(studies))

    def with_interval(of: Callable[[str, np.ndarray], np.ndarray]) -> tuple[float, float, float]:
        over = of("design", weights) / of("even grid", weights)
        one = of("design", everyone) / of("even grid", everyone)
        return (float(one[0]), *percentile(over, 0.9))

    def spread(arm: str, w: np.ndarray) -> np.ndarray:
        if name == "choice":
            return 1 / (w @ estimates[arm])
        return np.sqrt(np.maximum(w @ estimates[arm] ** 2 - (w @ estimates[arm]) ** 2, 0))

    return Compared(
        target=name,
        truth=true,
        estimates=estimates,
        half_widths=half,
        coverage={arm: float(np.mean(np.abs(estimates[arm] - true) <= half[arm])) for arm in ARMS},
        runs={arm: float(np.mean([study[arm][2] for study in studies])) for arm in ARMS},
        cost=float(np.mean([study["cost"] for study in studies])),
        promised=float(np.exp(np.mean(np.log([study["promised"] for study in studies])))),
        spread=with_interval(spread),
        width=with_interval(lambda arm, w: w @ half[arm]),
    )


def _true(name: str, truth: Truth) -> float:
    from analysis.frontier import Frontier

    front = Frontier(dict(truth.law), SIX_N_D)
    return {"loss": float(np.log(front.loss(truth.far))), "exponent": front.a}.get(name, float("nan"))


def _no_fit() -> Fit:
    return Fit("", 0, {}, {}, {}, {})


def lines(found: Sequence[Compared]) -> list[str]:
    """The ratios in words, with their 90 % intervals over studies."""
    text = [f"{'target':<10}{'spread':<22}{'width of interval':<22}{'expected':<10}{'cost':<8}{'runs':<12}inside 90 %"]
    for one in found:
        cells = [f"{middle:.3f} [{low:.3f}, {high:.3f}]" for middle, low, high in (one.spread, one.width)]
        runs = " / ".join(f"{one.runs[arm]:.0f}" for arm in ARMS)
        inside = "-" if one.target == "choice" else " / ".join(f"{one.coverage[arm]:.0%}" for arm in ARMS)
        text.append(
            f"{one.target:<10}{cells[0]:<22}{cells[1]:<22}{one.promised:<10.3f}{one.cost:<8.3f}{runs:<12}{inside}"
        )
    studies = len(found[0].estimates["design"]) if found else 0
    return [*text, f"designs over even grids of equal cost, {studies} studies; runs and coverage: design / even grid"]


def run(values: Any = None) -> None:
    """Reads the flags, simulates, prints, and writes the figure and the JSON."""
    from absl import flags

    from analysis import summary
    from scaling_laws.progress import Progress

    values = flags.FLAGS if values is None else values
    names = tuple(part.strip() for part in values.targets.split(",") if part.strip())
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"--targets: {values.targets!r}; allowed: loss, exponent, choice, each once")
    truth = Truth(noise=values.noise, times=values.times)
    with Progress(values.studies, "studies") as progress:
        found = simulate(
            names, values.studies, truth, values.max_runs, values.max_seeds, seed=values.seed, told=progress.update
        )
    print("\n".join(lines(found)))
    if values.figures:
        from analysis.figures import simulated_designs, static

        print(f"figure: {static.save(simulated_designs.build(found), Path(values.figures))[0]}")
    if values.out:
        settings = {"truth": dataclasses.asdict(truth), "max_runs": values.max_runs, "max_seeds": values.max_seeds}
        summary.write_json(Path(values.out), settings | {"targets": [one.to_json() for one in found]})


def define_flags() -> None:
    """The flags of the simulation."""
    from absl import flags

    flags.DEFINE_string("targets", "loss,exponent", "what is asked, separated by commas: loss, exponent, choice")
    flags.DEFINE_integer("studies", 50, "how many", lower_bound=2, upper_bound=100_000)
    flags.DEFINE_float("noise", 0.004, "standard deviation of ln loss between seeds", 1e-9, 1)
    flags.DEFINE_float("times", 4.0, "FLOPs of the further runs over those of the first sweep", 0.1, 1e6)
    flags.DEFINE_integer("max_runs", 100, "most further runs of a design", lower_bound=1, upper_bound=1000)
    flags.DEFINE_integer("max_seeds", 8, "most seeds of one size and number of tokens", lower_bound=1, upper_bound=100)
    flags.DEFINE_integer("seed", 0, "seed of the studies", lower_bound=0)
    flags.DEFINE_string("figures", None, "folder for the figure, with its numbers as CSV")
    flags.DEFINE_string("out", None, "JSON file to write")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
