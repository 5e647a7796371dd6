"""How text is taken out of what packages ship: small files in their forms, written by hand."""

import gzip
import json
import struct
import zlib

import pytest

from experiments.english import packages, parts


def test_markup_becomes_lines():
    page = "<head><title>T</title></head><p>One &amp; two<br>three</p><script>x()</script>\n\n\n<h2>Four</h2>"
    assert parts.plain(page) == "One & two\nthree\n\nFour"
    verse = '<verse osisID="Gen.1.1"><w lemma="x">In</w> the\tbeginning</verse><note>n</note>'
    assert parts.plain(verse) == "In the beginning"


def test_a_module_of_packed_books(tmp_path):
    books = ["<verse>In the beginning</verse>", "<verse>Now these are the names</verse>"]
    packed = [zlib.compress(book.encode()) for book in books]
    places = [(0, len(packed[0]), len(books[0])), (len(packed[0]), len(packed[1]), len(books[1])), (9, 0, 0)]
    (tmp_path / "ot.bzs").write_bytes(b"".join(struct.pack("<III", *place) for place in places))
    (tmp_path / "ot.bzz").write_bytes(b"".join(packed))
    assert list(parts.sword(tmp_path)) == ["In the beginning", "Now these are the names"]


def test_meanings_of_words(tmp_path):
    (tmp_path / "dict").mkdir()
    entry = "00002684 03 n 02 object 0 physical_object 0 001 @ 00001930 n 0000 | a tangible entity  \n"
    (tmp_path / "dict/data.noun").write_text("  1 This software and database is being | provided\n" + entry)
    assert list(parts.glosses(tmp_path)) == ["object, physical object: a tangible entity"]


def test_documentation_strings_come_once(tmp_path):
    told = {"documentation": "<p>Deletes the whole of a bucket.</p>", "shapes": [{"documentation": "short"}]}
    for name, more in (("a", {"x": {"documentation": "<p>Lists every object there is.</p>"}}), ("b", {})):
        (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(told | more).encode()))
    found = list(parts.strings("*.json.gz", "documentation")(tmp_path))
    assert found == ["Deletes the whole of a bucket.\n\nLists every object there is.", ""]


def test_every_part_has_a_licence_and_a_client():
    assert {part.client for part in parts.PARTS.values()} <= set(packages.CLIENTS)
    assert all(part.licence for part in parts.PARTS.values())


def test_a_client_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(packages.CLIENTS, "python", lambda name, folder: packages._run(["no-such-client"], folder))
    with pytest.raises(packages.PackageError, match="no-such-client is not installed"):
        packages.fetch("python", "thing", tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(packages.PackageError, match="false ended with 1: no message"):
        packages._run(["false"], tmp_path)
