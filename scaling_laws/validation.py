"""The rules across fields of a configuration, and between a configuration and a task. No JAX here."""

from scaling_laws import families
from scaling_laws.config import (
    AXIS,
    BASES,
    ConfigError,
    RunConfig,
    TaskConfig,
    TrainConfig,
    check_fields,
    on_trunk,
    warmup_limit,
)
from scaling_laws.spec import STREAM_LENGTH, Spec
from scaling_laws.techniques import catalog, section

SHARES = "train.accumulation x train.data_devices x train.fsdp_devices"


def validate_run(config: RunConfig) -> None:
    """Field rules and the rules across fields of one run. Raises ConfigError."""
    check_fields(config)
    model, task, optimizer = config.model, config.task, config.optimizer
    if model.width == AXIS:
        raise ConfigError("model.width: 0; allowed: 1 or more outside a sweep")
    families.check(model)
    validate_transfer(config)
    catalog.check(config)
    validate_base(config)
    train = config.train
    usual = TrainConfig().auxiliary_weight
    if model.auxiliary == "none" and train.auxiliary_weight != usual:
        raise ConfigError(
            f"train.auxiliary_weight: {train.auxiliary_weight:g}; allowed: {usual:g} with model.auxiliary=none"
        )
    shares = max(1, train.accumulation) * train.data_devices * train.fsdp_devices
    if train.batch_size % shares:
        raise ConfigError(f"train.batch_size: {train.batch_size}; allowed: a multiple of {shares}, {SHARES}")
    if task.tokenizer == "bytes" and task.vocab_size != 256:
        raise ConfigError(f"task.vocab_size: {task.vocab_size}; allowed: 256 with task.tokenizer=bytes")
    if task.tokenizer == "bpe" and task.vocab_size < 257:
        raise ConfigError(f"task.vocab_size: {task.vocab_size}; allowed: 257 or more with task.tokenizer=bpe")
    validate_folds(task)
    _validate_sample(train)
    if not task.folds and task.valid_fraction + task.heldout_fraction > 0.5:
        raise ConfigError(
            f"task.heldout_fraction: {task.heldout_fraction:g} and task.valid_fraction {task.valid_fraction:g} take "
            "more than half of the text; allowed: at most 0.5 together"
        )
    if optimizer.name == "adam" and optimizer.weight_decay:
        raise ConfigError(
            f"optimizer.weight_decay: {optimizer.weight_decay:g}; "
            "allowed: 0 with optimizer.name=adam (adamw decouples it)"
        )
    _validate_schedule(config)


def _validate_schedule(config: RunConfig) -> None:
    optimizer, train = config.optimizer, config.train
    share = 0.0 if optimizer.warmup_steps else optimizer.warmup
    if optimizer.schedule == "wsd" and share + optimizer.cooldown > 1:
        raise ConfigError(
            f"optimizer.cooldown: {optimizer.cooldown:g}; "
            f"allowed: at most 1 - optimizer.warmup = {1 - optimizer.warmup:g}"
        )
    if optimizer.warmup_steps > warmup_limit(config):
        raise ConfigError(
            f"optimizer.warmup_steps: {optimizer.warmup_steps}; allowed: at most {warmup_limit(config)} of "
            f"{train.steps} steps, before any cooldown"
        )
    if train.average == "window" and on_trunk(config) and train.average_window > optimizer.cooldown:
        raise ConfigError(
            f"train.average_window: {train.average_window:g}; allowed: at most optimizer.cooldown = "
            f"{optimizer.cooldown:g} with optimizer.warmup_steps, for the trunk knows no horizon"
        )


def validate_transfer(config: RunConfig) -> None:
    """A source by its run_id; without one nothing else of `transfer`. Raises ConfigError."""
    transfer = config.transfer
    section.check_named("transfer", transfer, "source")
    if transfer.frozen_blocks and transfer.frozen != "blocks":
        raise ConfigError(
            f"transfer.frozen_blocks: {transfer.frozen_blocks}; allowed: 0 with transfer.frozen={transfer.frozen}"
        )
    families.check_frozen(config.model, transfer)


def validate_base(config: RunConfig) -> None:
    """The base shape that a parametrisation reads must be given. Raises ConfigError."""
    train = config.train
    for name in BASES[train.parametrization]:
        if getattr(train, name) == 0:
            raise ConfigError(
                f"train.{name}: 0; allowed: 1 or more with train.parametrization={train.parametrization}, the shape "
                "where the learning rate was found"
            )


def validate_folds(task: TaskConfig) -> None:
    """Two folds or more, and one of them. Raises ConfigError."""
    if task.folds == 1:
        raise ConfigError("task.folds: 1; allowed: 0 for none, 2 or more")
    if task.fold >= max(1, task.folds):
        allowed_folds = f"0 to {task.folds - 1}" if task.folds else "0 without task.folds"
        raise ConfigError(f"task.fold: {task.fold}; allowed: {allowed_folds}")


def _validate_sample(train: TrainConfig) -> None:
    if train.folds == 1 or train.fold >= max(1, train.folds):
        allowed_folds = f"0 to {train.folds - 1}" if train.folds > 1 else "0 without train.folds, which are two or more"
        raise ConfigError(f"train.fold: {train.fold} of {train.folds}; allowed: {allowed_folds}")
    if train.bag and train.folds:
        raise ConfigError(f"train.bag: {train.bag}; allowed: 0 with train.folds")
    if train.unique_examples and (train.bag or train.folds):
        raise ConfigError(f"train.unique_examples: {train.unique_examples}; allowed: 0 with train.bag or train.folds")
    if 0 < train.unique_examples < train.batch_size:
        raise ConfigError(
            f"train.unique_examples: {train.unique_examples}; allowed: train.batch_size = {train.batch_size} or more, "
            "or 0 for all"
        )


def check_task(config: RunConfig, spec: Spec) -> None:
    """Raises ConfigError where a run cannot be trained on examples as `spec` has them."""
    families.check_inputs(config.model, spec)
    check_stream(config, spec)
    if config.train.bag and spec.source == "stream":
        raise ConfigError(f"train.bag: {config.train.bag}; allowed: 0 with a stream, which never repeats")
    if config.train.bag and config.task.name == "shards":
        raise ConfigError(f"train.bag: {config.train.bag}; allowed: 0 with task.name=shards, of which nothing is held")
    if config.train.unique_examples and spec.source == "stream":
        raise ConfigError(
            f"train.unique_examples: {config.train.unique_examples}; allowed: 0 with a stream, which never repeats"
        )
    if config.train.folds and spec.source != "examples":
        raise ConfigError(f"train.folds: {config.train.folds}; allowed: 0 where no table of examples is read")
    if config.train.z_loss and not spec.is_classification:
        raise ConfigError(f"train.z_loss: {config.train.z_loss:g}; allowed: 0 where a number is predicted, not a class")
    catalog.check_task(config, spec)
    if config.augment.flip and config.task.name == "audio":
        raise ConfigError("augment.flip: True; allowed: False with task.name=audio: its mirrored bands are no sound")


def check_stream(config: RunConfig, spec: Spec) -> None:
    """Raises ConfigError for a run that reads a stream beyond its last example."""
    steps, batch = config.train.steps, config.train.batch_size
    if spec.source == "stream" and steps * batch > STREAM_LENGTH:
        raise ConfigError(
            f"train.steps: {steps} of {batch} examples; allowed: at most {STREAM_LENGTH // batch}, for a stream has "
            f"{STREAM_LENGTH} examples"
        )
