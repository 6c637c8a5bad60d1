"""Range checks for hyper-parameters; messages state the allowed range and the value."""

from __future__ import annotations

import math
from collections.abc import Collection


def at_least(name: str, value: int, least: int) -> None:
    """Raises TypeError unless `value` is an integer, and ValueError unless it is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")


def between(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> None:
    """Raises TypeError unless `value` is a number, and ValueError unless `low <= value <= high`.

    open_low: requires `low < value`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not (math.isfinite(value) and low <= value <= high) or (open_low and value == low):
        bound = f"above {low:g}" if open_low else f"at least {low:g}"
        upper = f" and at most {high:g}" if math.isfinite(high) else ""
        raise ValueError(f"{name} must be {bound}{upper}; got {value!r}")


def one_of(name: str, value: object, known: Collection[str]) -> None:
    """Raises ValueError unless `value` is one of `known`."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
