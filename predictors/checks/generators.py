"""The global random generators, which a predictor neither draws from nor seeds."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .subject import CheckFailed, Subject

UNUSUAL = 20_977  # a seed of the global generators that no predictor is likely to set


def generators_untouched(subject: Subject) -> None:
    """Fitting and predicting neither draw from the global random generators nor seed them.

    Raises CheckFailed otherwise.
    """
    markets = (subject.bars, *(probe.market for probe in subject.provoking_probes))
    with global_random_state(UNUSUAL):
        for bars in markets:
            before = _states()
            subject.predict(bars.copy())
            after = _states()
            if touched := [name for name, state in after.items() if state != before[name]]:
                raise CheckFailed(
                    f"the global generator of {' and of '.join(touched)} was seeded or drawn from, which changes what "
                    "others draw; make a generator of its own, such as numpy.random.default_rng(seed)"
                )


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
