"""Writes IDX files, value by value with `struct`: the other side of what the tests read."""

import struct

FORMATS = {"uint8": (0x08, "B"), "int8": (0x09, "b"), "int16": (0x0B, "h"), "int32": (0x0C, "i")} | {
    "float32": (0x0D, "f"),
    "float64": (0x0E, "d"),
}


def to_idx(array):
    code, letter = FORMATS[array.dtype.name]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + struct.pack(f">{array.size}{letter}", *array.ravel().tolist())
