"""The checks for look-ahead, in the form of those in `predictors.checks.conformance`."""

from __future__ import annotations

from .comb import comb
from .lookahead import find_leak, find_unguarded_leak, noise_floor
from .subject import CheckFailed, Probe, Subject

COMBS = 110  # calls of a predictor, enough for a memory of fifty bars up and down


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
    if subject.learner is None:  # of which each call trains all windows; the gate combs inside its blocks
        _refuse_rare_leak(subject.combed_probe)


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


def _refuse_rare_leak(probe: Probe) -> None:
    """Probes every bar by a comb of changed bars, or as many as so many calls reach."""
    reference = probe.predict(probe.market.copy()).to_numpy(float)
    noise = noise_floor(probe.predict, probe.market, reference)
    if leak := comb(probe.predict, probe.market, reference, noise, COMBS).leak:
        again = find_leak(probe.predict, probe.market, [leak.cut], ("given other prices", "given other volume"))
        raise CheckFailed(str(again or leak), again or leak, probe)


def _refuse_leak(probe: Probe, *perturbations: str) -> None:
    leak = find_unguarded_leak(probe.predict, probe.market, probe.cuts, perturbations)
    if leak:
        raise CheckFailed(str(leak), leak, probe)


LOOK_AHEAD = (prefix, changed_future, shuffled_future, erased_future, provoked)
"""The checks that every predictor and learner must pass."""
