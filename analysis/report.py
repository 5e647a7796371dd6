"""One page about a table of runs that works offline, with every figure as PNG, SVG and CSV beside it.

python -m analysis.report --runs=WORKDIR --bootstrap=1000 --out=report.html
"""

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from absl import flags

from analysis import cli, options
from analysis.study import Study, study_of
from scaling_laws.config import ConfigError

DEFAULT_PAGE = "report.html"
PACKAGES = ("scaling-laws", "numpy", "scipy", "matplotlib", "pyarrow")


def write_report(study: Study, out: Path, figures: Path | None = None) -> list[Path]:
    """Writes the page, and the figures into a folder (by default OUT_figures beside it); the paths, page first."""
    from analysis.figures import build_all, save_all
    from analysis.figures.style import write_atomically
    from analysis.page import page

    built = build_all(study)
    paths = save_all(built, figures or out.with_name(f"{out.stem}_figures"))
    text = page(study, built.drawings, built.skipped, versions())
    return [write_atomically(out, text.encode(errors="backslashreplace")), *paths]


def versions() -> dict[str, str]:
    """What made the page: name -> version."""
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"this page was made with": f"Python {platform.python_version()}", **packages}


def run(values: Any = flags.FLAGS) -> None:
    """Reads the flags, writes the page and the figures, and says where they are."""
    out = Path(values.out)
    if out.suffix not in (".html", ".htm"):
        raise ConfigError(f"--out: {values.out!r}; allowed: a path that ends in .html")
    study = study_of(values.runs, options.from_flags(values))
    page, *drawn = write_report(study, out, Path(values.figures) if values.figures else None)
    print(f"{page}: {len(study.runs)} runs, {study.runs.n_excluded} left out")
    print(f"{drawn[0].parent}: {len(drawn)} files of figures")


def define_flags() -> None:
    """The flags of analysis.fit with a page as --out, and where the figures go."""
    options.define_flags()
    flags.FLAGS["out"].help = "the page to write"
    flags.FLAGS.set_default("out", DEFAULT_PAGE)
    flags.DEFINE_string("figures", None, "folder of the figures; default: OUT_figures beside the page")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
