"""Early stopping: the validation loss at evenly spaced steps, and the parameters of the lowest (Prechelt 1998, "Early
stopping - but when?", the criterion UP by successive looks)."""

import math

from scaling_laws.techniques.regularisation import CHECKS
from scaling_laws.train.state import PARAMS, State, params

BEST = "best/"  # names of a run's best parameters so far in its checkpoints


def looks(steps: int, patience: int) -> list[int]:
    """Steps at which the validation loss is read; none where no run is ended early."""
    return sorted({math.ceil(k * steps / CHECKS) for k in range(1, CHECKS + 1)}) if patience else []


def as_best(state: State) -> State:
    """The parameters in a state, as the best ones of a checkpoint."""
    return {BEST + name.removeprefix(PARAMS): leaf for name, leaf in params(state).items()}


def parted(state: State) -> tuple[State, State]:
    """(the state, the best parameters under their own names; empty where there are none) of a checkpoint."""
    best = {name: leaf for name, leaf in state.items() if name.startswith(BEST)}
    rest = {name: leaf for name, leaf in state.items() if name not in best}
    return rest, {PARAMS + name.removeprefix(BEST): leaf for name, leaf in best.items()}
