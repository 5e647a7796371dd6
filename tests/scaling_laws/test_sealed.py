import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_laws.sealed import DIGITS, OPENING, seal, unseal

RECORDS = st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=4), min_size=1, max_size=3)


@given(RECORDS)
def test_a_sealed_line_is_json_and_comes_back(record):
    line = seal(record)
    assert line.count(b"\n") == 1
    assert unseal(line[:-1]) == record
    assert json.loads(line).items() >= (record.items() - {"sha256": None}.items() if "sha256" not in record else set())


@given(RECORDS, st.data())
def test_a_changed_or_shortened_line_does_not_come_back(record, data):
    line = seal(record)[:-1]
    position = data.draw(st.integers(0, len(line) - 1))
    changed = bytearray(line)
    changed[position] ^= data.draw(st.integers(1, 255))
    assert unseal(bytes(changed)) is None
    assert unseal(line[:position]) is None


NO_RECORDS = (b'"a":' + b"[" * 100_000, b'"a":1', b'"a":1}x', b'"\xff":1}', b'"a":' + b"1" * 5000 + b"}")


@pytest.mark.parametrize("body", NO_RECORDS)
def test_what_is_no_record_does_not_come_back_under_its_right_checksum(body):
    checksum = hashlib.sha256(body).hexdigest()[:DIGITS].encode()
    assert unseal(OPENING + checksum + b'",' + body) is None
