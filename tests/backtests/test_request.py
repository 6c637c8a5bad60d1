"""A request says everything a backtest depends on, and comes back whole from recipe and command line."""

import json
import shlex
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import cli
from rollcast import Account, Result, WalkForward
from rollcast.backtests.commands.options import request_of
from rollcast.backtests.commands.runs import backtest
from rollcast.backtests.data.bars import digest
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.pipeline.request import Request

# A run saved by version 0.1.0, whose request was one flat class.
SAVED = Path(__file__).parent / "saved_0_1_0"

FULL = Request(
    predictor="ols-features",
    strategy="proportional",
    symbol="AAPL.1h",
    start="2024-01-02",
    end="2024-06",
    since="2024-05-01",
    train=200,
    every=50,
    params={"features": "return,gap"},
    strategy_params={"cap": "0.5", "short": "false"},
    account=Account(cash=5e4, commission_bps=2, fractional=True),
)


def asked_by(command: str) -> Request:
    """The request `rollcast backtest …` makes, without running it."""
    program, name, *words = shlex.split(command)
    assert (program, name) == ("rollcast", "backtest")
    context = backtest.make_context("backtest", words)
    # What is the command's, and no request's.
    own = ("engine", "open_page", "as_json", "quiet", "out", "title", "note", "section")
    options = {k: v for k, v in context.params.items() if k not in own}
    return request_of(options)


@pytest.mark.parametrize("request_", [Request("sma"), FULL, Request("lstm", seed=3, device="cpu", adjust="none")])
def test_its_command_asks_for_it(request_):
    assert asked_by(request_.command()) == request_


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@given(
    texts.filter(lambda text: not text.startswith("-")), st.dictionaries(texts.filter(lambda k: "=" not in k), texts)
)
def test_its_command_asks_for_it_however_odd_the_names(symbol, params):
    odd = Request("sma", symbol=symbol, params=params)
    assert asked_by(odd.command()) == odd


def test_what_is_left_at_its_default_is_not_in_the_command():
    assert Request("sma").command() == "rollcast backtest --predictor sma"


def test_it_comes_back_from_the_recipe_that_holds_it(tmp_path):
    asked = Request("sma", start="2015", end="2016", params={"window": "20"}, account=Account(fractional=True))
    asked.run().save(tmp_path)
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert Request.from_recipe(recipe) == asked
    assert recipe["command"] == asked.command()


def test_a_recipe_without_one_says_how_to_make_a_repeatable_run():
    with pytest.raises(ValueError, match="holds no request"):
        Request.from_recipe({"symbol": "SPY"})


def test_a_learner_comes_wrapped_in_its_walk_forward_with_the_seed_it_was_given():
    model = Request("lstm", train=300, every=5, seed=9, device="cpu").model()
    assert isinstance(model, WalkForward)
    assert (model.train, model.every, model.learner.seed, model.learner.device) == (300, 5, 9, "cpu")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Request("sma", train=100), "sma is never refitted, so --train does not apply"),
        (Request("lstm", seed=1, params={"seed": "2"}), "give seed as --seed or as -p seed"),
        (Request("lstm", device="cpu", params={"device": "cpu"}), "give device as --device or as -p device"),
    ],
)
def test_options_that_contradict_one_another_are_refused(asked, words):
    with pytest.raises(ValueError, match=words):
        asked.model()


def test_since_moves_the_evaluation_and_changes_no_forecast():
    whole = Request("sma", start="2012", end="2016").run()
    later = Request("sma", start="2012", end="2016", since="2014-06-01").run()
    assert later.recipe["evaluation"]["first"] == pd.Timestamp("2014-06-02")
    pd.testing.assert_series_equal(later.forecast, whole.forecast.loc["2014-06-01":])
    assert later.equity.iloc[0] == 100_000


def test_since_after_the_last_bar_leaves_nothing_and_says_so():
    with pytest.raises(ValueError, match="still warming up"):
        Request("sma", end="2016", since="2020").run()


def test_a_parameter_outside_its_limits_is_found_before_any_training(monkeypatch):
    monkeypatch.setattr(Request, "predict", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match="cap must be at least 0"):
        Request("lstm", "proportional", strategy_params={"cap": "-1"}).run()


def test_a_recipe_of_a_version_that_asked_otherwise_is_read_where_it_can_be_and_refused_in_a_line():
    recipe = {"request": {"predictor": "sma", "account": asdict(Account()), "raw": False}}
    assert Request.from_recipe(recipe) == Request("sma")
    recipe["request"]["raw"] = True
    with pytest.raises(ValueError, match="asks for 'raw', which is not known here; make the run again"):
        Request.from_recipe(recipe)


