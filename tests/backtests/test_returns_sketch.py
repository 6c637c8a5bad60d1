"""What the ledger's sketches give back to the evidence."""

import numpy as np
import pandas as pd

from rollcast.backtests.ledger.returns_sketch import returns_on, sketch


def test_a_sketch_gives_back_the_returns_of_its_blocks_on_the_dates_of_another_run():
    days = pd.bdate_range("2000-01-03", periods=2000)
    r = pd.Series(np.random.default_rng(0).normal(0, 0.01, 2000), days)
    short = r.iloc[500:1500]
    table = returns_on(short.index, [sketch(r), sketch(short)])
    assert len(table) < 512
    assert set(table.index) <= set(short.index)
    edges = short.index.get_indexer(table.index)
    growth = np.log1p(short).cumsum().to_numpy()[edges]
    exact = np.expm1(np.diff(growth))
    assert np.allclose(table.to_numpy()[1:-1], exact[:-1, None], atol=1e-6)  # the sketch's float32
    assert returns_on(r.index, [sketch(r), sketch(short)])[1].isna().any()
