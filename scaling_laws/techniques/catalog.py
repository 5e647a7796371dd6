"""All techniques of a run together: what a program depends on, what it takes as arguments, how the runs table says
it."""

import dataclasses

from scaling_laws import families
from scaling_laws.config import AugmentConfig, ConfigError, PruneConfig, RegulariseConfig, RunConfig, on_trunk
from scaling_laws.spec import Spec
from scaling_laws.techniques import augmentation, distillation, pruning, regularisation, section

SECTIONS = ("augment", "regularise", "distill")  # of the settings; their numbers are arguments of the compiled step


@dataclasses.dataclass(frozen=True)
class Forms:
    """What a compiled program depends on, of each technique; where a number is an argument of it, whether there is
    one."""

    augment: AugmentConfig
    regularise: RegulariseConfig
    prune: PruneConfig

    @classmethod
    def of(cls, run: RunConfig) -> "Forms":
        """Those of a run."""
        return cls(section.form(run.augment), regularisation.form(run.regularise), pruning.form(run.prune))


def arguments(run: RunConfig) -> dict[str, float]:
    """The numbers of a run that its program takes as arguments, as `section.field`."""
    return {path: value for name in SECTIONS for path, value in section.arguments(name, getattr(run, name)).items()}


def of(run: RunConfig) -> tuple[str, float]:
    """The columns `technique` and `strength`: (`none`, 0.0) of the baseline.

    Of several techniques the names are joined by + and the strengths added: 0 where all are neutral, more where any is
    stronger. Each by itself stands in the column `config`.
    """
    strengths = section.in_use(run.augment) | regularisation.strengths(run.regularise) | _transfer(run)
    strengths |= {"prune": run.prune.sparsity} if run.prune.sparsity else {}
    strengths |= distillation.strengths(run.distill) | ({"bag": 1.0} if run.train.bag else {})
    return "+".join(strengths) or "none", sum(strengths.values(), 0.0)


def check(run: RunConfig) -> None:
    """Raises ConfigError for a technique's settings that do not go together, and where a model has nothing that it
    could work on."""
    model, dropout = run.model, run.regularise.dropout
    distillation.check(run.distill)
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


def _check_pruned(run: RunConfig) -> None:
    said = f"prune.sparsity: {run.prune.sparsity:g}; allowed: 0 with"
    if on_trunk(run):
        raise ConfigError(f"{said} optimizer.warmup_steps and wsd, for the trunk knows no horizon")
    if run.regularise.patience:
        raise ConfigError(f"{said} regularise.patience, whose best parameters may be those before the pruning")
    if pruning.rewinds(run.prune) and run.train.average != "none":
        raise ConfigError(f"prune.method: rewind; allowed: one_shot, gradual with train.average={run.train.average}")


def check_task(run: RunConfig, spec: Spec) -> None:
    """Raises ConfigError where a technique does not go with examples as `spec` has them."""
    augmentation.check(run.augment, spec)
    regularisation.check(run.regularise, spec)
    pruning.check_counts(run.prune, families.count_run(run, spec), run.model.family)
    distillation.check_task(run.distill, spec)


def _transfer(run: RunConfig) -> dict[str, float]:
    """1 where all layers learn on from a source, and one more for each that rests: the first one, and blocks."""
    return {"transfer": 1.0 + families.frozen(run.model, run.transfer).n_layers} if run.transfer.source else {}
