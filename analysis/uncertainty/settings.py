"""What one may ask of intervals."""

from analysis.choices import INTERVALS
from scaling_laws.config import ConfigError, nearest


def check(interval: str, bootstrap: int, level: float) -> None:
    """Raises ConfigError for an unknown kind of interval, a bad or missing count, or a level outside (0, 1)."""
    if interval not in INTERVALS:
        raise ConfigError(f"interval: {interval!r}; allowed: {', '.join(INTERVALS)}{nearest(interval, INTERVALS)}")
    if bootstrap < 0 or bootstrap > 10**6:
        raise ConfigError(f"bootstrap: {bootstrap}; allowed: 0 to 1000000 resamples")
    if interval == "bca" and not bootstrap:
        raise ConfigError("interval: 'bca' without resamples; allowed: --bootstrap=1000, or profile and delta without")
    if not 0 < level < 1:
        raise ConfigError(f"level: {level}; allowed: a share between 0 and 1")
