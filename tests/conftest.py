"""Real bars shared by the tests."""

import pandas as pd
import pytest

from backtests.sources import load_bars


@pytest.fixture(scope="session")
def spy() -> pd.DataFrame:
    """SPY's adjusted daily bars, 1993 to 2021."""
    return load_bars("SPY")
