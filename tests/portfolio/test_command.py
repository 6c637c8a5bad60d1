"""Portfolios on the command line: click's own runner in this process, real prices, real files."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from click.testing import Result as Invocation

from cli import main
from rollcast import Learner, load_bars
from rollcast.backtests.digests import seal
from rollcast.backtests.market.panel import load_panel
from rollcast.backtests.pipeline import forecasts
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.pipeline.universe import names_portfolio, symbol_label, universe_of
from rollcast.backtests.sheet.recipe import facts
from rollcast.predictors import BUILT_IN
from rollcast.predictors.registry import PREDICTORS

ROOT = Path(__file__).parents[2]
NETS = ("lstm", "gru", "rnn", "stacked-lstm", "bilstm", "attention-lstm")
TINY = [word for pair in ("epochs=1", "seeds=1", "hidden=4", "lookback=5") for word in ("-p", pair)]
SHORT = ["--start", "2006", "--end", "2007-03"]


def asked(*words: str) -> Invocation:
    return CliRunner().invoke(main, list(words))


def good(*words: str) -> str:
    done = asked(*words)
    assert done.exit_code == 0, done.output
    return done.output


def runs_in(out: Path) -> list[Path]:
    return sorted(path for path in out.iterdir() if path.is_dir())


@pytest.fixture(scope="module", autouse=True)
def one_symbol_is_probed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasts, "NAMES", 1)
        yield


@pytest.fixture(scope="module")
def five(tmp_path_factory) -> tuple[str, Path]:
    """What `backtest` prints of a long-short portfolio of the five, one of which comes late, and its folder."""
    out = tmp_path_factory.mktemp("runs")
    words = ("--symbol", "us5", "-S", "top_k", "-s", "k=2", "-s", "short=true", "--interest-bps", "100")
    printed = good("backtest", "-P", "ema", *words, "--start", "2010", "--out", str(out))
    return printed, runs_in(out)[0]


# All of them from Python: test_backtest.py.
@pytest.mark.parametrize(
    "name", [name if name == "ols-features" else pytest.param(name, marks=pytest.mark.slow) for name in BUILT_IN]
)
def test_every_predictor_trades_the_bundled_panel_and_is_made_again_to_the_bit(name, tmp_path):
    trained = ["--train", "200", "--every", "60"] if issubclass(PREDICTORS.find(name), Learner) else []
    tiny = TINY if name in NETS else []
    good("backtest", "-P", name, *tiny, *trained, "--symbol", "sp20", "-S", "top_k", *SHORT, "--out", str(tmp_path))
    (run,) = runs_in(tmp_path)
    assert run.name.endswith(f"-{name}-sp20")
    result = Result.load(run)
    assert isinstance(result, Result)
    assert result.metrics["panel"]["forecast_names"] == 20
    assert result.metrics["strategy"]["rejected"] == 0
    conserved(result)
    assert good("verify", str(run)).count("identical") == 3


def conserved(result: Result) -> None:
    worth = (result.positions * result.market.panel.table("close").ffill().loc[result.history.index[0] :]).sum(axis=1)
    np.testing.assert_allclose(worth + result.history["cash"], result.equity, rtol=1e-12)


def test_a_portfolio_leaves_one_whole_folder_whose_files_agree(five):
    printed, run = five
    assert "buy & hold" in printed
    assert {path.name for path in run.iterdir()} >= {
        *("panel.parquet", "panel_forecasts.parquet", "positions.parquet", "tearsheet.html"),
        *("bars.parquet", "equity.parquet", "forecasts.parquet", "orders.csv", "trades.csv", "metrics.json"),
    }
    result = Result.load(run)
    conserved(result)
    assert set(result.orders["symbol"]) == set(result.market.panel.symbols)
    recipe = json.loads((run / "recipe.json").read_text())
    assert {one["pin"]["source"] for one in recipe["data"]["symbols"].values()} == {"bundled"}
    assert recipe["command"].startswith("rollcast backtest --predictor ema --strategy top_k --symbol us5")


def test_the_metrics_of_a_portfolio_keep_the_schema(five):
    metrics = json.loads((five[1] / "metrics.json").read_text())
    schema = json.loads((ROOT / "backtests" / "metrics.schema.json").read_text())
    jsonschema.validate(metrics, schema)
    assert metrics["stress"]["engine"] == "fast"
    assert [entry["section"] for entry in metrics["verdict"] if entry["check"] == "forecast"] == ["across"]


def test_the_sheet_has_a_row_for_every_name_and_no_trades_on_the_index(five):
    page = (five[1] / "tearsheet.html").read_text()
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        assert f'<th scope="row"><bdi>{symbol}</bdi></th>' in page
    for words in ("Across names", "Rank IC, mean of the last", "Names held", "The equal-weight index"):
        assert words in page
    assert '"m":[],"p":[]' in page


def test_report_writes_the_sheet_again_and_verify_finds_what_was_changed(five, tmp_path):
    _, run = five
    before = (run / "tearsheet.html").read_bytes()
    good("report", str(run))
    assert (run / "tearsheet.html").read_bytes() == before
    spoilt = tmp_path / run.name
    spoilt.mkdir()
    for file in run.iterdir():
        (spoilt / file.name).write_bytes(file.read_bytes())
    table = pd.read_parquet(spoilt / "panel_forecasts.parquet")
    table.loc[table.index[5], "IBM"] += 1e-9
    table.to_parquet(spoilt / "panel_forecasts.parquet")
    assert "panel_forecasts.parquet is not what was written" in asked("verify", str(spoilt)).output
    seal(spoilt, ["panel_forecasts.parquet"])
    done = asked("verify", str(spoilt))
    assert done.exit_code == 1
    assert "IBM was" in done.output
    bars = pd.read_parquet(spoilt / "panel.parquet")
    bars.iloc[3, bars.columns.get_loc("volume")] += 1
    bars.to_parquet(spoilt / "panel.parquet")
    seal(spoilt, ["panel.parquet"])
    assert "panel.parquet is not what this run was made on: AAPL is not" in asked("verify", str(spoilt)).output


def test_the_same_portfolio_can_be_asked_for_by_its_recipe_and_counts_as_another_run_of_one_trial(five):
    _, run = five
    good("backtest", "--config", str(run / "recipe.json"), "--out", str(run.parent))
    again = runs_in(run.parent)[-1]
    assert again != run
    pd.testing.assert_frame_equal(Result.load(again).history, Result.load(run).history, check_exact=True)
    assert Result.load(again).metrics["luck"]["trials"] == 1


def test_a_universe_is_a_file_of_symbols_whatever_its_ending_and_a_txt_of_words_is_one_by_itself(tmp_path):
    for name in ("tech.txt", "tech.list"):
        (tmp_path / name).write_text("# two\nAAPL\nIBM  # old\n\n")
    words, out = ("-P", "sma", "--start", "2011"), tmp_path / "runs"
    good("backtest", *words, "--universe", str(tmp_path / "tech.list"), "--out", str(out))
    result = Result.load(runs_in(out)[0])
    assert result.recipe["symbol"] == "tech"
    assert result.recipe["strategy"]["class"] == "LongFlat"
    assert universe_of(str(tmp_path / "tech.txt")) == f"@{tmp_path / 'tech.txt'}"
    made = json.loads(good("predict", str(tmp_path / "tech.txt"), *words, "--json"))["forecasts"]
    assert [one["symbol"] for one in made] == ["AAPL", "IBM"]
    assert [one["forecast"] for one in made] == result.forecasts.iloc[-1].tolist()


def test_prices_in_a_txt_file_are_no_universe(tmp_path):
    load_bars("SPY", "2020").to_csv(tmp_path / "spy.txt", index_label="date")
    assert universe_of(str(tmp_path / "spy.txt")) == str(tmp_path / "spy.txt")
    assert not Request("sma", symbol=str(tmp_path / "spy.txt")).is_portfolio


def test_each_name_is_loaded_and_doubted_as_it_would_be_alone(tmp_path):
    bars = load_bars("SPY", "2019", "2020")
    bars.to_csv(tmp_path / "A.csv", index_label="date")
    bars.drop(bars.index[200]).to_csv(tmp_path / "B.csv", index_label="date")
    files = [str(tmp_path / "A.csv"), str(tmp_path / "B.csv")]
    result = Request("sma", symbol=",".join(files)).run()
    data = result.recipe["data"]["symbols"]
    for file in files:
        assert data[file] == Request("sma", symbol=file).load().as_dict()
    (missing,) = data[files[1]]["findings"]
    assert facts(result)["Doubtful"] == f"{files[1]}: {missing}"
    assert facts(result)["Data"] == "2 file"


def test_pooled_trains_one_model_for_all(tmp_path):
    words = ("-P", "ols-features", "--train", "250", "--every", "125", "--symbol", "AAPL,MSFT,IBM", "--start", "2010")
    good("backtest", *words, "--pooled", "-S", "top_k", "-s", "k=1", "--out", str(tmp_path))
    (run,) = runs_in(tmp_path)
    assert Result.load(run).recipe["predictor"]["class"] == "Pooled"
    assert "one for all names" in (run / "tearsheet.html").read_text()
    assert good("verify", str(run)).count("identical") == 3


def test_compare_judges_portfolios_on_the_errors_of_the_same_names(tmp_path):
    words = ("--symbol", "us5", "--start", "2010", "-S", "top_k", "-s", "k=2", "--train", "300", "--every", "125")
    printed = good("compare", "ema", "ols-features", *words, "--out", str(tmp_path))
    assert "Rank IC" in printed
    runs = [Result.load(run) for run in runs_in(tmp_path) if "compare" not in run.name]
    assert len({run.history.index[0] for run in runs}) == 1
    (page,) = tmp_path.glob("*-compare-us5/comparison.html")
    assert "Rank IC" in page.read_text()


def test_predict_gives_every_name_that_still_trades_its_forecast_and_its_place_in_the_account():
    words = ("-P", "ema", "-S", "top_k", "-s", "k=2", "--start", "2011", "--end", "2012-12")
    made = json.loads(good("predict", "us5", *words, "--json"))["forecasts"]
    assert [one["symbol"] for one in made] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    weights = [one["position"]["next_weight"] for one in made]
    assert sum(weight > 0.4 for weight in weights) == 2
    result = Request("ema", "top_k", "us5", start="2011", end="2012-12", strategy_params={"k": "2"}).run()
    assert [one["forecast"] for one in made] == result.forecasts.iloc[-1].tolist()
    assert [one["position"]["units"] for one in made] == result.positions.iloc[-1].tolist()
    alone = json.loads(good("predict", "us5", *words, "--no-skill", "--json"))["forecasts"]
    assert [one["forecast"] for one in alone] == [one["forecast"] for one in made]


def test_list_says_which_strategies_are_for_portfolios():
    head, tail = good("list").split("--strategy, of a portfolio only")
    assert "long_flat" in head
    for name in ("top_k", "min_variance_tilt", "equal_weight"):
        assert f"  {name}" in tail
        assert f"  {name}" not in head


REFUSED = {
    "top_k on one name": (["backtest", "-P", "sma", "-S", "top_k"], "top_k trades many names; give it several"),
    "one name pooled": (
        ["backtest", "-P", "lstm", "--pooled"],
        "pooled is one model for several names, and SPY is one",
    ),
    "a snapshot of many": (["backtest", "-P", "sma", "--symbol", "us5", "--snapshot", "ab"], "of one symbol"),
    "symbol and universe": (
        ["backtest", "-P", "sma", "--symbol", "SPY", "--universe", "x"],
        "give --symbol or --universe, not both",
    ),
    "a placebo": (
        ["placebo", "-P", "sma", "--symbol", "us5"],
        "placebo takes one name, and us5 is a portfolio: surrogates are drawn for each name by itself",
    ),
    "a sweep": (
        ["sweep", "-P", "sma", "-p", "window=5|9", "--symbol", "us5"],
        "sweep takes one name, and us5 is a portfolio: its variants are traded at once by the fast accounts",
    ),
    "explain": (
        ["explain", "lstm", "--symbol", "AAPL,IBM"],
        "explain takes one name, and AAPL,IBM is a portfolio: it shows one model, on the bars of one name",
    ),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_what_goes_with_one_name_only_or_with_many_only_is_one_clear_line(words, message, tmp_path):
    done = asked(*words, "--out", str(tmp_path / "runs"))
    assert done.exit_code == 2, done.output
    assert done.output.splitlines()[-1].startswith("Error: ")
    assert message in done.output
    assert not (tmp_path / "runs").exists()


WRONG = {
    "unknown symbol": (["--symbol", "AAPL,MSFTT"], "unknown symbol 'MSFTT'. Did you mean 'MSFT'?"),
    "named twice": (["--symbol", "AAPL,AAPL"], "AAPL is named twice"),
    "no file": (["--universe", "nowhere.txt"], "no such file of symbols: nowhere.txt"),
    "unknown rule": (["--symbol", "us5", "-S", "topk"], "unknown strategy 'topk'. Did you mean 'top_k'?"),
    "wrong parameter": (["--symbol", "us5", "-S", "top_k", "-s", "k=0"], "k must be at least 1"),
    "nothing to pool": (["--symbol", "us5", "--pooled"], "SMA is never trained, so there is nothing to pool"),
}


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_portfolio_is_one_clear_line_and_leaves_nothing(words, message, tmp_path):
    done = asked("backtest", "-P", "sma", *words, "--out", str(tmp_path / "runs"))
    assert done.exit_code == 1, done.output
    assert done.output.splitlines()[-1].startswith("Error: ")
    assert message in done.output
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_a_rule_for_many_names_from_a_file_trades_a_portfolio_and_no_single_name(tmp_path):
    (tmp_path / "all.py").write_text(
        "from rollcast.strategies.portfolio.equal_weight import EqualWeight\nclass All(EqualWeight):\n    '''All.'''\n"
    )
    rule = str(tmp_path / "all.py")
    result = Request("sma", rule, "AAPL,IBM", start="2012").run()
    assert ((result.positions != 0).sum(axis=1).iloc[2:] == 2).all()
    with pytest.raises(ValueError, match="trades many names"):
        Request("sma", rule, "AAPL").run()


def test_a_folder_is_called_after_its_symbols_but_not_after_a_hundred():
    assert symbol_label("sp20") == "sp20"
    assert symbol_label("@lists/tech.txt") == "tech"
    assert symbol_label("A,prices/b.csv") == "A,b"
    assert symbol_label(",".join(f"NAME{k}" for k in range(100))) == "NAME0-and-99"


def test_a_file_with_a_comma_in_its_name_is_one_symbol(tmp_path):
    path = tmp_path / "prices, daily.csv"
    load_bars("SPY", "2020").to_csv(path, index_label="date")
    assert not names_portfolio(str(path))
    assert names_portfolio("AAPL,MSFT")
    assert load_panel("AAPL, MSFT", "2012").name == "AAPL,MSFT"
