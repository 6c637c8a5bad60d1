"""Forecasts made elsewhere are traded as they are, and the verdict says that nothing could be examined."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from rollcast import SMA, Request, load_bars
from rollcast.backtests.commands.main import main
from rollcast.backtests.pipeline.forecast_file import ForecastFile

SPAN = {"start": "2015", "end": "2018"}


@pytest.fixture
def table() -> pd.DataFrame:
    forecast = SMA(window=20).predict(load_bars("SPY", **SPAN)).dropna()
    return pd.DataFrame({"date": forecast.index.strftime("%Y-%m-%d"), "forecast": forecast.to_numpy()})


def command(name: str, folder: Path) -> list[str]:
    return [name, "-P", str(folder / "f.csv"), "--start", "2015", "--end", "2018", "--out", str(folder / "runs")]


def refusal(tmp_path, table: pd.DataFrame, *words: str) -> str:
    """The one line that a file is refused with; nothing is left in the workspace."""
    table.to_csv(tmp_path / "f.csv", index=False)
    result = CliRunner().invoke(main, [*command("backtest", tmp_path), *words])
    assert result.exit_code != 0
    assert not list((tmp_path / "runs").glob("*")), "nothing half-written"
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in result.stderr
    return lines[-1]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_files_forecasts_earn_what_the_predictor_that_made_them_earns(tmp_path, table, ending):
    path = tmp_path / f"f.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    ours, theirs = (Request(name, **SPAN, params=p).run() for name, p in ((str(path), {}), ("sma", {"window": "20"})))
    pd.testing.assert_series_equal(ours.returns, theirs.returns, check_exact=True)
    assert ours.recipe["source"]["predictor"] == ForecastFile.read(path).sha256


def test_the_first_line_is_untested_and_no_headline_says_that_every_check_is_passed(tmp_path, table):
    bars = load_bars("SPY", **SPAN)
    known = np.log(bars["close"]).diff().shift(-1).reindex(pd.DatetimeIndex(table["date"])).fillna(0).to_numpy()
    noise = np.random.default_rng(0).normal(0, 0.06, len(table))
    table["forecast"] = 0.01 * (known + noise)
    table.to_csv(tmp_path / "f.csv", index=False)
    result = CliRunner().invoke(main, [*command("backtest", tmp_path), "--json"])
    assert result.exit_code == 0, result.stderr
    verdict = {entry["check"]: entry for entry in json.loads(result.stdout)["metrics"]["verdict"]}
    assert verdict["look-ahead"]["answer"] == "untested"
    assert "made elsewhere" in verdict["look-ahead"]["sentence"]
    assert verdict["deflation"]["answer"] != "untested"


def test_a_portfolio_takes_each_names_rows(tmp_path):
    names = {
        name: SMA(window=w).predict(load_bars(name, "2005", "2007")).dropna() for name, w in (("AAPL", 10), ("IBM", 50))
    }
    rows = [pd.DataFrame({"date": f.index, "value": f.to_numpy(), "symbol": name}) for name, f in names.items()]
    pd.concat(rows).to_csv(tmp_path / "f.csv", index=False)
    result = Request(str(tmp_path / "f.csv"), "equal_weight", "AAPL,IBM", start="2005", end="2007").run()
    for name, forecast in names.items():
        pd.testing.assert_series_equal(result.forecasts[name].dropna(), forecast, check_names=False, check_freq=False)


def test_forecasts_from_after_their_bar_are_refused(tmp_path, table):
    on_the_day = table.assign(made_at=table["date"] + " 20:30")
    on_the_day.to_csv(tmp_path / "f.csv", index=False)
    assert len(ForecastFile.read(tmp_path / "f.csv").rows[""]) == len(table)
    on_the_day.loc[7, "made_at"] = table["date"][8] + " 08:00"
    assert "was made at" in refusal(tmp_path, on_the_day)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"forecast": "signal"}), "expected the columns date and forecast"),
        (lambda t: t.assign(value=1.0), "expected the columns date and forecast"),
        (lambda t: t.iloc[:0], "holds no forecast"),
        (lambda t: t.drop(index=30), "has no forecast at"),
        (lambda t: t.iloc[:-5], "give --end"),
        (lambda t: pd.concat([t, t.tail(1)]), "has two forecasts"),
        (lambda t: t.assign(forecast=t["forecast"].astype(str).where(t.index != 3, "many")), "expected a number"),
        (lambda t: t.assign(forecast=t["forecast"].where(t.index != 3, np.inf)), "expected a number"),
        (lambda t: t.assign(date=t["date"].where(t.index != 3, "2016-01-02")), "no bars of SPY"),
        (lambda t: t.assign(date=t["date"].where(t.index != 3, "soon")), "date in row 4"),
        (lambda t: t.assign(symbol="AAPL"), "no forecasts of SPY; it has those of AAPL"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_one_line_that_names_it(tmp_path, table, change, message):
    line = refusal(tmp_path, change(table))
    assert message in line
    assert "f.csv" in line


def test_options_of_a_predictor_do_not_apply(tmp_path, table):
    for words in (["-p", "window=3"], ["--seed", "1"], ["--train", "100"]):
        assert "does not apply" in refusal(tmp_path, table, *words)


def test_placebo_markets_of_it_there_are_none(tmp_path, table):
    table.to_csv(tmp_path / "f.csv", index=False)
    result = CliRunner().invoke(main, command("placebo", tmp_path))
    assert result.exit_code != 0
    assert "cannot be made again on placebo markets" in result.stderr


def test_a_run_is_verified_on_the_same_file_alone(tmp_path, table):
    path, runner = tmp_path / "f.csv", CliRunner()
    table.to_csv(path, index=False)
    assert runner.invoke(main, [*command("backtest", tmp_path), "--quiet"]).exit_code == 0
    (folder,) = [one for one in (tmp_path / "runs").iterdir() if one.is_dir()]
    assert runner.invoke(main, ["verify", str(folder)]).exit_code == 0
    table.assign(forecast=-table["forecast"]).to_csv(path, index=False)
    refused = runner.invoke(main, ["verify", str(folder)])
    assert refused.exit_code != 0
    assert "is not the predictor of this recipe" in refused.stderr
