"""The global random generators, which a predictor does not seed."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from .subject import CheckFailed, Subject

UNUSUAL = 20_977, 20_978  # seeds of the global generators that no predictor is likely to set


def generators_unseeded(subject: Subject) -> None:
    """Fitting and predicting leave the global random generators unseeded.

    A draw that no forecast depends on, as scikit-learn makes, is no fault; `repeatable` finds one that a forecast does.

    Raises CheckFailed for a generator that is in the same state afterwards, whatever state it was in before.
    """
    for bars in (subject.bars, *(probe.market for probe in subject.provoking_probes)):
        first, second = (_states_after(subject, bars, seed) for seed in UNUSUAL)
        if seeded := [name for name, state in first.items() if state == second.get(name)]:
            raise CheckFailed(
                f"the global generator of {' and of '.join(seeded)} was seeded, which changes what others draw; make a "
                "generator of its own, such as numpy.random.default_rng(seed)"
            )


def _states_after(subject: Subject, bars: pd.DataFrame, seed: int) -> dict[str, object]:
    """The states of the global generators after a prediction, which they entered seeded with `seed`."""
    with global_random_state(seed):
        subject.predict(bars.copy())
        return _states()


@contextmanager
def global_random_state(seed: int) -> Iterator[None]:
    """Seeds the global random states inside the block, and restores them after it."""
    torch = sys.modules.get("torch")  # imported already by a predictor that uses it
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    torch_state = torch.random.get_rng_state() if torch else None
    np.random.set_state(np.random.RandomState(seed).get_state())  # noqa: NPY002
    random.setstate(random.Random(seed).getstate())
    if torch:
        torch.random.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        if torch:
            torch.random.set_rng_state(torch_state)


def _states() -> dict[str, object]:
    """The states of the global random generators, by the name of their module, in a form that can be compared."""
    torch = sys.modules.get("torch")
    _, key, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    states: dict[str, object] = {"numpy": (np.asarray(key).tobytes(), *rest), "random": random.getstate()}
    return states | ({"torch": torch.random.get_rng_state().numpy().tobytes()} if torch else {})
