"""Ways to spoil the bytes of a file: what a full disk, a bad cable, another program or an attacker makes of them."""

import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

from scaling_laws.sealed import BODY_AT, seal
from scripts.faults import odd_events

HOSTILE = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\r", b"\r\n", b'"', b"'", b",", b";", b"\t",
    b"\x1b[2J",
    b"\xe2\x80\xa8", b"\xc2\x85", b"</script>", b"../../etc/x", b"nan", b"inf", b"-inf", b"1e400", b"1" * 5000, b"{",
    b"}",
    b"[" * 100_000, b'{"a":' * 100_000, b"null", b"\x80\x04K\x01.", b"PK\x03\x04", b"PAR1", b"#", b"=cmd()", b"\\ud800",
    b'"\\ud800"', b"\\u0000", b"_", "１２".encode(), "é".encode("latin-1"), b"[" * 900 + b"]" * 900, b"x" * 1_000_000,
)  # fmt: skip
NUMBERS = (
    b"0", b"-0", b"-1", b"nan", b"inf", b"-inf", b"1e308", b"1e309", b"1e-320", b"1e-400", b"9" * 400, b"9" * 5000,
    b"18446744073709551616", b"0x10", b"1_0", b"", b"NA", b"true", b"1,5", b"\xd9\xa3", b"1e999999999", b"[1]",
    b'{"a":1}',
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, float("nan"), float("-inf"), 10**30, -(10**400), "", "x", "\ud800", "\0",
    "../../etc/x",
    "</script>", "2", "finished", "\x1b[2J", [], [1], {}, {"a": 1}, [[[]]], "x" * 100_000, ["a"] * 1000, {"step": "x"},
)  # fmt: skip
Mutation = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, rng: random.Random) -> bytes:
    """A few bits turned over."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 3, 30)) if data else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(data: bytes, rng: random.Random) -> bytes:
    """Cut short."""
    return data[: rng.choice((0, 1, 4, 8, rng.randrange(len(data) + 1), len(data) - 1))]


def delete(data: bytes, rng: random.Random) -> bytes:
    """A stretch is missing."""
    start, stop = _stretch(data, rng)
    return data[:start] + data[stop:]


def double(data: bytes, rng: random.Random) -> bytes:
    """A stretch is there again, up to a hundred times."""
    start, stop = _stretch(data, rng)
    return data[:stop] + data[start:stop] * rng.choice((1, 2, 100)) + data[stop:]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Hostile bytes at the beginning, at the end, or between."""
    at = rng.choice((0, rng.randrange(len(data) + 1), len(data)))
    return data[:at] + rng.choice(HOSTILE) + data[at:]


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    """Two lines have changed places: perhaps the header with a row."""
    lines = data.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def repeat_header(data: bytes, rng: random.Random) -> bytes:
    """Two files pasted together."""
    return data + data[rng.choice((0, 0, len(data) // 2)) :]


def separate(data: bytes, rng: random.Random) -> bytes:
    """Another separator, line end, quote or encoding."""
    text = data.decode(errors="replace")
    return rng.choice((
        data.replace(b",", b";"), data.replace(b",", b"\t"), data.replace(b",", b", "), data.replace(b"\n", b"\r"),
        data.replace(b"\n", b"\r\n"), data.replace(b"\n", b""), data.replace(b'"', b"'"), data.replace(b".", b","),
        text.encode("utf-16"), text.encode("utf-32"), b"\xef\xbb\xbf" + data, b"\n" * 10 + data, data.replace(b"\n",
        b"\n\n"),
    ))  # fmt: skip


def number(data: bytes, rng: random.Random) -> bytes:
    """Some numbers are others, or none."""
    found = list(re.finditer(rb"\d[\d.e+-]*", data))
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 5, 50)))), key=lambda m: -m.start()):
        data = data[: match.start()] + rng.choice(NUMBERS) + data[match.end() :]
    return data


def widen(data: bytes, rng: random.Random) -> bytes:
    """A field or a line of a megabyte and more, or very many columns."""
    lines = data.split(b"\n")
    i = rng.choice((0, rng.randrange(len(lines))))
    long = rng.choice((b"x" * 5_000_000, b"," * 100_000, b"1" * 1_000_000, b'"' + b"\n" * 1_000_000, b" " * 3_000_000))
    lines[i] = rng.choice((long, lines[i] + long, long + lines[i]))
    return b"\n".join(lines)


def columns(data: bytes, rng: random.Random) -> bytes:
    """Rows with thousands of columns."""
    count = rng.choice((1000, 20_000, 300_000))
    lines = data.split(b"\n")
    more = [b"," + b",".join(b"c%d" % i for i in range(count)), *[b"," + b",".join([b"1"] * count)] * (len(lines) - 1)]
    return b"\n".join(line + more[min(i, 1)] for i, line in enumerate(lines[:20]) if line)


def value(data: bytes, rng: random.Random) -> bytes:
    """JSON lines in which a value or a name is another; sealed anew where they were sealed."""
    lines = data.split(b"\n")
    for i in rng.sample(range(len(lines)), min(len(lines), rng.choice((1, 1, 3)))):
        sealed = lines[i].startswith(b'{"sha256":"')
        try:
            record = json.loads(b"{" + lines[i][BODY_AT:] if sealed else lines[i])
        except ValueError:
            continue
        record = _changed(record, rng)
        if sealed and isinstance(record, dict) and record:
            lines[i] = seal(record)[:-1]
        elif not sealed:
            lines[i] = json.dumps(record).encode()
    return b"\n".join(lines)


def events(data: bytes, rng: random.Random) -> bytes:
    """Records of TensorBoard spoilt inside, or strange ones added, their checksums right."""
    records = odd_events.records(data)
    if rng.random() < 0.5 or not records:
        records.insert(rng.randrange(len(records) + 1), odd_events.strange(rng))
    else:
        i = rng.randrange(len(records))
        records[i] = rng.choice((flip, cut, delete, double, insert))(records[i], rng)
    if rng.random() < 0.1:  # a record that claims to be as long as no file is
        return b"".join(map(odd_events.sealed, records)) + odd_events.head(
            struct.pack("<Q", rng.choice((1 << 40, 1 << 63)))
        )
    return b"".join(map(odd_events.sealed, records))


def _changed(record: Any, rng: random.Random) -> Any:
    """A copy with one thing changed somewhere in it."""
    if not isinstance(record, dict | list) or not record or rng.random() < 0.1:
        return rng.choice(VALUES)
    copy = dict(record) if isinstance(record, dict) else list(record)
    key = rng.choice(list(copy)) if isinstance(copy, dict) else rng.randrange(len(copy))
    kind = rng.random()
    if kind < 0.15:
        del copy[key]
    elif kind < 0.25 and isinstance(copy, dict):
        copy[rng.choice(("", "x", "run_id", "</script>", "a\nb", "\x00", "version", "x" * 10_000))] = copy[key]
    else:
        copy[key] = _changed(copy[key], rng)
    return copy


def _stretch(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 10, 1000)))


ANY: tuple[Mutation, ...] = (flip, flip, cut, delete, double, insert, insert)
TEXT: tuple[Mutation, ...] = (swap_lines, repeat_header, separate, number, number, number, widen, columns)
JSON: tuple[Mutation, ...] = (value,) * 6
EVENTS: tuple[Mutation, ...] = (events,) * 8
