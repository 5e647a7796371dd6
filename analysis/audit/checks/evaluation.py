"""Training loss in place of held-out loss, or a held-out loss over too few tokens."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, positive, without
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import Runs, row_list

NAME, TITLE = "training_loss", "training loss instead of held-out loss"
NEEDS = "column loss_split ('train' or another word), or train_loss beside loss"
FEW_TOKENS = 1e5  # of a text; how many examples of another task are enough hangs on the task


def check(case: Case) -> Found | Passed | NotChecked:
    """Rows whose loss is said to be, or equals, the training loss."""
    training = _training(case.runs)
    if training is None:
        return NotChecked(NEEDS)
    if training.any():
        return _found(case, training)
    tokens = positive(case.runs, "eval_tokens")
    few = tokens < FEW_TOKENS
    if few.any() and case.units.data == "tokens":
        return _few(case, tokens, few)
    measured = f", over {np.nanmin(tokens):.3g} {case.units.data} or more" if np.isfinite(tokens).any() else ""
    return Passed(f"the loss is a held-out one{measured}")


def _training(runs: Runs) -> np.ndarray | None:
    """(n,) whether a row's loss is its training loss; None where the table does not tell."""
    if "loss_split" in runs and runs["loss_split"].dtype.kind in "UO":
        return np.array([str(word).strip().lower().startswith("train") for word in runs["loss_split"]])
    train = runs.numbers("train_loss")
    if not np.isfinite(train).any():
        return None
    return np.isclose(train, runs["loss"], rtol=1e-9, atol=0) & np.full(len(runs), _mostly_equal(train, runs["loss"]))


def _mostly_equal(train: np.ndarray, loss: np.ndarray) -> bool:
    return bool(np.mean(np.isclose(train, loss, rtol=1e-9, atol=0)) > 0.5)


def _found(case: Case, training: np.ndarray) -> Found:
    rows = np.sort(case.runs.rows[training])
    whole = bool(training.all())
    return Found(
        evidence=f"the loss of {len(rows)} of {len(training)} fitted rows is a training loss ({row_list(rows)})",
        floor=severity.MODERATE,
        rows=rows,
        mend=None if whole else without(rows, "a training loss"),
        mended="without the rows of training loss",
        unmended="no row has a held-out loss" if whole else "",
        advice="no further run: evaluate the last checkpoints on a fixed held-out set"
        + (" of 1e5 tokens or more" if case.units.data == "tokens" else ""),
    )


def _few(case: Case, tokens: np.ndarray, few: np.ndarray) -> Found:
    rows = np.sort(case.runs.rows[few])
    return Found(
        evidence=f"the held-out loss of {len(rows)} rows is over as few as {np.nanmin(tokens):.3g} tokens, where "
        f"{FEW_TOKENS:g} are the least ({row_list(rows)})",
        floor=severity.MINOR,
        rows=rows,
        mend=without(rows, "evaluated on too few tokens"),
        mended="without the rows evaluated on too few tokens",
        advice="no further run: evaluate the last checkpoints on more tokens",
    )
