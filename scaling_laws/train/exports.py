"""Traced programs kept on disk beside the compiled ones: a shape is traced once, not by every worker at every start.

Tracing needs the model, Flax and Optax, and takes as long as loading ten compiled programs; what is kept is StableHLO
with its own version and calling convention (`jax.export`), no pickle. On one CPU only: elsewhere a program may hold
calls of the vendor's kernels, which nobody promises to keep.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax import export

import scaling_laws
from scaling_laws.train.functions import DataForms, Functions
from scaling_laws.train.layout import Layout
from scaling_laws.train.shape import Shape

FOLDER = "traced"
SETTINGS = ("jax_default_matmul_precision", "jax_enable_x64")
LIBRARIES = ("jax", "jaxlib", "flax", "optax")
_DIGEST, _LENGTH = 32, 8  # bytes


def functions(shape: Shape, layout: Layout, forms: DataForms) -> Functions:
    """The functions of a pack on one device, from the folder of compiled programs, else traced and kept there."""
    compiled = jax.config.values["jax_compilation_cache_dir"]
    if not compiled:
        return _functions(*_traced(shape, layout, forms))
    path = Path(compiled) / FOLDER / key(shape, layout, forms)
    kept = _read(path) or _traced(shape, layout, forms)
    if not path.exists():
        _write(path, *kept)
    return _functions(*kept)


def key(shape: Shape, layout: Layout, forms: DataForms) -> str:
    """What a traced program depends on, hashed: its form, our sources, and the libraries that trace it."""
    facts = [dataclasses.asdict(each) for each in (shape, layout, forms)]
    libraries = [importlib.metadata.version(name) for name in LIBRARIES]
    settings = [jax.config.values[name] for name in SETTINGS]
    return hashlib.sha256(json.dumps([facts, libraries, settings, sources()], sort_keys=True).encode()).hexdigest()


@functools.cache
def sources() -> str:
    """Hash of every source file of this package."""
    root, digest = Path(scaling_laws.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _traced(shape: Shape, layout: Layout, forms: DataForms) -> tuple[bytes, bytes]:
    """`advance` and `losses`, exported."""
    from scaling_laws.train import tracing  # with Flax and Optax: a second and more, paid only here

    found = tracing.functions(shape, layout, forms)
    return (
        bytes(export.export(jax.jit(found.advance))(*found.advance_arguments).serialize()),
        bytes(export.export(jax.jit(found.losses))(*found.losses_arguments).serialize()),
    )


def _functions(advance: bytes, losses: bytes) -> Functions:
    return Functions(*_callable(advance), *_callable(losses))


def _callable(data: bytes | bytearray) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What was exported, and the shapes of its arguments."""
    found = export.deserialize(bytearray(data))
    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in found.in_avals]
    arguments, _ = jax.tree.unflatten(found.in_tree, shapes)
    return found.call, arguments


def _read(path: Path) -> tuple[bytes, bytes] | None:
    """What is kept; None where nothing is, or not what was written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, rest = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(rest).digest() != digest:
        path.unlink(missing_ok=True)
        return None
    size = int.from_bytes(rest[:_LENGTH], "little")
    return rest[_LENGTH : _LENGTH + size], rest[_LENGTH + size :]


def _write(path: Path, advance: bytes, losses: bytes) -> None:
    """Whole or not at all; several workers may write the same. Where the disk refuses, nothing is kept."""
    rest = len(advance).to_bytes(_LENGTH, "little") + advance + losses
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix="partial_")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(rest).digest() + rest)
        os.replace(name, path)
    except OSError:
        if name:
            Path(name).unlink(missing_ok=True)
