"""What becomes of the examples that are trained on: settings, and which tasks they go with. No JAX here; what the
compiled step does stands in `scaling_laws.train.augment`."""

import dataclasses

from scaling_laws.fields import ConfigError, setting
from scaling_laws.spec import Spec
from scaling_laws.techniques import section

TAKES = {"crop": ("image",), "flip": ("image",), "noise": ("vector", "image"), "mixup": ("vector", "image")}


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of the examples that are trained on; those of an evaluation stay as they are. `noise` and `mixup`
    are arguments of the compiled step, so a new value compiles nothing."""

    crop: int = setting(0, "pictures: moved by up to so many pixels in either direction", low=0, high=4096)
    flip: bool = setting(False, "pictures: every other one, by chance, mirrored left to right")
    noise: float = setting(
        0.0, "vectors, pictures: deviation of what is added to each input, as task.standardise has it", low=0, high=1e3
    )
    mixup: float = setting(
        0.0,
        "vectors, pictures: mixed with another example, shares from Beta(mixup, mixup), the larger one's own; 0: never",
        low=0,
        high=1e3,
    )


def check(augment: AugmentConfig, spec: Spec) -> None:
    """Raises ConfigError where examples as `spec` has them cannot be augmented so."""
    for name in section.in_use(augment):
        value = getattr(augment, name)
        if spec.source != "examples" or spec.inputs not in TAKES[name]:
            what = "pictures" if TAKES[name] == ("image",) else "vectors or pictures of a data set"
            raise ConfigError(f"augment.{name}: {value}; allowed: {type(value)(0)} where the examples are no {what}")
    if augment.crop and augment.crop >= min(spec.shape[:2]):
        most, (height, width, _) = min(spec.shape[:2]) - 1, spec.shape
        raise ConfigError(f"augment.crop: {augment.crop}; allowed: at most {most} in pictures of {height} x {width}")
