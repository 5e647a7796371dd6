"""IDX files against a writer of their own, and what is refused of damaged ones."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from idx_files import FORMATS, to_idx

from scaling_laws.config import ConfigError
from scaling_laws.tasks import idx

SQUARE = np.arange(12, dtype=np.int16).reshape(3, 4)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(FORMATS)).flatmap(
        lambda name: arrays.arrays(name, arrays.array_shapes(max_dims=8, max_side=4))
    ),
    st.booleans(),
)
def test_what_is_written_is_read_again(array, zipped):
    raw = to_idx(array)
    found = idx.parse(gzip.compress(raw, 1) if zipped else raw, "x")
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    assert found.tobytes() == array.tobytes()  # bit for bit, for nan too
    assert not found.flags.writeable


def test_bytes_of_a_file_written_by_hand(tmp_path):
    file = tmp_path / "labels"
    file.write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE]))
    assert idx.read(file).tolist() == [258, -2]


def refused(raw):
    with pytest.raises(ConfigError) as error:
        idx.parse(raw, "the file")
    message = str(error.value)
    assert message.startswith("task.path: the file ")
    assert "\n" not in message
    return message


def header(*shape, code=8, magic=b"\0\0"):
    return magic + bytes([code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize(
    "raw, said",
    [
        (b"", "is cut short: 0 bytes"),
        (b"\0\0\x08", "is cut short: 3 bytes"),
        (header(2)[:6], "is cut short in its header; allowed: 1 dimensions"),
        (header(2, 3) + b"12345", "is cut short; allowed: all 2 x 3 values"),
        (header(2, 3) + b"1234567", "goes on after byte 18; allowed: the 2 x 3 values"),
        (header(2, magic=b"\x89P") + b"12", "begins with 89 50"),
        (header(2, code=10) + b"12", "has the type code 0x0A at byte 2; allowed: 0x08, 0x09, 0x0B"),
        (header(code=8) + b"1", "has 0 dimensions at byte 3; allowed: 1 to 8"),
        (header(*[1] * 9) + b"1", "has 9 dimensions at byte 3; allowed: 1 to 8"),
        (header(3, 0), "holds 3 x 0 values, none"),
        (header(*[2**32 - 1] * 3), "claims 4294967295 x 4294967295 x 4294967295 values; allowed: at most 4294967296"),
        (header(2**28, code=14), "is cut short; allowed: all 268435456 values"),
    ],
)
def test_no_whole_idx_file_is_refused_in_one_line_plain_or_zipped(raw, said):
    assert said in refused(raw)
    assert said in refused(gzip.compress(raw))


def test_dimensions_that_the_file_cannot_fill_set_nothing_aside():
    tracemalloc.start()
    for raw in (header(2**31), gzip.compress(header(2**31))):
        refused(raw)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_zipped_file_that_is_larger_than_its_header_is_not_unpacked():
    raw = gzip.compress(header(10) + bytes(1 << 24))
    tracemalloc.start()
    assert "goes on after byte 18" in refused(raw)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_damaged_gzip_is_refused():
    whole = gzip.compress(to_idx(SQUARE))
    assert "damaged gzip" in refused(whole[:-9])
    assert "damaged gzip" in refused(whole[:-8] + b"\0\0\0\0" + whole[-4:])  # the checksum
    assert "damaged gzip" in refused(idx.GZIP + b"no gzip after all")


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused_and_never_a_traceback(data):
    raw = bytearray(to_idx(SQUARE))
    if data.draw(st.booleans()):
        raw = bytearray(gzip.compress(raw))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=8))
    try:
        said = str(idx.parse(bytes(raw), "x").shape)
    except ConfigError as error:
        said = str(error)
    assert said
    assert "\n" not in said


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match=r"task\.path: .* cannot be read \(.*\); allowed: an IDX file"):
        idx.read(tmp_path / name)
