"""Config files: what they say is what the command line would say."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import cli
from rollcast import Request
from rollcast.backtests.commands.options import request_of
from rollcast.backtests.commands.predict import predict
from rollcast.backtests.commands.runs import backtest, compare
from rollcast.backtests.config import Config

# TOML line → the same on the command line.
LINES = {
    'strategy = "proportional"': ["--strategy", "proportional"],
    'symbol = "BTC-USD"': ["--symbol", "BTC-USD"],
    "start = 2015-01-01": ["--start", "2015-01-01"],
    "end = 2020": ["--end", "2020"],
    'since = "2018-06"': ["--since", "2018-06"],
    "train = 300": ["--train", "300"],
    "every = 5": ["--every", "5"],
    "cash = 50_000": ["--cash", "50000"],
    "commission-bps = 2.5": ["--commission-bps", "2.5"],
    "borrow_bps = 10": ["--borrow-bps", "10"],
    "fractional = true": ["--fractional"],
    "leverage = 2": ["--leverage", "2"],
    "loan-bps = 300": ["--loan-bps", "300"],
    'adjust = "none"': ["--adjust", "none"],
    "overnight = false": [],
    "seed = 3": ["--seed", "3"],
    'device = "cpu"': ["--device", "cpu"],
    'engine = "ray"': ["--engine", "ray"],
    'out = "elsewhere"': ["--out", "elsewhere"],
    "params = {hidden = 8, lr = 1e-3}": ["-p", "hidden=8", "-p", "lr=0.001"],
    "strategy-params = {short = false}": ["-s", "short=false"],
    'source = "bundled"': ["--source", "bundled"],
    'date-format = "%d/%m/%Y"': ["--date-format", "%d/%m/%Y"],
    'decimal = ","': ["--decimal", ","],
    "repair = true": ["--repair"],
    'bar = "1wk"': ["--bar", "1wk"],
    "pooled = true": ["--pooled"],
    'universe = "tech.txt"': ["--universe", "tech.txt"],
    'snapshot = "ab12"': ["--snapshot", "ab12"],
    "slippage-bps = 0": ["--slippage-bps", "0"],
    "interest-bps = 100": ["--interest-bps", "100"],
    "allow-lookahead = true": ["--allow-lookahead"],
    "open = true": ["--open"],
    "json = true": ["--json"],
    "quiet = true": ["--quiet"],
    'column = {close = "Last"}': ["--column", "close=Last"],
    'time-zone = "America/New_York"': ["--time-zone", "America/New_York"],
    'only = "AAPL"': ["--only", "AAPL"],
    'fractions = "32nds"': ["--fractions", "32nds"],
    'stamps = "start"': ["--stamps", "start"],
    'prices = "adjusted"': ["--prices", "adjusted"],
    'title = "A page"': ["--title", "A page"],
    'note = "Why it was run."': ["--note", "Why it was run."],
    'section = "README.md"': ["--section", "README.md"],
}


def parsed(command: click.Command, *arguments: str) -> dict[str, Any]:
    """What a command is called with."""
    return command.make_context(str(command.name), list(arguments)).params


def written(folder: Path, text: str, name: str = "run.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


@settings(max_examples=60, deadline=None)
@given(chosen=st.lists(st.sampled_from(sorted(LINES)), unique=True), told=st.lists(st.sampled_from(sorted(LINES))))
def test_a_file_says_what_the_command_line_would_say_and_the_command_line_wins(chosen, told, tmp_path_factory):
    told = list(dict.fromkeys(told))
    file = written(tmp_path_factory.getbasetemp(), "\n".join(['predictor = "lstm"', *chosen]))
    given_here = [word for line in told for word in LINES[line]]
    mixed = parsed(backtest, "--config", file, *given_here)
    # The same line twice says the same; a flag that is off cannot be told on the command line.
    rest = [word for line in chosen if line not in told for word in LINES[line]]
    assert mixed == parsed(backtest, "--predictor", "lstm", *given_here, *rest)


def test_every_option_of_a_backtest_can_be_in_a_file():
    lines = {line.partition(" = ")[0].replace("-", "_") for line in LINES} | {"predictor"}
    for option in backtest.params:
        words = {word[2:].replace("-", "_") for word in option.opts if word.startswith("--")} | {option.name}
        assert words & (lines | {"config", "trust"}), option.name  # what a file asks to be trusted is not


def test_the_command_line_wins_value_by_value_in_a_table(tmp_path):
    file = written(tmp_path, 'predictor = "lstm"\ncash = 5\n[params]\nhidden = 8\nepochs = 3')
    mixed = parsed(backtest, "--config", file, "-p", "epochs=9", "--cash", "7")
    assert mixed["params"] == {"hidden": "8", "epochs": "9"}
    assert mixed["cash"] == 7


def test_a_table_goes_with_the_predictor_of_its_file(tmp_path):
    file = written(tmp_path, 'predictor = "lstm"\n[params]\nhidden = 8')
    assert parsed(backtest, "--config", file, "-P", "sma")["params"] == {}
    assert parsed(backtest, "--config", file, "-P", "lstm")["params"] == {"hidden": "8"}
    alone = written(tmp_path, "[params]\nwindow = 8")
    assert parsed(backtest, "--config", alone, "-P", "sma")["params"] == {"window": "8"}


def test_lists_and_truth_are_written_as_predictors_read_them(tmp_path):
    file = written(tmp_path, 'predictor = "lstm"\n[params]\nwarm = true\nsizes = [8, 4]')
    assert parsed(backtest, "--config", file)["params"] == {"warm": "true", "sizes": "8,4"}


def test_one_file_serves_every_command(tmp_path):
    file = written(tmp_path, 'predictor = "sma"\nsymbol = "BTC-USD"\nsince = 2018\nfractional = true\nopen = true')
    ours = parsed(predict, "--config", file)
    assert (ours["symbols"], ours["predictor"], ours["since"]) == (("BTC-USD",), "sma", "2018")
    assert parsed(predict, "AAPL", "--config", file)["symbols"] == ("AAPL",)
    theirs = parsed(compare, "sma", "ema", "--config", file)
    assert (theirs["predictors"], theirs["symbol"], theirs["fractional"]) == (("sma", "ema"), "BTC-USD", True)
    several = written(tmp_path, 'predictors = ["sma", "ols-features"]\nseeds = 2')
    assert parsed(compare, "--config", several)["predictors"] == ("sma", "ols-features")


def test_the_recipe_of_a_run_asks_for_the_same_run(tmp_path, spy):
    asked = ["-P", "ols-features", "--train", "250", "--since", "1995", "-S", "proportional", "-s", "short=false"]
    asked += ["--cash", "5000", "--fractional", "--symbol", "SPY", "--end", "1996"]
    request = request_of(of_the_run(parsed(backtest, *asked)))
    request.run(spy.iloc[:800]).save(tmp_path)
    again = parsed(backtest, "--config", str(tmp_path / "recipe.json"))
    assert request_of(of_the_run(again)) == request
    other = parsed(backtest, "--config", str(tmp_path / "recipe.json"), "--symbol", "QQQ", "-P", "sma")
    assert (other["symbol"], other["predictor"], other["cash"]) == ("QQQ", "sma", 5000)
    assert parsed(predict, "--config", str(tmp_path / "recipe.json"))["symbols"] == ("SPY",)


def test_the_defaults_of_the_options_are_those_of_a_request():
    assert request_of(of_the_run(parsed(backtest, "-P", "sma"))) == Request("sma")


def test_the_snapshot_of_a_recipe_goes_with_its_symbol(tmp_path, spy):
    recipe = Request("sma").run(spy.iloc[:300]).with_recipe(data={"pin": {"source": "store", "snapshot": "ab12"}})
    recipe.save(tmp_path)
    file = str(tmp_path / "recipe.json")
    assert Config.read(Path(file)).values["snapshot"] == "ab12"
    show = backtest
    assert parsed(show, "--config", file)["snapshot"] == "ab12"
    assert parsed(show, "--config", file, "--symbol", "SPY")["snapshot"] == "ab12"
    assert parsed(show, "--config", file, "--symbol", "QQQ")["snapshot"] is None


def of_the_run(params: dict[str, Any]) -> dict[str, Any]:
    own = ("out", "open_page", "as_json", "quiet", "engine", "title", "note", "section")
    return {name: value for name, value in params.items() if name not in own}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("comission-bps = 1", "unknown option 'comission-bps'. Did you mean 'commission-bps'?"),
        ("[account]\ncash = 1", "unknown option 'account'. "),
        ('symbols = ["SPY", "QQQ"]', "unknown option 'symbols'. Did you mean 'symbol'?"),
        ("train = 3.5", "train must be a whole number; got 3.5"),
        ('train = "300"', "train must be a whole number; got '300'"),
        ("cash = true", "cash must be a number; got true"),
        ('fractional = "yes"', "fractional must be true or false; got 'yes'"),
        ("strategy = 1.5", "strategy must be text or a date; got 1.5"),
        ('device = "tpu"', "device: 'tpu' is not one of"),
        ("params = 3", "params must be a table, as [params] followed by name = value"),
        ("[params.window]\nx = 2", "params.window must be one value, and not a table"),
        (
            "commission-bps = 1\ncommission_bps = 2",
            "an option is given twice, once with dashes and once with underscores",
        ),
        ("[params]\nwindow = 2\n[param]\nwindow = 3", "is given twice"),
        ("train = = 3", "is not TOML: "),
        ('start = "soon"', "expected a date such as 2010, 2010-12 or 2010-12-31, got 'soon'"),
        ("[params]\nwindw = 3", "sma has no parameter 'windw'. Did you mean 'window'?"),
    ],
)
def test_a_mistake_in_a_file_is_one_plain_line(text, words, tmp_path):
    file = written(tmp_path, text)
    done = CliRunner().invoke(cli.main, ["backtest", "-P", "sma", "--config", file, "--out", str(tmp_path / "runs")])
    assert done.exit_code != 0
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error: ")]) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not JSON: "), ("[1]", "is not the recipe of a run"), ('{"created": 1}', "the recipe holds no request")],
)
def test_a_json_file_that_is_no_recipe_is_refused(text, words, tmp_path):
    file = written(tmp_path, text, "recipe.json")
    with pytest.raises(ValueError, match=words):
        Config.read(Path(file))


def test_a_required_option_may_come_from_the_file_and_is_missed_otherwise(tmp_path):
    assert parsed(backtest, "--config", written(tmp_path, 'predictor = "sma"'))["predictor"] == "sma"
    with pytest.raises(click.MissingParameter, match="predictor"):
        parsed(backtest, "--config", written(tmp_path, "train = 300"))
