"""What no source of this project does: load pickles, or unpack archives."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("analysis", "experiments", "scaling_laws", "scripts")
UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "copyreg"}
ARCHIVES = {"zipfile", "tarfile", "patoolib", "py7zr", "rarfile"}
UNSAFE_CALLS = {"read_pickle", "unpack_archive", "extractall", "extract_all"}
SAVED_BY_OTHERS = {"np", "numpy", "jnp", "torch"}  # whose `load` reads pickles unless it is told not to


def faults(source):
    """What a source does that none may, with its line."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name.split(".")[0] in UNSAFE_MODULES | ARCHIVES:
                yield f"{node.lineno}: import of {name}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        allowed = [keyword.value for keyword in node.keywords if keyword.arg == "allow_pickle"]
        if any(not isinstance(value, ast.Constant) or value.value for value in allowed):
            yield f"{node.lineno}: allow_pickle"
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        if node.func.attr in UNSAFE_CALLS or (node.func.attr == "load" and owner in SAVED_BY_OTHERS and not allowed):
            yield f"{node.lineno}: {ast.unparse(node.func)}"


@pytest.mark.parametrize(
    "source, count",
    [
        ("import pickle", 1),
        ("import os, joblib.memory", 1),
        ("from cloudpickle import loads", 1),
        ("import tarfile\ntarfile.open('x').extractall()", 2),
        ("np.load(x)", 1),
        ("np.load(x, allow_pickle=True)", 1),
        ("np.load(x, allow_pickle=wanted)", 1),
        ("np.load(x, allow_pickle=False)\nnp.save(y, x, allow_pickle=False)\njson.load(file)\nload(x)", 0),
        ("torch.load(x)", 1),
        ("pandas.read_pickle(x)", 1),
        ("shutil.unpack_archive(x)", 1),
    ],
)
def test_the_search_finds_what_it_looks_for(source, count):
    assert len(list(faults(source))) == count


def test_no_source_loads_a_pickle_or_unpacks_an_archive():
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(paths) > 100
    assert not [f"{path}:{fault}" for path in paths for fault in faults(path.read_text())]
