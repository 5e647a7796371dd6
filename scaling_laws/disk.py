"""What makes a file last through a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in `folder` last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
