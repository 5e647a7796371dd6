"""Audit a table of runs: which mistakes it holds, how far each moves the exponent, and which runs would settle it.

    python -m analysis.audit --runs=runs.csv --columns=n_params=N,tokens=D,loss=loss --out=audit.html --json=audit.json

The findings are printed, the most severe first. From Python: `audit(load(path)).findings`.
"""

from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError


def run(values: Any = None) -> None:
    """Reads the flags, audits, prints, and writes the page with its figures and the JSON."""
    from absl import flags

    from analysis import options, summary
    from analysis.audit import audit, text
    from analysis.study import runs_of

    values = flags.FLAGS if values is None else values
    if values.out and Path(values.out).suffix not in (".html", ".htm"):
        raise ConfigError(f"--out: {values.out!r}; allowed: a path that ends in .html")
    chosen = options.from_flags(values)
    found = audit(runs_of(values.runs, chosen), chosen)
    print("\n".join(text.lines(found)))
    if values.json:
        summary.write_json(Path(values.json), found.to_json())
    if values.out:
        from analysis.audit.page import write_page

        page, *drawn = write_page(found, Path(values.out))
        print(f"{page}; {len(drawn)} files of figures in {drawn[0].parent}" if drawn else f"{page}")


def define_flags() -> None:
    """The flags of analysis.fit with a page as --out, resamples by default, and --json."""
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.FLAGS["out"].help = "the page to write, .html; figures go into NAME_figures beside it"
    flags.FLAGS.set_default("bootstrap", 200)
    flags.DEFINE_string("json", None, "JSON file to write")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
