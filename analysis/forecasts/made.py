"""One forecast: the loss with the interval of a new run, a score through it, the shape, the naive guesses."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from analysis import forecasting, forms, metric, shapes
from analysis.fitting import Fit
from analysis.forecasting import Forecast, Naive
from analysis.forms import Form, Forms
from analysis.load import Runs
from analysis.metric import Link
from analysis.options import DEFAULTS, Options
from analysis.shapes import Shape


@dataclasses.dataclass(frozen=True)
class Score:
    """A forecast score. The interval carries the loss's, the uncertainty of the link and the spread about it."""

    link: Link
    value: float
    interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        interval = None if self.interval is None else list(self.interval)
        return {"value": self.value, "interval": interval, "link": self.link.to_json()}


@dataclasses.dataclass(frozen=True)
class Made:
    """A forecast and what it rests on. `naive` guesses the score where there is one, else the loss.

    The loss and its interval are the middle and the ends of the redraws of all `forms`, pooled by their weights, so
    that a form that foretells better draws the forecast towards it; without redraws, or forms, the loss is the main
    law's, which is `law_loss` in any case.
    """

    law: Fit
    law_loss: float
    forecast: Forecast
    forms: Forms
    naive: Naive
    shape: Shape | None = None
    score: Score | None = None

    @property
    def column(self) -> str:
        """What is forecast."""
        return self.score.link.column if self.score else "loss"

    @property
    def value(self) -> float:
        """The forecast of `column`."""
        return self.score.value if self.score else self.forecast.loss

    @property
    def interval(self) -> tuple[float, float] | None:
        """That of a new run's `column`."""
        return self.score.interval if self.score else self.forecast.loss_interval

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "forecast": self.forecast.to_json() | {"law_loss": self.law_loss},
            "naive": self.naive.to_json(),
            "forms": self.forms.to_json(),
            "shape": dataclasses.asdict(self.shape) if self.shape else None,
            "score": self.score.to_json() if self.score else None,
        }


def make(
    runs: Runs,
    law: Fit,
    point: Mapping[str, float],
    names: Sequence[str] | None = None,
    column: str = "",
    options: Options = DEFAULTS,
) -> Made:
    """The forecast of `law`, the fit of `options` to `runs`, at a point as `forecasting.predict` takes it.

    `names`: the forms that the interval pools; none for the law alone, None for `forms.default_names`. Without redraws
    there is no interval. `column`: a score to forecast through the loss. Raises ConfigError and DataError.
    """
    alone = forecast = forecasting.predict(law, point.get("flops"), point.get("n_params"), point.get("tokens"))
    at = {name: getattr(forecast, name) for name in forms.POINT}
    if names is None:
        names = forms.default_names(runs, law)
    pooled = forms.weigh(runs, law, names, options) if law.samples else Forms((Form(law),))
    if len(pooled.members) > 1:
        drawn = pooled.losses(at, options.seed), pooled.weights_K
        ends = forms.interval(*drawn, forecast.level)
        forecast = dataclasses.replace(forecast, loss=forms.median(*drawn), loss_interval=ends)
    score = _score(runs, column, forecast, pooled, at, options) if column else None
    guess = _naive_score(runs, score.link, forecast.flops) if score else forecasting.naive(runs, forecast.flops)
    shape = shapes.shape_at(runs, forecast.n_params, forecast.tokens)
    return Made(law, alone.loss, forecast, pooled, guess, shape, score)


def _score(runs: Runs, column: str, forecast: Forecast, pooled: Forms, at: dict[str, float], options: Options):
    link = metric.link(runs, column, options)
    ends = None
    if link.samples and forecast.loss_interval is not None:
        losses_KxR = pooled.losses(at, options.seed)
        ends = forms.interval(link.draws(losses_KxR, options.seed), pooled.weights_K, forecast.level)
    return Score(link, float(link.score(forecast.loss)), ends)


def _naive_score(runs: Runs, link: Link, flops: float) -> Naive:
    """The naive guesses of a score: as those of a loss, of its error."""
    told = metric.with_error(runs, link)
    guess = forecasting.naive(told.with_columns(loss=told["error"]), flops)
    best, power = (float(link.from_error(error)) for error in (guess.best_loss, guess.power_law))
    return Naive(best, power, guess.exponent)
