"""From what the user names to units of work: files by their endings, large ones cut, small ones gathered.

Units depend on the sources alone, not on how many processes there are, and so do the shards made from them.
"""

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence

from scaling_laws.corpora import storage
from scaling_laws.corpora.unit import SourceError, Unit
from scaling_laws.tasks import corpus

LINES, PACKED, ROWS = (".jsonl", ".ndjson"), (".jsonl.gz", ".ndjson.gz"), (".parquet",)
ENDINGS = (*corpus.SUFFIXES, *LINES, *PACKED, *ROWS)
LICENCES = "licences.json"  # in a source folder: name of a part -> its licence
LEAST_UNIT, MOST_UNIT, UNITS = 1 << 22, 1 << 26, 64
LONGEST_TEXT = 1 << 24  # a longer text file of a folder is cut into documents too
BOUNDARY = 1 << 16  # bytes in which the end of a paragraph is looked for


def units(sources: Sequence[str], column: str, unit_bytes: int = 0) -> list[Unit]:
    """The units of local files, folders and URLs, in the order given and by name, each about `unit_bytes` large; 0: a
    64th of all, but 4 to 64 MiB.

    Raises SourceError for a place that is not there or holds no text, and for a Parquet file without `column`.
    """
    found = [storage.found(source) for source in sources]
    total = sum(size for each in found for _, size in each.files)
    limit = unit_bytes or min(MOST_UNIT, max(LEAST_UNIT, total // UNITS))
    return [unit for each in found for unit in _of(each, column, limit)]


def licences(sources: Iterable[str]) -> dict[str, str]:
    """What the folders among the sources say of their parts. Raises SourceError for a file that is not such a table."""
    said: dict[str, str] = {}
    for source in sources:
        path = os.path.join(os.path.expanduser(source), LICENCES)
        if storage.is_url(source) or not os.path.isfile(path):
            continue
        try:
            given = json.loads(storage.whole("", path))
        except ValueError as error:
            raise SourceError(f"--source: {path} is no JSON ({error})") from None
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise SourceError(f"--source: {path} is no table of texts; allowed: name of a part -> its licence")
        said |= given
    return said


def streamed(dataset: str, configuration: str, split: str, column: str) -> list[Unit]:
    """The units of a Hugging Face data set: those that it is stored in. Raises SourceError."""
    from scaling_laws.corpora import hub

    count = hub.n_shards(dataset, configuration, split, column)
    return [Unit("streamed", "", (dataset, configuration, split), k, count) for k in range(count)]


def _of(found: storage.Found, column: str, limit: int) -> Iterator[Unit]:
    """The units of one source."""
    taken = [(path, size) for path, size in found.files if size and (found.is_file or path.endswith(ENDINGS))]
    if not taken:
        empty = found.is_file or any(path.endswith(ENDINGS) for path, _ in found.files)
        why = "is empty" if empty else "holds no text"
        raise SourceError(f"--source: {found.source} {why}; allowed: files with text that end in {', '.join(ENDINGS)}")
    gathered: list[tuple[str, int]] = []
    for path, size in taken:
        small = size <= LONGEST_TEXT and not found.is_file and not path.endswith((*LINES, *PACKED, *ROWS))
        gathered += [(path, size)] if small else []
        if gathered and (not small or sum(each for _, each in gathered) >= limit):
            yield _gather(found.root, gathered)
            gathered = []
        if not small:
            yield from _large(found.root, path, size, column, limit)
    if gathered:
        yield _gather(found.root, gathered)


def _gather(root: str, files: list[tuple[str, int]]) -> Unit:
    return Unit("files", root, tuple(path for path, _ in files), size=sum(size for _, size in files))


def _large(root: str, path: str, size: int, column: str, limit: int) -> Iterator[Unit]:
    """The units of one file."""
    if path.endswith(PACKED):
        yield Unit("packed_lines", root, (path,), size=size)
    elif path.endswith(LINES):
        for start in range(0, size, limit):
            stop = min(start + limit, size)
            yield Unit("lines", root, (path,), start, stop, stop - start)
    elif path.endswith(ROWS):
        yield from _row_groups(root, path, column, limit)
    else:
        piece = max(corpus.MIN_PIECE_BYTES, min(corpus.PIECE_BYTES, size // corpus.PIECES))
        bounds = [0, *_paragraphs(root, path, size, limit), size]
        for start, stop in itertools.pairwise(bounds):
            yield Unit("piece", root, (path,), start, stop, stop - start, piece)


def _paragraphs(root: str, path: str, size: int, limit: int) -> Iterator[int]:
    """Places near the multiples of `limit` where a text can be cut."""
    with storage.opened(root, path) as file, storage.told(path):
        for near in range(limit, size - BOUNDARY, limit):
            file.seek(near)
            yield near + corpus.cut(file.read(BOUNDARY), 2, BOUNDARY - 4)


def _row_groups(root: str, path: str, column: str, limit: int) -> Iterator[Unit]:
    """Row groups, as many as come to `limit` bytes of the column."""
    from scaling_laws.corpora import parquet

    sizes = parquet.group_bytes(root, path, column)
    first, gathered = 0, 0
    for group, size in enumerate(sizes):
        gathered += size
        if gathered >= limit or group == len(sizes) - 1:
            yield Unit("rows", root, (path,), first, group + 1, gathered)
            first, gathered = group + 1, 0
