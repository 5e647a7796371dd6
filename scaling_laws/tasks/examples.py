"""Tasks whose data are a table of examples: how they are split.

Equal inputs go into one split, so that nothing that is measured on was trained on. They stand in the order of
SHA-256(split_seed, their content): a further example takes its place without changing the order of the others
(`tasks.split` does the same with documents).
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks.split import fold_bounds
from scaling_laws.tasks.task import SPLITS, Arrays


def split(
    inputs: np.ndarray, targets: np.ndarray, config: TaskConfig, official: np.ndarray | None = None
) -> dict[str, Arrays]:
    """`inputs` (n, ...) and `targets` (n,) as the arrays of `train`, `valid` and `heldout`, read-only.

    `official` (n,): true where an example belongs to the test set that the data come with: all of it is held out,
    and no example with an input of it is trained on. Shares are of examples. Raises ConfigError where a split would
    be empty.
    """
    return take(indices(inputs, config, official), inputs, targets)


def take(found: Mapping[str, np.ndarray], inputs: np.ndarray, targets: np.ndarray) -> dict[str, Arrays]:
    """Split -> its read-only `inputs` and `targets`, of the rows `found` (`indices`)."""
    return {name: {"inputs": _frozen(inputs[rows]), "targets": _frozen(targets[rows])} for name, rows in found.items()}


def indices(inputs: np.ndarray, config: TaskConfig, official: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Split -> the rows that it takes, ascending; as `split`."""
    digests = [hashlib.sha256(row.tobytes()).digest() for row in np.ascontiguousarray(inputs)]
    members: dict[bytes, list[int]] = {}
    for index, digest in enumerate(digests):
        members.setdefault(digest, []).append(index)
    seed = str(config.split_seed).encode()
    groups = [members[d] for d in sorted(members, key=lambda digest: hashlib.sha256(seed + b":" + digest).digest())]
    rest, heldout = _heldout(groups, config, len(digests), official)
    valid = _filled(rest[::-1], config.valid_fraction * len(digests))
    parts = {"train": rest[: len(rest) - len(valid)], "valid": valid, "heldout": heldout}
    found = {name: np.array(sorted(index for group in parts[name] for index in group), int) for name in SPLITS}
    for name, rows in found.items():
        if not len(rows):
            raise ConfigError(
                f"task.path: {len(digests)} examples leave none for the {name} split; allowed: more of them, or other "
                "shares (task.valid_fraction, task.heldout_fraction)"
            )
    return found


def _heldout(
    groups: list[list[int]], config: TaskConfig, n_examples: int, official: np.ndarray | None
) -> tuple[list[list[int]], list[list[int]]]:
    """The groups to learn from, and those that are held out."""
    if config.folds:
        if config.folds > len(groups):
            raise ConfigError(f"task.folds: {config.folds}; allowed: at most {len(groups)}, one unlike example each")
        bounds = fold_bounds([len(group) for group in groups], config.folds)
        low, high = bounds[config.fold], bounds[config.fold + 1]
        return groups[:low] + groups[high:], groups[low:high]
    if official is not None:
        tested = official.tolist()  # far quicker to ask than an array
        rest = [group for group in groups if not any(tested[index] for index in group)]
        heldout = [[index for index in group if tested[index]] for group in groups]
        return rest, [group for group in heldout if group]
    heldout = _filled(groups, config.heldout_fraction * n_examples)
    return groups[len(heldout) :], heldout


def _filled(groups: Sequence[list[int]], target: float) -> list[list[int]]:
    """The first few groups, as many as bring the count of examples nearest to `target`, at least one."""
    taken, size = list(groups[:1]), len(groups[0]) if groups else 0
    for group in groups[1:]:
        if size + len(group) / 2 > target:
            break
        taken.append(group)
        size += len(group)
    return taken


def standardised(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`mean` and `scale` (one over the deviation; 1 for a constant) of each column of `train` (n, ...), float32."""
    values = np.asarray(train, np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    varies = values.min(axis=0) < values.max(axis=0)  # the deviation of equal numbers may come out above 0
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 1.0)
    return mean.astype(np.float32), scale.astype(np.float32)


def class_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """(n_classes,) float32: one over each class' share of `targets`, scaled so that their mean over `targets` is 1.

    A class that is not there has weight 0.
    """
    counts = np.bincount(targets, minlength=n_classes)
    there = counts > 0
    return np.where(there, len(targets) / (there.sum() * np.maximum(counts, 1)), 0.0).astype(np.float32)


def weights(config: TaskConfig, targets: np.ndarray, n_classes: int) -> dict[str, np.ndarray]:
    """`class_weights` by the train split's `targets` where `task.balance` asks for them, else nothing."""
    return {"class_weights": class_weights(targets, n_classes)} if config.balance else {}


def content_hash(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays: their dtypes, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
