"""A saved run is made again to the bit, and a difference is shown where it begins."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcast import Result
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.verify import changes, check, fingerprint, first_difference

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from rollcast import Predictor

@dataclass(frozen=True)
class Mine(Predictor):
    "The last return."
    def predict(self, bars):
        return np.log(bars["close"]).diff()
"""


def saved(request: Request, folder: Path) -> Result:
    request.run().save(folder)
    return Result.load(folder)


@pytest.mark.parametrize(
    "request_",
    [
        Request("ema", "proportional", start="2012", end="2016", strategy_params={"cap": "0.5"}),
        Request("ols-features", "long_short", symbol="BTC-USD", train=400, every=50),
        Request("lstm", start="2013", end="2018", params={"hidden": "4", "epochs": "2", "seeds": "2"}, seed=5),
        Request("examples/ridge.py", "examples/patient.py", start="2012", end="2016", since="2015"),
    ],
    ids=["linear", "learner", "net", "plugins"],
)
def test_a_run_made_again_is_the_same_to_the_bit(request_, tmp_path):
    parts = check(saved(request_, tmp_path), consent=lambda file: True)
    assert [part.name for part in parts] == ["forecasts", "orders", "equity"]
    assert [part.difference for part in parts] == [None, None, None]
    assert all(part.saved == part.again for part in parts)


def test_an_edited_file_is_found_with_its_row_and_values(tmp_path):
    run = saved(Request("sma", start="2014", end="2016"), tmp_path)
    run.orders.loc[3, "units"] += 1
    forecasts, orders, equity = check(run)
    assert forecasts.difference is None
    assert equity.difference is None
    assert orders.difference.startswith(f"row 4, {run.orders['date'][3]}: units was ")
    assert orders.saved != orders.again


def test_bars_that_are_not_those_of_the_recipe_are_refused(tmp_path):
    run = saved(Request("sma", start="2014", end="2016"), tmp_path)
    run.bars.iloc[5, 3] *= 1.0001
    with pytest.raises(ValueError, match=r"bars\.parquet is not what this run was made on"):
        check(run)


def test_a_plugin_edited_since_is_named_among_the_changes(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN)
    (tmp_path / "run").mkdir()
    run = saved(Request(str(plugin), start="2014", end="2016"), tmp_path / "run")
    assert changes(run) == []
    plugin.write_text(PLUGIN.replace(".diff()", ".diff() * 2"))
    (change,) = changes(run)
    assert change.startswith("the source of the predictor was ")
    with pytest.raises(ValueError, match=r"mine\.py is not the predictor of this recipe: its SHA-256 is "):
        check(run, consent=lambda file: True)


tables = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=6).map(lambda v: pd.DataFrame({"a": v}))


@given(tables, tables)
def test_two_tables_have_one_fingerprint_exactly_if_nothing_differs(one, other):
    same = first_difference(one, other) is None
    # Two NaN may differ in bits that no arithmetic sees, and 0 == -0.
    plain = all(
        not (np.isnan(table["a"]).any() or ((table["a"] == 0) & np.signbit(table["a"])).any()) for table in (one, other)
    )
    if plain:
        assert (fingerprint(one) == fingerprint(other)) == same
    assert fingerprint(one) == fingerprint(one.copy())


def test_a_table_cut_short_says_which_row_is_one_more():
    table = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.to_datetime(["2020-01-02", "2020-01-03"]))
    assert first_difference(table, table.iloc[:1]).endswith("the first one more is row 2, 2020-01-03 00:00:00")
