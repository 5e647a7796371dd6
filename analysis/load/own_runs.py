"""N, D, C and the shape of a run of this project, counted anew from the settings that its log holds."""

from collections.abc import Mapping
from typing import Any

NEEDED = ("model.width", "model.depth", "train.steps", "train.batch_size", "task.context")
UNKNOWN = ("run_id", "unique_tokens", "epochs", "corpus_hash", "technique", "strength", "trunk")


def described(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the runs table that follow from dotted settings; nothing for another program's settings.

    Settings that this version does not know, or whose values it refuses, describe nothing; nor do those of a log that
    does not say what an example looks like, and so what it costs, but for text, whose settings tell.
    """
    if not all(name in settings for name in NEEDED):
        return {}
    from scaling_laws import config, describe, families, spec, validation

    run = config.RunConfig()
    types = config.field_types(run)
    try:
        own = {name: value for name, value in settings.items() if not name.startswith("spec.")}
        run = config.replace(run, {name: _value(types.get(name), value) for name, value in own.items()})
        validation.validate_run(run)
        if len(own) < len(settings):
            form = spec.of_settings(settings)
        elif run.task.name in config.TEXTS:
            form = spec.text(run.task.vocab_size, run.task.context)
        else:
            return {}
        counts = families.count_run(run, form)
    except (TypeError, ValueError, OverflowError, KeyError):  # a ConfigError too
        return {}
    row = describe.describe(run, counts, run_id="", spec=form, unique_tokens=1, corpus_hash="")
    return {name: value for name, value in row.items() if name not in UNKNOWN}


def _value(kind: Any, value: Any) -> Any:
    """A log keeps every number as a float."""
    return int(value) if kind is int else value
