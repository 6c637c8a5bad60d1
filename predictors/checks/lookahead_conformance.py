"""The checks for look-ahead, in the form of those in `predictors.checks.conformance`."""

from __future__ import annotations

from .lookahead import find_unguarded_leak
from .subject import CheckFailed, Probe, Subject


def prefix(subject: Subject) -> None:
    """Cutting off the later bars changes no forecast, at any bar.

    Raises CheckFailed otherwise.
    """
    _require_no_leak(subject, "cut off")


def changed_future(subject: Subject) -> None:
    """Changing later prices, or later volume, changes no forecast, at any bar.

    Raises CheckFailed otherwise.
    """
    _require_no_leak(subject, "given other prices", "given other volume")


def shuffled_future(subject: Subject) -> None:
    """Shuffling later prices, or later volume, changes no forecast, at any bar.

    Raises CheckFailed otherwise.
    """
    _require_no_leak(subject, "given shuffled prices", "given shuffled volume")


def erased_future(subject: Subject) -> None:
    """Replacing later prices, or later volume, by NaN changes no forecast, at any bar.

    Raises CheckFailed otherwise.
    """
    _require_no_leak(subject, "given NaN prices", "given NaN volume")


def provoked(subject: Subject) -> None:
    """No forecast looks ahead at idle bars, bad ticks, limit moves, stale closes, gaps or low prices.

    Raises CheckFailed otherwise.
    """
    for probe in subject.provoking_probes:
        _refuse_leak(probe, "cut off", "given other prices")


def _require_no_leak(subject: Subject, *perturbations: str) -> None:
    # The long market is for leaks that begin late, which these two perturbations show; others would add nothing.
    for probe in subject.probes if {"cut off", "given other prices"} & set(perturbations) else subject.probes[:1]:
        _refuse_leak(probe, *perturbations)


def _refuse_leak(probe: Probe, *perturbations: str) -> None:
    leak = find_unguarded_leak(probe.predict, probe.market, probe.cuts, perturbations)
    if leak:
        raise CheckFailed(str(leak), leak, probe)


LOOK_AHEAD = (prefix, changed_future, shuffled_future, erased_future, provoked)
"""The checks that every predictor and learner must pass."""
