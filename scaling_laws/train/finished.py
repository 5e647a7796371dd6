"""A finished run as others use it: its row, its settings, its parameters."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws.config import RunConfig, of_settings
from scaling_laws.parametrization import Scheme
from scaling_laws.train import kept, source
from scaling_laws.train.teacher import Form


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
    """A row of the runs table, its settings, and the run's last parameters by name."""

    row: Mapping[str, Any]
    run: RunConfig
    parameters: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, row: Mapping[str, Any], workdir: Path) -> "Finished":
        """The run of a row of the table of `workdir`. Raises KeptError where it kept no parameters, ConfigError where
        it is rounded."""
        run = of_settings(json.loads(row["config"]))
        source.check_full("quantize", row["run_id"], run)
        return cls(row, run, kept.read(workdir, row["run_id"]))

    @property
    def form(self) -> Form:
        """What a program depends on."""
        return Form(self.run.model, Scheme.of(self.run))
