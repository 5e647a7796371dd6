"""Settings of fine-tuning: the run that another begins from, and which of its layers rest. No JAX here."""

import dataclasses

from scaling_laws.fields import setting

PARTS = ("none", "embedding", "blocks", "body")


@dataclasses.dataclass(frozen=True)
class TransferConfig:
    """Where a run begins. Rates, decay and forward multipliers follow the same rules of the parametrisation as ever."""

    source: str = setting(
        "", "run_id of the finished run whose last parameters (train.keep_parameters) this one begins from; empty: none"
    )
    source_workdir: str = setting("", "the workdir of the source; empty: this run's own", identity=False)
    frozen: str = setting(
        "none",
        "what rests as the source has it: embedding, with positions (or the first layer); blocks, that and the first "
        "transfer.frozen_blocks blocks; body, all but the head",
        choices=PARTS,
    )
    frozen_blocks: int = setting(0, "transfer.frozen=blocks: how many, from the input on", low=0, high=4096)
    new_head: bool = setting(False, "draw the head anew; where it has another shape it is drawn anew anyway")
