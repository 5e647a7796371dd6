"""Families by name: one file and one line here for each; the Flax module stands in `scaling_laws.models`."""

from scaling_laws.compute import Counts
from scaling_laws.config import ConfigError, ModelConfig, RunConfig, TransferConfig, nearest
from scaling_laws.families import auxiliary, freezing
from scaling_laws.families.convnet import CONVNET
from scaling_laws.families.family import COMMON, Family
from scaling_laws.families.features import FEATURES
from scaling_laws.families.freezing import Frozen
from scaling_laws.families.memoriser import MEMORISER
from scaling_laws.families.mlp import MLP
from scaling_laws.families.recommender import RECOMMENDER
from scaling_laws.families.transformer import TRANSFORMER
from scaling_laws.families.vit import VIT
from scaling_laws.spec import Spec

__all__ = ["FAMILIES", "Family", "Frozen", "check", "check_frozen", "count", "count_run", "frozen", "of"]

FAMILIES: dict[str, Family] = {
    "transformer": TRANSFORMER,
    "mlp": MLP,
    "convnet": CONVNET,
    "vit": VIT,
    "recommender": RECOMMENDER,
    "features": FEATURES,
    "memoriser": MEMORISER,
}


def of(model: ModelConfig) -> Family:
    """The family of a model. Raises ConfigError for an unknown one."""
    if model.family not in FAMILIES:
        allowed = ", ".join(FAMILIES)
        raise ConfigError(f"model.family: {model.family!r}; allowed: {allowed}{nearest(model.family, FAMILIES)}")
    return FAMILIES[model.family]


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Parameters and FLOPs of `model` on examples as `spec` has them. Raises ConfigError where it takes no such."""
    family = of(model)
    check_inputs(model, spec)
    return family.count(model, spec)


def count_run(run: RunConfig, spec: Spec) -> Counts:
    """The same of a run, of whose model layers may rest: then fewer products are counted, and no fewer parameters."""
    rests = frozen(run.model, run.transfer)
    if not rests.first:
        return count(run.model, spec)
    check_inputs(run.model, spec)
    return freezing.counts(of(run.model), run.model, spec, rests)


def frozen(model: ModelConfig, transfer: TransferConfig) -> Frozen:
    """What rests of a model."""
    return Frozen.of(of(model), model, transfer)


def check_frozen(model: ModelConfig, transfer: TransferConfig) -> None:
    """Raises ConfigError where the model has not the layers that are to rest."""
    freezing.check(of(model), model, transfer)


def check_inputs(model: ModelConfig, spec: Spec) -> None:
    """Raises ConfigError where the family takes no examples of this kind or form."""
    if spec.inputs not in of(model).inputs:
        fitting = ", ".join(name for name, family in FAMILIES.items() if spec.inputs in family.inputs)
        raise ConfigError(f"model.family: {model.family} takes no {spec.inputs}; allowed with this task: {fitting}")
    if model.tie_embeddings and spec.targets == 1:
        raise ConfigError("model.tie_embeddings: True; allowed: False where the outputs are no vocabulary")
    auxiliary.check(model, spec)
    of(model).check_spec(model, spec)


def check(model: ModelConfig) -> None:
    """Raises ConfigError for a model that cannot be: no such family, a depth below its least, a setting that the
    family does not read, and what the family itself says."""
    family = of(model)
    if model.depth < family.least_depth:
        raise ConfigError(f"model.depth: {model.depth}; allowed: {family.least_depth} or more ({family.depth})")
    default = ModelConfig()
    for name in vars(model):
        if name not in (*COMMON, *family.reads) and getattr(model, name) != getattr(default, name):
            raise ConfigError(
                f"model.{name}: {getattr(model, name)}; allowed: {getattr(default, name)}, for model.family="
                f"{model.family} does not read it"
            )
    family.check(model)
