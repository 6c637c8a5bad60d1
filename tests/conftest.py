"""Real bars shared by the tests, and how hypothesis chooses its examples."""

import math
import os
import random
import tempfile
import time
from collections import deque
from collections.abc import Iterator

# Before numpy and torch are loaded: their threads wait for each other actively, and beside a busy neighbour for long.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import pandas as pd
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from rollcast.backtests.data.bars import load_bars

# Tests see the bundled prices, whatever their user has stored. Set here, so that every process they start has it too.
os.environ["ROLLCAST_DATA"] = os.path.join(tempfile.gettempdir(), "rollcast-tests-without-a-store")
os.environ["ROLLCAST_LEDGER"] = "off"  # nor count what he has tried

# No profile has a deadline or minds slow data: how long an example takes depends on the machine.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("fixed"), derandomize=False, print_blob=True)
settings.load_profile("fixed")
# When the search of --fuzz ends.
END = pytest.StashKey[float]()


@pytest.fixture(scope="session", autouse=True)
def every_predictor_is_quick() -> Iterator[None]:
    """However busy the machine: what takes long is kept on disk by a sweep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rollcast.backtests.sweep.forecasts.QUICK", math.inf)
        yield


@pytest.fixture(scope="session")
def spy() -> pd.DataFrame:
    """SPY's adjusted daily bars, 1993 to 2021."""
    return load_bars("SPY")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz", type=float, metavar="SECONDS", help="only search for failures of properties at random, for so long"
    )
    parser.addoption("--quick", action="store_true", help="only the first test of every file, none slow or timed")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("fuzz") is not None:
        settings.load_profile("fuzz")
        config.stash[END] = time.monotonic() + config.getoption("fuzz")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For --fuzz, chooses the tests of properties, in random order; for --quick, a test of every file."""
    chosen = list(items)
    if END in config.stash:
        chosen = [item for item in items if is_hypothesis_test(getattr(item, "obj", None))]
        random.Random().shuffle(chosen)
    elif config.getoption("quick"):
        brief = [item for item in items if not {"slow", "timed"} & {mark.name for mark in item.iter_markers()}]
        chosen = list({item.path: item for item in reversed(brief)}.values())[::-1]
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    items[:] = chosen


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """For --fuzz, runs the tests again and again until the time is over; one that has failed is not run again."""
    if END not in session.config.stash or session.config.option.collectonly or session.testsfailed:
        return None
    waiting = deque(session.items)
    while waiting and time.monotonic() < session.config.stash[END]:
        item, failures = waiting.popleft(), session.testsfailed
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed == failures:
            waiting.append(item)
    return True
