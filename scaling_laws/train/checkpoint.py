"""Checkpoints of a run: atomic, verified by checksum before they are used, the last two kept.

Each is made in a folder of its own that gets its final name only when everything is on the disk, with a sealed manifest
of the SHA-256 of every file and of what each array is. Several processes that train one model each write what they have
of it; the first one does the rest. What they wrote any number of processes reads.
"""

import ast
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scaling_laws.disk import sync_folder
from scaling_laws.hosts.team import ALONE, Team
from scaling_laws.sealed import seal, unseal
from scaling_laws.train import arrays, saved
from scaling_laws.train.shares import Share

MANIFEST = "manifest.json"
FORMAT = 3  # of the manifest and of what a run keeps beside its state; 2: its health; 3: its last step by layer
PARTIAL, DAMAGED = "partial_", "damaged_"
CHUNK = 1 << 20

PyTree = Any


def warn(line: str) -> None:
    """Say a line on standard error."""
    print(line, file=sys.stderr, flush=True)


class Unsound(ValueError):
    """A checkpoint that cannot be used, in one line: where it is and what is wrong with it."""


def load(folder: Path) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    """(step, state, extra) of the checkpoint `folder`, verified, of a state that is arrays by name, whatever they are.

    Raises Unsound.
    """
    facts, fault = _verified(folder)
    if fault:
        raise Unsound(f"{folder}: {fault}")
    found = arrays.read(folder, {name: _described(text) for name, text in facts["tensors"].items()})
    return facts["step"], {_key(path): tensor for path, tensor in found.items()}, facts["extra"]


