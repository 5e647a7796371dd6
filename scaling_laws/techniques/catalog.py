"""All techniques of a run together: what a program depends on, what it takes as arguments, how the runs table says
it."""

import dataclasses

from scaling_laws import families
from scaling_laws.config import (
    AugmentConfig,
    ConfigError,
    PruneConfig,
    QuantizeConfig,
    RegulariseConfig,
    RunConfig,
    on_trunk,
)
from scaling_laws.spec import Spec
from scaling_laws.techniques import augmentation, boosting, distillation, pruning, quantization, regularisation, section

SECTIONS = ("augment", "regularise", "distill")  # of the settings whose numbers are arguments of the compiled step


@dataclasses.dataclass(frozen=True)
class Forms:
    """What a compiled program depends on, of each technique; where a number is an argument of it, whether there is
    one."""

    augment: AugmentConfig
    regularise: RegulariseConfig
    prune: PruneConfig
    quantize: QuantizeConfig

    @classmethod
    def of(cls, run: RunConfig) -> "Forms":
        """Those of a run."""
        regularise, quantize = regularisation.form(run.regularise), quantization.form(run.quantize)
        return cls(section.form(run.augment), regularise, pruning.form(run.prune), quantize)


def arguments(run: RunConfig) -> dict[str, float]:
    """The numbers of a run that its program takes as arguments, as `section.field`."""
    found = {path: value for name in SECTIONS for path, value in section.arguments(name, getattr(run, name)).items()}
    return found | quantization.arguments(run.quantize)


def of(run: RunConfig) -> tuple[str, float]:
    """The columns `technique` and `strength`: (`none`, 0.0) of the baseline.

    Of several techniques the names are joined by + and the strengths added: 0 where all are neutral, more where any is
    stronger. Each by itself stands in the column `config`.
    """
    strengths = section.in_use(run.augment) | regularisation.strengths(run.regularise)
    strengths |= quantization.strengths(run.quantize) | _transfer(run) | boosting.strengths(run.boost)
    strengths |= {"prune": run.prune.sparsity} if run.prune.sparsity else {}
    strengths |= distillation.strengths(run.distill) | ({"bag": 1.0} if run.train.bag else {})
    return "+".join(strengths) or "none", sum(strengths.values(), 0.0)


def check(run: RunConfig) -> None:
    """Raises ConfigError for a technique's settings that do not go together, and where a model has nothing that it
    could work on."""
    model, dropout = run.model, run.regularise.dropout
    distillation.check(run.distill)
    boosting.check(run.boost)
    if dropout and not families.of(model).drops(model):
        raise ConfigError(
            f"regularise.dropout: {dropout:g}; allowed: 0 with model.family={model.family} of depth {model.depth}, "
            "which has no hidden layer or branch"
        )
    if run.regularise.patience and on_trunk(run):
        raise ConfigError(
            f"regularise.patience: {run.regularise.patience}; allowed: 0 with optimizer.warmup_steps and wsd, for the "
            "trunk knows no horizon"
        )
    pruning.check(run.prune, run.train.steps)
    if run.prune.sparsity:
        _check_pruned(run)
    _check_quantize(run)


def _check_pruned(run: RunConfig) -> None:
    said = f"prune.sparsity: {run.prune.sparsity:g}; allowed: 0 with"
    if on_trunk(run):
        raise ConfigError(f"{said} optimizer.warmup_steps and wsd, for the trunk knows no horizon")
    if run.regularise.patience:
        raise ConfigError(f"{said} regularise.patience, whose best parameters may be those before the pruning")
    if pruning.rewinds(run.prune) and run.train.average != "none":
        raise ConfigError(f"prune.method: rewind; allowed: one_shot, gradual with train.average={run.train.average}")


def _check_quantize(run: RunConfig) -> None:
    """Raises ConfigError for one bit, and where nothing to be rounded lies between the first layer and the head."""
    model, quantize = run.model, run.quantize
    for name in ("weight_bits", "activation_bits"):
        bits = getattr(quantize, name)
        if 0 < bits < quantization.LEAST:
            raise ConfigError(f"quantize.{name}: {bits}; allowed: 0 or {quantization.LEAST} to {quantization.MOST}")
        if bits and not quantize.ends and not families.of(model).blocks(model):
            raise ConfigError(
                f"quantize.{name}: {bits}; allowed: 0, or quantize.ends=true, with model.family={model.family} of "
                f"depth {model.depth}, which has no matrix between its first layer and its head"
            )


def check_task(run: RunConfig, spec: Spec) -> None:
    """Raises ConfigError where a technique does not go with examples as `spec` has them."""
    augmentation.check(run.augment, spec)
    if run.quantize.activation_bits and not families.count(run.model, spec).forward:
        raise ConfigError(
            f"quantize.activation_bits: {run.quantize.activation_bits}; allowed: 0 with model.family="
            f"{run.model.family}, which multiplies by no matrix"
        )
    regularisation.check(run.regularise, spec)
    pruning.check_counts(run.prune, families.count_run(run, spec), run.model.family)
    distillation.check_task(run.distill, spec)
    boosting.check_task(run.boost, bool(section.in_use(run.augment)), spec)


def _transfer(run: RunConfig) -> dict[str, float]:
    """1 where all layers learn on from a source, and one more for each that rests: the first one, and blocks."""
    return {"transfer": 1.0 + families.frozen(run.model, run.transfer).n_layers} if run.transfer.source else {}
