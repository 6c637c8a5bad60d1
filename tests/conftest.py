"""Real bars shared by the tests."""

import os
import tempfile

import pandas as pd
import pytest

from rollcast.backtests.data.bars import load_bars

# Tests see the bundled prices, whatever their user has stored. Set here, so that every process they start has it too.
os.environ["ROLLCAST_DATA"] = os.path.join(tempfile.gettempdir(), "rollcast-tests-without-a-store")


@pytest.fixture(scope="session")
def spy() -> pd.DataFrame:
    """SPY's adjusted daily bars, 1993 to 2021."""
    return load_bars("SPY")
