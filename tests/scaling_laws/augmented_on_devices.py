"""Trains one augmented run in every layout on four simulated devices; prints losses and curves, as JSON."""

import json
import sys
import tempfile
from pathlib import Path

from augmented import run, task

from scaling_laws.train import loop

LAYOUTS = {
    "data": {"train__data_devices": 4},
    "pmap, longer dispatches": {"train__steps_per_dispatch": 20, "train__data_devices": 4, "train__backend": "pmap"},
    "accumulated on 2": {"train__accumulation": 2, "train__fsdp_devices": 2},
}


def main() -> None:
    """The held-out loss and the training losses along the curve, by layout."""
    found = {}
    for name, changes in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            row, curve = loop.train(run(**changes), task(), workdir=Path(folder))
        found[name] = [row["loss"], *(point["train_loss"] for point in curve)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
