"""TensorBoard's records: taken apart, sealed again, and strange ones that no logger writes."""
# pyright: reportAttributeAccessIssue=false
# (modules generated from protos declare nothing that a type checker sees)

import random
import struct

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow
from tensorboard.plugins.hparams import plugin_data_pb2

HEAD, TAIL = 12, 4  # bytes before a record, its length with a checksum, and the checksum after it
TEXTS = (
    b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":' * 400 + b"1" + b"}" * 400, b"[" * 100_000, b'{"model.width": 1e400}',
    b'{"model.width": "x", "model.depth": null, "train.steps": [], "train.batch_size": {}, "task.context": true}',
    b'{"model.width": 1e999, "model.depth": NaN, "train.steps": 1, "train.batch_size": 1, "task.context": 8}',
    b"\xff\xfe", b"", b"null", b'{"": {"": 1}}', b'{"run_id": "../../etc/x", "row": 1, "status": "</script>"}',
)  # fmt: skip


def records(data: bytes) -> list[bytes]:
    """The contents of the whole records."""
    found, at = [], 0
    while at + HEAD <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        if at + HEAD + size + TAIL > len(data):
            break
        found.append(data[at + HEAD : at + HEAD + size])
        at += HEAD + size + TAIL
    return found


def sealed(record: bytes) -> bytes:
    """A record with its length and its two checksums."""
    return head(struct.pack("<Q", len(record))) + record + _checksum(record)


def head(length: bytes) -> bytes:
    """A length with its checksum."""
    return length + _checksum(length)


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", pywrap_tensorflow.masked_crc32c(data))


def strange(rng: random.Random) -> bytes:
    """An event that a reader does not expect."""
    event = event_pb2.Event(step=rng.choice((0, -1, 7, 2**63 - 1)))
    kind = rng.choice(("tensor", "tensor", "text", "hparams", "start", "bytes", "tag"))
    if kind == "start":
        event.session_log.status = event_pb2.SessionLog.START
    elif kind == "bytes":
        return rng.choice((b"", b"\xff" * 20, b"\x2a\x04\x0a\x02\x0a\xff", rng.randbytes(30)))
    else:
        value = summary_pb2.Summary.Value(
            tag=rng.choice(("loss", "</script>", "", "a\nb", "final/loss", "run_id", "\0"))
        )
        about = value.metadata.plugin_data
        if kind == "tag":
            value.simple_value = rng.choice((float("nan"), float("inf"), -1.0, 0.0, 1e38))
        elif kind == "hparams":
            about.plugin_name, about.content = "hparams", _settings(rng)
        else:
            about.plugin_name = rng.choice(("scalars", "text", "histograms"))
            value.tensor.CopyFrom(_tensor(rng) if kind == "tensor" else _text(rng))
        event.summary.value.append(value)
    return event.SerializeToString()


def _settings(rng: random.Random) -> bytes:
    data = plugin_data_pb2.HParamsPluginData()
    hparams = data.session_start_info.hparams
    for name in ("model.width", "train.steps", "run_id", "loss", "</script>", ""):
        kind = rng.choice(("none", "number_value", "string_value", "bool_value"))
        if kind == "none":
            hparams[name].SetInParent()
        else:
            odd = {"number_value": rng.choice((float("nan"), 1e308, -1.0)), "string_value": "\0<b>", "bool_value": True}
            setattr(hparams[name], kind, odd[kind])
    return rng.choice((data.SerializeToString(), b"\xff\xff", b"", rng.randbytes(10)))


def _tensor(rng: random.Random) -> tensor_pb2.TensorProto:
    """A tensor whose type, shape and values do not go together, or would fill the memory."""
    tensor = tensor_pb2.TensorProto(dtype=rng.choice((0, 1, 1, 2, 3, 7, 8, 14, 20, 21, 101)))
    for size in rng.choice(((), (0,), (1,), (3,), (1 << 40,), (1 << 20, 1 << 20), (-1,), (1 << 62, 4))):
        tensor.tensor_shape.dim.add().size = size
    how = rng.choice(("none", "one", "two", "content"))
    if how == "content":
        tensor.tensor_content = rng.choice((b"\0", b"\0" * 4, b"abc", b"\0" * 64))
    else:
        tensor.float_val.extend([1.5] * ("none", "one", "two").index(how))
    return tensor


def _text(rng: random.Random) -> tensor_pb2.TensorProto:
    tensor = tensor_pb2.TensorProto(dtype=rng.choice((7, 7, 7, 1)))
    for size in rng.choice(((), (1,), (2,), (1 << 40,))):
        tensor.tensor_shape.dim.add().size = size
    tensor.string_val.append(rng.choice(TEXTS))
    return tensor
