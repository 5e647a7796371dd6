"""How a planned run ended, by a loss that the test makes up."""

import math


def row_of(planned, loss):
    """`loss(planned)` of a finished run; a diverged one where that is not finite."""
    value = loss(planned)
    if math.isfinite(value):
        return {"run_id": planned.run_id, "status": "finished", "loss": value}
    return {"run_id": planned.run_id, "status": "diverged", "loss": None}
