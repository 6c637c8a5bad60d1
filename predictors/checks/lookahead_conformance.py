"""The checks for look-ahead, in the form of those in `predictors.checks.conformance`."""

from __future__ import annotations

from .lookahead import find_leak
from .subject import CheckFailed, Subject


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


def _require_no_leak(subject: Subject, *perturbations: str) -> None:
    # The long market is for leaks that begin late, which these two perturbations show; others would add nothing.
    for probe in subject.probes if {"cut off", "given other prices"} & set(perturbations) else subject.probes[:1]:
        if leak := find_leak(probe.predict, probe.market, probe.cuts, perturbations):
            raise CheckFailed(str(leak), leak, probe)


LOOK_AHEAD = (prefix, changed_future, shuffled_future, erased_future)
