"""Published tables as the analysis reads them: columns, subsets, options. The files themselves are other people's."""

from pathlib import Path

import numpy as np

from analysis import load
from analysis.load import Runs
from analysis.options import Options


def options(bootstrap: int, **changes: object) -> Options:
    """The fit's options with as many resamples."""
    return Options(bootstrap=bootstrap, **changes)  # pyright: ignore[reportArgumentType]


def chinchilla(folder: Path) -> Runs:
    """The 240 points of Hoffmann et al. 2022, figure 4, as Besiroglu et al. 2024 read them off: all but the five
    highest losses."""
    runs = load.load(folder / "epoch_chinchilla/svg_extracted_data.csv", "n_params=Model Size,flops=Training FLOP")
    return runs.select(runs["loss"] < np.sort(runs["loss"])[-5], "one of the five highest losses")