class Checkpoints:
    """The checkpoints of one run under `folder`, which is made when first needed. One process at a time, or the
    processes of one team, which then call everything together."""

    def __init__(self, folder: str | os.PathLike, say: Callable[[str], None] = warn, keep: int = 2, team: Team = ALONE):
        self.folder, self._say, self._keep, self._team = Path(folder).absolute(), say, keep, team

    def any(self) -> bool:
        """Whether there is a checkpoint, sound or not."""
        return bool(self._saved())

    def save(self, step: int, state: PyTree, extra: dict[str, Any] | None = None) -> None:
        """Write `state` (arrays of any dtype of NumPy or JAX, or `Share`s) and `extra` (what JSON can hold), then drop
        old ones.

        A checkpoint of the same step is replaced; those of later steps, left by a run that went back, are dropped.
        """
        partial, final = self.folder / f"{PARTIAL}{step:012d}", self.folder / f"{saved.PREFIX}{step:012d}"
        if self._team.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._drop_partial()
        self._team.meet()
        partial.mkdir(parents=True, exist_ok=self._team.several)
        tensors = _named(state)
        if self._team.several:
            arrays.write_pieces(partial, tensors, self._team.process)
        else:
            arrays.write(partial, tensors)
        own = f"{arrays.PIECES}{self._team.process:05d}.*" if self._team.several else "*"
        files = self._team.meet(_sync_and_hash(partial, own))
        if self._team.first:
            self._complete(partial, final, step, tensors, {k: v for each in files for k, v in each.items()}, extra)
        self._team.meet()

    def _complete(
        self,
        partial: Path,
        final: Path,
        step: int,
        tensors: dict[str, np.ndarray | Share],
        files: dict[str, str],
        extra: dict[str, Any] | None,
    ) -> None:
        """Make a checkpoint of the files that are there."""
        described = _description(tensors)
        facts = {"format": FORMAT, "step": step, "tensors": described, "files": files, "extra": extra or {}}
        _write_synced(partial / MANIFEST, seal(facts))
        for path in [partial, *(path for path in partial.rglob("*") if path.is_dir())]:
            sync_folder(path)
        for stale in (path for path in self._saved() if path.name >= final.name):
            self._remove(stale)
        partial.rename(final)
        sync_folder(self.folder)
        for old in self._saved()[: -self._keep]:
            self._remove(old)

    def steps(self) -> list[int]:
        """Steps of the checkpoints, sound or not, earliest first."""
        return self._team.meet(saved.steps(self.folder))[0]

    def restore(self, template: PyTree, at: int | None = None) -> tuple[int, PyTree, dict[str, Any]] | None:
        """(step, state, extra) of the latest sound checkpoint, bit for bit as saved; None when there is none.

        `at`: of that step or none.

        `template`: a tree of arrays with the structure, shapes and dtypes of the state. The state comes back as
        NumPy arrays in that structure. A checkpoint that is damaged, or does not fit the template, is set aside
        and named through `say`.
        """
        expected = {name: np.asarray(leaf) for name, leaf in _named(template).items()}
        for step in reversed(self.steps()):
            if at is not None and step != at:
                continue
            folder = self.folder / f"{saved.PREFIX}{step:012d}"
            facts, fault = _verified(folder)
            fault = fault or _misfit(facts["tensors"], _description(expected))
            fault = next((each for each in self._team.meet(fault) if each), "")
            if not fault:
                tensors = arrays.read(folder, expected)
                leaves = [tensors[name] for name in expected]
                return facts["step"], jax.tree.unflatten(jax.tree.structure(template), leaves), facts["extra"]
            if self._team.first:
                self._set_aside(folder, fault)
        return None

    def clear(self) -> None:
        """Remove every checkpoint of the run, and its folder."""
        if not self._team.first:
            return
        for folder in self._saved():
            self._remove(folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _saved(self) -> list[Path]:
        return saved.checkpoints(self.folder)

    def _drop_partial(self) -> None:
        for folder in self.folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(folder)

    def _remove(self, folder: Path) -> None:
        """Renamed first: a removal that is cut short leaves nothing that looks like a checkpoint."""
        doomed = folder.with_name(f"{PARTIAL}removed_{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)

    def _set_aside(self, folder: Path, fault: str) -> None:
        aside = folder.with_name(DAMAGED + folder.name)
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        self._say(f"{folder}: checkpoint not used, {fault}; moved to {aside.name}")


def _named(tree: PyTree) -> dict[str, Any]:
    """Path in the tree -> leaf, an array of NumPy or a `Share`, in the order of the leaves."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = {jax.tree_util.keystr(path): leaf if isinstance(leaf, Share) else np.asarray(leaf) for path, leaf in leaves}
    assert len(named) == len(leaves), "two leaves of one path"
    return named


def _description(tensors: Mapping[str, np.ndarray | Share]) -> dict[str, str]:
    return {name: f"{tensor.dtype.name}{list(tensor.shape)}" for name, tensor in tensors.items()}


def _described(text: str) -> np.ndarray:
    """Some array of which `_description` says this."""
    dtype, _, shape = text.partition("[")
    return np.empty(json.loads(f"[{shape}"), jax.numpy.dtype(dtype))


def _key(path: str) -> str:
    """The name of an array that stands at `path` in a state of arrays by name: `['params/head']`."""
    (name,) = ast.literal_eval(path)
    return name


def _misfit(found: dict[str, str], expected: dict[str, str]) -> str:
    """What differs first between a checkpoint's tensors and the template's, or nothing."""
    for name in [*expected, *found]:
        if found.get(name) != expected.get(name):
            return f"tensor {name} is {found.get(name, 'absent')} where the run has {expected.get(name, 'none')}"
    return ""


def _verified(folder: Path) -> tuple[dict[str, Any], str]:
    """(manifest, what is wrong with the checkpoint or nothing)."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return {}, f"{MANIFEST} is missing"
    data = manifest.read_bytes()
    facts = unseal(data[:-1]) if data.endswith(b"\n") else None
    if facts is None:
        return {}, f"{MANIFEST} is damaged"
    if facts.get("format") != FORMAT:
        return facts, "it is of another version of this program"
    present = {str(path.relative_to(folder)) for path in _files(folder)} - {MANIFEST}
    for name in sorted(present | set(facts["files"])):
        if name not in present:
            return facts, f"{name} is missing"
        if name not in facts["files"]:
            return facts, f"{name} does not belong to it"
        if _hash(folder / name) != facts["files"][name]:
            return facts, f"{name} is damaged"
    return facts, ""


def _files(folder: Path, pattern: str = "*") -> Iterator[Path]:
    return (path for path in sorted(folder.rglob(pattern)) if not path.is_dir())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_and_hash(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Path in the folder -> SHA-256 of every file of such a name, each on the disk first."""
    for path in _files(folder, pattern):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return {str(path.relative_to(folder)): _hash(path) for path in _files(folder, pattern)}


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
