"""Tasks of images for the tests: what they hold, and folders of pictures."""

import numpy as np
from PIL import Image

from scaling_laws.config import TaskConfig
from scaling_laws.tasks import images
from scaling_laws.tasks.task import SPLITS


def load(path="", **settings):
    return images.load(TaskConfig(name="images", path=str(path), **settings), cache_dir=None)


def joined(task, name="inputs"):
    return np.concatenate([task.split(split)[name] for split in SPLITS])


def rows(task):
    """Examples of all splits as a sorted list, so that order and split do not matter."""
    return sorted((x.tobytes(), int(y)) for x, y in zip(joined(task), joined(task, "targets"), strict=True))


def write_pictures(folder, names=("cat", "dog"), each=6, suffix="png", colour=False, size=(5, 4)):
    """Pictures of random pixels; (class, pixels) of each in the order of their names."""
    written, rng = [], np.random.default_rng(0)
    for target, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = rng.integers(0, 256, (size[1], size[0], 3 if colour else 1), np.uint8)
            picture = Image.fromarray(pixels if colour else pixels[..., 0])
            picture.save(folder / name / f"{number}.{suffix}")
            written.append((target, pixels))
    return written
