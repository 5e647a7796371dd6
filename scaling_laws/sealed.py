"""A JSON object in one line that begins with the checksum of the rest of it: damage cannot pass unseen."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGITS = 16  # hexadecimal digits of SHA-256 that are kept
OPENING = b'{"sha256":"'
BODY_AT = len(OPENING) + DIGITS + len(b'",')


def seal(record: Mapping[str, Any]) -> bytes:
    """The record, which has a key or more, as one line of JSON with its checksum first, newline included."""
    body = json.dumps(record, separators=(",", ":")).encode()[1:]
    return OPENING + _digest(body) + b'",' + body + b"\n"


def unseal(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its newline; None when the line does not match its checksum, or is no record."""
    body = unsealed(line)
    if body is None:
        return None
    try:
        return json.loads(b"{" + body)
    except (ValueError, RecursionError):  # somebody else's checksum: ours stands before JSON alone
        return None


def unsealed(line: bytes) -> bytes | None:
    """What follows the checksum in a line without its newline: the record's JSON but for its opening brace; None when
    the line does not match its checksum."""
    body = line[BODY_AT:]
    return body if line[:BODY_AT] == OPENING + _digest(body) + b'",' else None


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:DIGITS].encode()
