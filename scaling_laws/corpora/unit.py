"""What one process works through at a time, and what is said when a source is not as it should be."""

import dataclasses
from collections.abc import Iterable

from scaling_laws.fields import nearest

KINDS = ("files", "piece", "lines", "packed_lines", "rows", "streamed")
MOST_DOCUMENT = 1 << 25  # bytes: a process holds one at a time, in memory of ten times its size at worst


class SourceError(ValueError):
    """A source that cannot be read, or holds what is no text; the message says where."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """A part of a source.

    `kind`: `files`, whole text files, a document each; `piece`, bytes `start` .. `stop` of one text file, cut into
    documents; `lines`, the JSONL lines that begin in these bytes; `packed_lines`, a whole gzipped JSONL file; `rows`,
    the row groups `start` .. `stop` of a Parquet file; `streamed`, share `start` of `stop` of a Hugging Face data set.
    `root`: URL of the file system, empty for this machine's own. `paths`: files in it, or the data set, its
    configuration and its split. `size`: bytes, or a guess. `piece_bytes`: about how large the documents of a text file
    are cut.
    """

    kind: str
    root: str
    paths: tuple[str, ...]
    start: int = 0
    stop: int = 0
    size: int = 0
    piece_bytes: int = 0

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.root or ''}{' in ' if self.root else ''}{self.paths[0]}"


def check_column(column: str, names: Iterable[str], path: str) -> None:
    """Raises SourceError where `column` is none of `names`."""
    names = list(names)
    if column not in names:
        raise SourceError(
            f"--column: {column!r} is not in {path}; allowed: {', '.join(names) or 'none'}{nearest(column, names)}"
        )


def check_size(size: int, path: str, where: str) -> None:
    """Raises SourceError for a document that is larger than a process should hold."""
    if size > MOST_DOCUMENT:
        raise SourceError(f"--source: {path}, {where} has {size} bytes; allowed: {MOST_DOCUMENT} at most a document")
