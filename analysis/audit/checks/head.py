"""N that leaves out the head: on small models the head is most of the FLOPs, and the exponent comes out too large."""

import numpy as np

from analysis.audit import severity
from analysis.audit.case import Case, positive
from analysis.audit.findings import Found, NotChecked, Passed
from analysis.load import DataError, Runs
from scaling_laws.config import FAMILIES

NAME, TITLE = "head_not_counted", "N leaves out the head"
NEEDS = "column counts ('total' or 'non_embedding'), or n_non_embedding, or width, depth and vocab_size"
SAME = 0.05  # relative difference of two counts that are one and the same
LEAST_SHARE = 0.1  # of N with the head, below which leaving it out changes little


def check(case: Case) -> Found | Passed | NotChecked:
    """Whether N is the non-embedding count, and how large the head is beside it."""
    runs = case.runs
    lacks = _lacks(runs)
    if lacks is None:
        return NotChecked(NEEDS)
    if not lacks:
        return Passed(f"N counts the head{_other(case)}")
    head = head_params(runs)
    share = head / (runs["n_params"] + head)
    if np.isfinite(share).all() and share.max() < LEAST_SHARE:
        return Passed(f"N leaves out the head, which is at most {share.max():.1%} of N with it")
    known = bool(np.isfinite(share).all())
    size = f"; the head is {share.max():.0%} of N with it at the smallest size, {share.min():.0%} at the largest"
    return Found(
        evidence=f"N and C of {len(runs)} runs leave out the head{size if known else '; how large it is is not told'}",
        floor=severity.HEAD * (float(share.max()) if known else 1.0),
        rows=runs.rows,
        mend=_counted if known else None,
        mended="with the head counted in N and in C = 6 N D",
        unmended="" if known else "needs column n_head, or width and vocab_size, or N with the head",
        advice="no further run: count the head's parameters and FLOPs",
        picture="head" if known else "",
    )


def _lacks(runs: Runs) -> bool | None:
    """Whether N leaves out the head; None where the table does not tell."""
    if "counts" in runs and runs["counts"].dtype.kind in "UO":
        words = {str(word).strip().lower() for word in runs["counts"]}
        return bool(words & {"non_embedding", "non-embedding", "without_head"})
    small = positive(runs, "n_non_embedding")
    if not _transformers(runs):
        return False if (runs["n_params"] > small).any() else None
    if not np.isfinite(small).any():
        small = blocks(runs)
        if not np.isfinite(head_params(runs)).any():
            return None
    ratio = runs["n_params"] / small
    return bool(np.nanmax(np.abs(ratio - 1)) < SAME) if np.isfinite(ratio).any() else None


def _transformers(runs: Runs) -> bool:
    """Whether the runs may be transformers, whose blocks and head follow from width and depth: no other family of ours.

    A stranger's table, which names no family or one of its own, is taken for transformers.
    """
    return "family" not in runs or not {*map(str, runs["family"])} & {*FAMILIES} - {"transformer"}


def blocks(runs: Runs) -> np.ndarray:
    """(n,) 12 depth width^2: parameters of the blocks alone (Kaplan et al. 2020, table 1); NaN where unknown."""
    return 12 * positive(runs, "depth") * positive(runs, "width") ** 2


def head_params(runs: Runs) -> np.ndarray:
    """(n,) parameters of the head: column n_head, else of transformers vocab_size times width; NaN where unknown."""
    given = positive(runs, "n_head")
    if np.isfinite(given).all() or not _transformers(runs):
        return given
    return positive(runs, "vocab_size") * positive(runs, "width")


def _counted(runs: Runs) -> Runs:
    n = runs["n_params"] + head_params(runs)
    return runs.with_columns(n_params=n, flops=6 * n * runs["tokens"], budget=np.full(len(runs), np.nan))


def _other(case: Case) -> str:
    """What the other count would give, where it is there: a choice to be said aloud."""
    small = positive(case.runs, "n_non_embedding")
    if not np.isfinite(small).all():
        return ""
    try:
        effect = case.effect(lambda runs: _smaller(runs), "")
    except DataError:
        return ""
    return f"; by n_non_embedding a would be {effect.after.a:.3f} instead of {effect.before.a:.3f}"


def _smaller(runs: Runs) -> Runs:
    n = runs["n_non_embedding"].astype(float)
    return runs.with_columns(n_params=n, flops=6 * n * runs["tokens"], budget=np.full(len(runs), np.nan))
