"""A sweep as a list of runs in place of a grid: `sweep.runs`, each WIDTHxDEPTHxSTEPSxSEED. Pure, free of JAX."""

import dataclasses
import re
from collections import defaultdict

from scaling_laws.config import AXIS, ConfigError, ExperimentConfig, SweepConfig, check_fields, said

FORM = "WIDTHxDEPTHxSTEPSxSEED, four whole numbers"
_SPELT = re.compile(r"(\d{1,19})x(\d{1,19})x(\d{1,19})x(\d{1,19})")
Shape = tuple[int, int]  # width, depth
UNREAD = ("steps", "extra_seeds")  # by default empty; what fills them asks for a grid


@dataclasses.dataclass(frozen=True, order=True)
class ListedRun:
    """One run of a list."""

    width: int
    depth: int
    steps: int
    seed: int

    @classmethod
    def parse(cls, text: str) -> "ListedRun":
        """`16x2x4000x0`: width 16, depth 2, 4000 steps, seed 0. Raises ConfigError for another text or range."""
        match = _SPELT.fullmatch(text)
        if match is None:
            raise ConfigError(f"sweep.runs: {said(text)}; allowed: {FORM}")
        width, depth, steps, seed = map(int, match.groups())
        alone = dataclasses.replace(SweepConfig(), widths=(width,), depths=(depth,), steps=(steps,), seeds=(seed,))
        try:
            check_fields(alone)
        except ConfigError as error:
            raise ConfigError(f"sweep.runs: {said(text)}: {error}") from None
        return cls(width, depth, steps, seed)

    def __str__(self) -> str:
        return f"{self.width}x{self.depth}x{self.steps}x{self.seed}"

    @property
    def shape(self) -> Shape:
        """(width, depth)."""
        return self.width, self.depth


def listed(sweep: SweepConfig) -> tuple[ListedRun, ...]:
    """The runs of `sweep.runs`, as they are given. Raises ConfigError."""
    return tuple(map(ListedRun.parse, sweep.runs))


def by_steps(sweep: SweepConfig) -> dict[int, dict[Shape, tuple[int, ...]]]:
    """Steps -> shape -> seeds of `sweep.runs`. Raises ConfigError."""
    found: dict[int, dict[Shape, tuple[int, ...]]] = defaultdict(dict)
    for run in listed(sweep):
        found[run.steps][run.shape] = (*found[run.steps].get(run.shape, ()), run.seed)
    return found


def check(experiment: ExperimentConfig, most: int) -> None:
    """Raises ConfigError for a list beside what it replaces, for more runs than `most`, and for one given twice."""
    sweep = experiment.sweep
    if not sweep.runs:
        return
    for name in ("width", "depth"):
        if (value := getattr(experiment.model, name)) != AXIS:
            raise ConfigError(f"model.{name}: {value}; allowed: {AXIS} with sweep.runs, which says it")
    for name in UNREAD:
        if getattr(sweep, name):
            raise ConfigError(f"sweep.{name}: given; allowed: none with sweep.runs, which says steps and seeds")
    count = len(sweep.runs) * len(sweep.lr_multipliers)
    if count > most:
        raise ConfigError(f"sweep.runs: {count} runs with all rates; allowed: at most {most}")
    seen: set[ListedRun] = set()
    for text, run in zip(sweep.runs, listed(sweep), strict=True):
        if run in seen:
            raise ConfigError(
                f"sweep.runs: {said(text)}: width, depth, steps and seed of one before; allowed: each once"
            )
        seen.add(run)


def refuse(sweep: SweepConfig, why: str) -> None:
    """Raises ConfigError where a list is given to what takes grids alone."""
    if sweep.runs:
        raise ConfigError(f"sweep.runs: given; allowed: none {why}")
