"""Short sounds and their classes, as log-mel pictures: generated keywords, or a folder of WAV files for each class.

All clips of a folder have one rate. They get the length of the longest, one second at most: what is longer is cut
at its end, what is shorter has silence (zeros) added at its end.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks import classes, examples, keywords, mel, targets, wav
from scaling_laws.tasks.task import Task

SUFFIXES = (".wav", ".wave")
MOST_SECONDS = 1
MOST_RATE = 192_000
MOST_BYTES = 1 << 32
CHUNK = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Sounds:
    """`chunks` of clips (m, samples) float32, in the order of `targets` (n,) int32; `names` of the classes."""

    chunks: Iterable[np.ndarray]
    samples: int
    rate: int
    targets: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """The sounds that `config.path` names, split; empty: generated keywords. Nothing is kept under `cache_dir`.

    Inputs are float32 (n, frames, 32, 1), see `mel.log_mel`, targets int32 (n,). Fixed `mean` and `scale`, float32
    (32, 1), one a band: over the train split with `config.standardise`, else 0 and 1. Clips are split by their
    samples, before any arithmetic in which processors differ. Raises ConfigError for what cannot be read and for a
    loss of numbers.
    """
    targets.check_loss(config, "cross_entropy")
    sounds = _folder(config.path) if config.path else _keywords(config)
    features, digests = _features(sounds)
    parts = {}
    for name, rows in examples.indices(digests, config).items():
        parts[name] = {"inputs": features[rows], "targets": sounds.targets[rows]}
        for array in parts[name].values():
            array.flags.writeable = False
    mean, scale = np.zeros((mel.BANDS, 1), np.float32), np.ones((mel.BANDS, 1), np.float32)
    if config.standardise:
        mean, scale = examples.standardised(parts["train"]["inputs"].reshape(-1, mel.BANDS, 1))
    return Task(
        name=config.name,
        spec=Spec("image", features.shape[1:], len(sounds.names)),
        train=parts["train"],
        valid=parts["valid"],
        heldout=parts["heldout"],
        content_hash=examples.content_hash(digests, sounds.targets, np.array([sounds.rate])),
        fixed={"mean": mean, "scale": scale} | examples.weights(config, parts["train"]["targets"], len(sounds.names)),
        notes=(classes.note(sounds.names), *sounds.notes),
    )


def _features(sounds: Sounds) -> tuple[np.ndarray, np.ndarray]:
    """Log-mel pictures (n, frames, 32, 1), and the SHA-256 of each clip's samples (n, 32) uint8."""
    n = len(sounds.targets)
    features = np.empty((n, mel.frame_count(sounds.samples, sounds.rate), mel.BANDS, 1), np.float32)
    digests = np.empty((n, 32), np.uint8)
    start = 0
    for chunk in sounds.chunks:
        stop = start + len(chunk)
        features[start:stop, ..., 0] = mel.log_mel(chunk, sounds.rate)
        for row, clip in zip(digests[start:stop], chunk, strict=True):
            row[:] = np.frombuffer(hashlib.sha256(clip.tobytes()).digest(), np.uint8)
        start = stop
    return features, digests


def _keywords(config: TaskConfig) -> Sounds:
    count = config.examples or keywords.CLIPS
    least = len(keywords.WORDS)
    if not least <= count <= keywords.MOST_CLIPS:
        raise ConfigError(
            f"task.examples: {count}; allowed: {least} to {keywords.MOST_CLIPS} keywords, 0 for {keywords.CLIPS}"
        )
    chunks = keywords.clips(count, config.noise)
    return Sounds(chunks, keywords.SAMPLES, keywords.RATE, keywords.targets(count), keywords.WORDS)


def _folder(path: str) -> Sounds:
    place = classes.folder(path, "a folder with a sub-folder of WAV files for each class, or empty: generated keywords")
    listed = classes.files(place, SUFFIXES, "WAV files")
    longest, rate = _survey(listed.paths)
    samples = max(min(longest, MOST_SECONDS * rate), mel.window_length(rate))
    if len(listed.paths) * mel.frame_count(samples, rate) * mel.BANDS * 4 > MOST_BYTES:
        raise ConfigError(
            f"task.path: {place} has {len(listed.paths)} clips; allowed: at most {MOST_BYTES} bytes of them"
        )
    return Sounds(_clips(listed.paths, samples), samples, rate, listed.targets, listed.names, listed.notes)


def _survey(files: tuple[Path, ...]) -> tuple[int, int]:
    """Samples of the longest clip and the rate of all. Each is read whole, for a damaged one to be named early."""
    longest, rate = 0, 0
    for file in files:
        clip, found = wav.read(file)
        rate = rate or found
        if found != rate:
            raise ConfigError(
                f"task.path: {file} has {found} samples a second, {files[0]} has {rate}; allowed: one rate for all"
            )
        longest = max(longest, len(clip))
    if not mel.LEAST_RATE <= rate <= MOST_RATE:
        raise ConfigError(
            f"task.path: {files[0]} has {rate} samples a second; allowed: {mel.LEAST_RATE} to {MOST_RATE}"
        )
    return longest, rate


def _clips(files: tuple[Path, ...], samples: int) -> Iterator[np.ndarray]:
    for start in range(0, len(files), CHUNK):
        chunk = np.zeros((len(files[start : start + CHUNK]), samples), np.float32)
        for row, file in zip(chunk, files[start : start + CHUNK], strict=True):
            clip = wav.read(file)[0][:samples]
            row[: len(clip)] = clip
        yield chunk
