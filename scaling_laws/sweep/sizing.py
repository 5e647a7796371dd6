"""Batch, steps and learning rate of a shape at a budget, and what says so: a setting, `sweep.lr_*` or a fitted rule."""

import dataclasses
import math
from collections.abc import Iterable

from scaling_laws import compute, config
from scaling_laws.config import OWN_SETTING, ConfigError, ExperimentConfig
from scaling_laws.sweep import rule as rules
from scaling_laws.sweep.planned import PlannedRun, nearest_integer, whole_steps
from scaling_laws.sweep.rule import PowerLaw, Rule
from scaling_laws.validation import SHARES

BY_SETTINGS = "sweep.lr_*"
MOST_DOUBLINGS = 20  # of a batch of one window


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much a run trains: windows a step, steps, and tokens in all."""

    batch_size: int
    steps: int
    tokens: int


@dataclasses.dataclass(frozen=True)
class Sizing:
    """What decides. `targets` an example; `rate_law` None: `optimizer.learning_rate`; `rule` where both come from a
    fitted one."""

    experiment: ExperimentConfig
    targets: int
    rate_law: PowerLaw | None
    source: str
    rule: Rule | None = None

    @classmethod
    def of(cls, experiment: ExperimentConfig, targets: int) -> "Sizing":
        """What a configuration asks for on a task of so many targets an example.

        Raises ConfigError for a rule that is none or holds for something else.
        """
        sweep = experiment.sweep
        if sweep.rule:
            if sweep.lr_coefficient:
                raise ConfigError(f"sweep.lr_coefficient: {sweep.lr_coefficient:g}; allowed: 0 with sweep.rule")
            rule = rules.read(sweep.rule)
            base = config.base_shape(experiment.train)
            for field, given, held in (
                ("train.parametrization", experiment.train.parametrization, rule.parametrization),
                ("train.base_width", base["base_width"], rule.base_width),
                ("train.base_depth", base["base_depth"], rule.base_depth),
                ("optimizer.name", experiment.optimizer.name, rule.optimizer),
            ):
                if given != held:
                    raise ConfigError(f"{field}: {given}; allowed: {held}, which {sweep.rule} was fitted to")
            for name in ("steps", "runs"):
                if getattr(sweep, name) and rule.batch_tokens is not None:
                    raise ConfigError(f"sweep.{name}: given; allowed: none with a rule that sets the batch of a budget")
            return cls(experiment, targets, rule.learning_rate, rule.source, rule)
        if sweep.lr_coefficient:
            law = PowerLaw(sweep.lr_coefficient, sweep.lr_n_exponent, sweep.lr_d_exponent)
            return cls(experiment, targets, law, BY_SETTINGS)
        return cls(experiment, targets, None, OWN_SETTING)

    def extent(self, counts: compute.Counts, budget: float) -> Extent:
        """Whole steps nearest to a budget of training FLOPs, of the rule's batch or `train.batch_size`."""
        batch = self._batch(counts, budget)
        return self._of_steps(batch, whole_steps(budget, counts, batch * self.targets))

    def of_steps(self, steps: int) -> Extent:
        """So many steps of `train.batch_size`."""
        return self._of_steps(self.experiment.train.batch_size, steps)

    def _of_steps(self, batch: int, steps: int) -> Extent:
        return Extent(batch, steps, steps * batch * self.targets)

    def _batch(self, counts: compute.Counts, budget: float) -> int:
        """The power of two of windows that is nearest, on a log scale, to what the rule says in tokens."""
        if self.rule is None or self.rule.batch_tokens is None:
            return self.experiment.train.batch_size
        tokens = self.rule.batch_tokens(counts.n_params, budget / counts.flops_per_token)
        doublings = nearest_integer(math.log2(tokens / self.targets))
        return 2 ** min(max(doublings, 0), MOST_DOUBLINGS)

    def rate(self, n_params: int, tokens: int) -> float:
        """Peak learning rate.

        Four significant digits: the last bits of a power differ between machines and must not change a run's identity.
        """
        if self.rate_law is None:
            return self.experiment.optimizer.learning_rate
        return float(f"{self.rate_law(n_params, tokens):.4g}")

    def batch_reason(self, extent: Extent) -> str:
        """Why a batch of the rule cannot be trained, or an empty string."""
        train = self.experiment.train
        shares = max(1, train.accumulation) * train.data_devices * train.fsdp_devices
        if extent.batch_size % shares:
            return f"batch of {extent.batch_size} by the rule; allowed: a multiple of {shares}, {SHARES}"
        if 0 < train.unique_examples < extent.batch_size:
            most = f"at most train.unique_examples = {train.unique_examples}"
            return f"batch of {extent.batch_size} by the rule; allowed: {most}"
        return ""

    def notes(self, runs: Iterable[PlannedRun]) -> tuple[str, ...]:
        """What sets the rates and batches of these runs, and where they leave the range a rule was measured in."""
        if self.rate_law is None:
            return (f"learning rate: {self.source}", *self._caution(runs))
        said = f"learning rate {self.rate_law}"
        if self.rule is None:
            return (f"{said}: {self.source}",)
        if self.rule.batch_tokens is not None:
            said += f", batch in tokens {self.rule.batch_tokens}, in windows the nearest power of two"
        outside = _outside(self.rule, tuple(runs))
        return (f"{said}: {self.source} ({self.experiment.sweep.rule})", *([outside] if outside else []))

    def _caution(self, runs: Iterable[PlannedRun]) -> tuple[str, ...]:
        """One line where runs of unlike shapes share a rate that will not suit them all."""
        name = self.experiment.train.parametrization
        shapes = {planned.shape for planned in runs}
        held = {"standard": 0, "mup": 1}.get(name)  # how far the best rate holds: nowhere, over width, over both
        if held is None or len({shape[held:] for shape in shapes}) < 2:
            return ()
        over = "sizes" if name == "standard" else "depths"
        return (f"caution: one learning rate for all {over} under {name}; completep or sweep.rule would suit it",)


def _outside(rule: Rule, runs: tuple[PlannedRun, ...]) -> str:
    """One line on what lies outside the rule's range; nothing where all is inside."""
    values = {
        "n_params": [each.counts.n_params for each in runs],
        "tokens": [each.tokens for each in runs],
        "batch_tokens": [each.tokens // each.run.train.steps for each in runs],
    }
    parts = []
    for name, letter in {"n_params": "N", "tokens": "D", "batch_tokens": "batch in tokens"}.items():
        low, high = rule.ranges[name]
        if runs and not low <= min(values[name]) <= max(values[name]) <= high:
            planned = f"{min(values[name]):.4g} to {max(values[name]):.4g}"
            parts.append(f"{letter} {planned} where it was measured at {low:.4g} to {high:.4g}")
    return f"outside the rule's range: {'; '.join(parts)}" if parts else ""
