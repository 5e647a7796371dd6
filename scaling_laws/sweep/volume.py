"""How many bytes a run leaves on the disk: checkpoints while it is trained, rows, curves and TensorBoard for good."""

import math

from scaling_laws import memory
from scaling_laws.sweep.planned import PlannedRun

# fitted to journals and event files of transformers of depth 1 to 5 with 3 to 28 points, within 3 %; less for others,
# which have no attention logits
ROW, POINT, POINT_OF_BLOCK = 2450, 348, 62  # of the journal: a run, a point of its curve, and a block more there
EVENTS, SCALARS, SCALARS_OF_BLOCK = 4150, 262, 101  # of TensorBoard, likewise
BESIDE = 10_000  # of a checkpoint, beside its arrays: the manifest
KEPT = 2  # checkpoints of a run, while another is written


def points(planned: PlannedRun) -> int:
    """Points of the curve, at most."""
    return min(planned.run.train.curve_points, planned.run.train.steps)


def journal(planned: PlannedRun) -> int:
    """Bytes of the run and its curve in the journal; the Parquet made of it takes a fraction of that."""
    return ROW + points(planned) * (POINT + POINT_OF_BLOCK * planned.run.model.depth)


def events(planned: PlannedRun) -> int:
    """Bytes of its TensorBoard file."""
    return EVENTS + points(planned) * (SCALARS + SCALARS_OF_BLOCK * planned.run.model.depth)


def checkpoint(planned: PlannedRun) -> int:
    """Bytes of one checkpoint."""
    return memory.state_bytes(planned.run, planned.counts.n_params) + BESIDE


def parameters(planned: PlannedRun) -> int:
    """Bytes of the last parameters, where the run keeps them."""
    return memory.FLOAT * planned.counts.n_params + BESIDE if planned.run.train.keep_parameters else 0


def saves(planned: PlannedRun, seconds: float) -> int:
    """How many checkpoints a run that takes so long writes."""
    every = planned.run.train.checkpoint_seconds
    return math.floor(seconds / every) if every else 0