def test_a_run_saved_before_the_data_had_a_class_of_options_is_read_and_asks_for_the_same_data():
    saved = Result.load(SAVED)
    request = Request.from_recipe(saved.recipe)
    assert request == Request(
        *("ols-features", "proportional"),
        **{"start": "2015", "end": "2016-06", "since": "2015-09", "source": "bundled", "bar": "1wk", "adjust": "asof"},
        **{"repair": True, "overnight": True, "train": 30, "every": 5, "account": Account(fractional=True)},
        **{"params": {"lags": "2"}, "strategy_params": {"cap": "0.5"}},
    )
    assert asked_by(saved.recipe["command"]) == request
    data = request.load()
    assert digest(data.bars) == saved.recipe["bars"]["sha256"]
    assert digest(data.model_bars) == digest(saved.model_bars) == saved.recipe["bars"]["model_bars"]


def test_every_option_of_the_data_is_an_option_of_the_command_line_and_no_second_class_repeats_one():
    own = {one.name for one in fields(DataOptions)}
    options = {option.name for option in backtest.params}
    assert own <= options
    assert not own & set(Request.__annotations__)


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ({"source": "stoer"}, LookupError, r"unknown source 'stoer'\. Did you mean 'store'\?"),
        ({"adjust": "half"}, ValueError, "adjust is one of full, asof, none, and not 'half'"),
        ({"decimal": ";"}, ValueError, "--decimal is . or , and not ';'"),
        ({"bar": "7x"}, ValueError, "'7x' is no bar size"),
        ({"start": "soon"}, ValueError, "'soon' is not a date"),
        ({"end": "NaT"}, ValueError, "'NaT' is not a date"),
        ({"start": "2016", "end": "2015-12-31"}, ValueError, "start 2016 is after end 2015-12-31"),
    ],
)
def test_an_option_of_the_data_that_means_nothing_is_refused_where_it_is_written(option, error, words):
    with pytest.raises(error, match=words):
        DataOptions(**option)
    with pytest.raises(error, match=words):
        Request("sma", **option)


def test_an_end_includes_the_whole_of_its_year_month_or_day():
    assert Request("sma", start="2015-02", end="2015-02").load().bars.index[[0, -1]].strftime("%F").tolist() == [
        "2015-02-02",
        "2015-02-27",
    ]


# --- results saved and read back ---


@pytest.fixture(scope="module", params=["sma", "ols-features", "lstm"])
def result(request):
    small = {"hidden": "4", "epochs": "1", "seeds": "2"} if request.param == "lstm" else {}
    return Request(request.param, start="2013", end="2018", params=small).run()


def test_a_saved_result_comes_back_the_same_to_the_bit(result, tmp_path):
    result.save(tmp_path)
    back = Result.load(tmp_path)
    for table in ("bars", "history", "forecasts", "positions", "orders", "trades"):
        exact = {"check_exact": True, "check_dtype": False, "check_freq": False}
        pd.testing.assert_frame_equal(getattr(back, table), getattr(result, table), **exact)
    for series in ("returns", "benchmark_returns", "forecast"):
        pd.testing.assert_series_equal(
            getattr(back, series), getattr(result, series), check_exact=True, check_freq=False
        )
    assert back.recipe["evaluation"] == result.recipe["evaluation"]
    assert (back.training is None) == (result.training is None)
    if result.training:
        pd.testing.assert_frame_equal(back.training.windows, result.training.windows)
        assert (back.training.states is None) == (result.training.states is None)


@pytest.mark.parametrize("file", ["bars.parquet", "equity.parquet", "metrics.json", "recipe.json", "orders.csv"])
def test_a_run_with_a_file_missing_or_spoilt_is_refused_by_its_name(file, tmp_path):
    Request("sma", start="2015", end="2016").run().save(tmp_path)
    (tmp_path / file).write_bytes(b"\x00spoilt")
    with pytest.raises(ValueError, match=file):
        Result.load(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        Result.load(tmp_path)


def test_verify_and_report_refuse_a_folder_that_is_no_run(tmp_path):
    for command in ("verify", "report"):
        done = CliRunner().invoke(cli.main, [command, str(tmp_path)])
        assert done.exit_code == 1
        assert "not the folder of a run" in done.output
        assert len(done.output.splitlines()) == 1
