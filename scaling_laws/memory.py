"""How much memory training takes, from the configuration alone (no JAX).

State: parameters and the optimiser's moments, float32. Work: gradients, and what the forward pass keeps for the
backward pass. The shares below are least-squares fits to XLA's own account (`memory_analysis`) of 41 programs of the
transformer on a CPU, jax 0.10.2: widths 16 to 512, depths 1 to 24, contexts 32 to 512, vocabularies 64 to 8192, one to
16 parts. The total is within 6 % of that account for blocks that are unrolled, within 15 % for those that are scanned.
"""

import dataclasses

from scaling_laws import families
from scaling_laws.config import ModelConfig, RunConfig, head_count, left
from scaling_laws.families.transformer import expert_share, is_scanned, up_columns
from scaling_laws.spec import Spec

FLOAT = 4  # bytes
MOMENTS = {"adam": 2, "adamw": 2, "sgd": 1}
QK_NORM, LAYER_NORM = 6.0, 2.5  # as `_Shares.width`, where the model has them
JOINED = 1 << 20  # bytes of parameters up to which they are one vector: a sixth less compiling for four copies more
MULTIPLIERS = 5  # such vectors more, where rates, decays and epsilons are not the same for all tensors
RESIDENT, LIBRARIES = 1.15, 10 * 2**20  # of the process: the allocator's rounding, and scratch of the product kernels


@dataclasses.dataclass(frozen=True)
class _Shares:
    """Numbers kept at a time: a parameter, a parameter where a batch has parts, then a token of one part."""

    gradients: float
    summed: float
    width: float  # a block
    hidden: float  # a block, a column of the feed-forward branch's first matrix
    scores: float  # a block, head and position
    logits: float  # a token of the vocabulary
    stream: float  # a column of the residual stream


_UNROLLED = _Shares(gradients=0.82, summed=0.38, width=10.27, hidden=2.48, scores=1.34, logits=1.93, stream=4.26)
_SCANNED = _Shares(gradients=1.78, summed=0.66, width=19.93, hidden=3.88, scores=1.31, logits=0.67, stream=7.87)


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of training: `state`, with the text, stays from step to step; `work` is there within one."""

    state: int
    work: int

    @property
    def total(self) -> int:
        """What the program needs at its peak; on an accelerator, the whole of it."""
        return self.state + self.work

    @property
    def resident(self) -> int:
        """By how much a CPU process grows: the total, an allocator's waste and the libraries' own scratch."""
        return round(RESIDENT * self.total) + LIBRARIES


def estimate(
    run: RunConfig,
    spec: Spec,
    parts: int = 1,
    members: int = 1,
    strategy: str = "map",
    data_bytes: int = 0,
    loss_chunks: int = 1,
) -> Memory:
    """Peak memory of a pack of `members` such runs on one device, their batches worked through in `parts`, beside
    data of so many bytes and their losses in so many chunks. The shares were fitted to transformers; for another
    family the work is twice what it says that it keeps.

    With `model.remat` an upper figure: one block in full, of the others their inputs; blocks that are unrolled are kept
    whole on a CPU, whose compiler undoes the recomputation.
    """
    n_params = families.count(run.model, spec).n_params
    share = _SCANNED if is_scanned(run.model) else _UNROLLED
    gradients = n_params * (share.gradients + share.summed * (parts > 1))
    if FLOAT * n_params <= JOINED and run.train.parametrization != "standard":
        gradients += MULTIPLIERS * n_params
    targets = run.train.batch_size * spec.targets / parts
    if run.model.family == "transformer":
        kept = _token(run.model, spec, share, loss_chunks) * (spec.shape[0] // spec.targets)
    else:
        kept = 2 * families.of(run.model).kept(run.model, spec)
    state, work = state_bytes(run, n_params), FLOAT * (gradients + targets * kept)
    if strategy == "vmap":
        work *= members
    elif members > 1:
        work += members * state  # a pack in turn is copied
    return Memory(members * state + data_bytes, round(work))


def state_bytes(run: RunConfig, n_params: int) -> int:
    """Bytes of the state of a run: parameters, the optimiser's moments, an average where one is kept."""
    return FLOAT * n_params * (1 + MOMENTS[run.optimizer.name] + (run.train.average != "none"))


def _token(model: ModelConfig, spec: Spec, share: _Shares, loss_chunks: int) -> float:
    """Numbers kept at a time for a token of a transformer."""
    width = share.width + QK_NORM * model.qk_norm + LAYER_NORM * (model.norm == "layer")
    block, branch = width * model.width, share.hidden * up_columns(model)
    if model.experts > 1:  # what goes into an expert and what comes out, at the places that it may take
        branch = float(expert_share(model, spec.shape[0])) * (branch + 4 * model.width) + 4 * model.experts
    block += branch
    block += share.scores * left(model, head_count(model)) * spec.shape[0]
    outputs = spec.outputs * (1 + (model.auxiliary != "none"))
    blocks = block + model.depth * model.width if model.remat and is_scanned(model) else model.depth * block
    return blocks + share.logits * outputs / loss_chunks + share.stream * model.width
