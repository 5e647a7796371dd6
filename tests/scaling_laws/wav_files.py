"""Writes WAV files: what `wave` can write, and chunk by chunk what it cannot."""

import io
import struct
import wave

RATE = 8000


def to_wav(values, width=2, channels=1, rate=RATE):
    """Whole numbers, channels interleaved, as a WAV file; those of one byte are from 0 to 255."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"".join(value.to_bytes(width, "little", signed=width > 1) for value in values))
    return stream.getvalue()


def chunk(name, content):
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2)


def riff(*chunks):
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def form(tag=1, channels=1, rate=RATE, bits=16, more=b""):
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + more)
