"""What a run studies on top of the baseline, as its row of the runs table says it. No JAX here."""

from scaling_laws import augmentation, families
from scaling_laws.config import RunConfig


def of(run: RunConfig) -> tuple[str, float]:
    """The columns `technique` and `strength`: (`none`, 0.0) of the baseline.

    Of several techniques the names are joined by + and the strengths added: 0 where all are neutral, more where any is
    stronger. Each by itself stands in the column `config`.
    """
    strengths = augmentation.strengths(run.augment) | _transfer(run)
    return "+".join(strengths) or "none", sum(strengths.values(), 0.0)


def _transfer(run: RunConfig) -> dict[str, float]:
    """1 where all layers learn on from a source, and one more for each that rests: the first one, and blocks."""
    return {"transfer": 1.0 + families.frozen(run.model, run.transfer).n_layers} if run.transfer.source else {}
