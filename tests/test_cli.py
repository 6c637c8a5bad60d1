"""The command line as its user runs it: real prices, real files, and a fresh process where that is the claim."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from rollcast import load_bars
from tests.command import cli

ROOT = Path(__file__).parent.parent
FAST = ["--start", "2018-01-01", "--train", "300"]


def fresh(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What a command does in a process of its own."""
    environment = {**os.environ, "PYTHONWARNINGS": "default", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=1200)


def good(*arguments: str, run: Callable[..., subprocess.CompletedProcess[str]] = cli) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sma_run(tmp_path_factory) -> tuple[str, Path]:
    """What `backtest --predictor sma` prints, and the folder it leaves."""
    out = tmp_path_factory.mktemp("runs")
    printed = good("backtest", "--predictor", "sma", "-p", "window=20", "--out", str(out), run=fresh)
    return printed, runs_in(out)[0]


def runs_in(out: Path) -> list[Path]:
    """The run folders of a workspace, oldest first."""
    return sorted(path for path in out.iterdir() if path.is_dir())


def test_list_names_every_predictor_and_strategy_with_its_defaults():
    printed = good("list")
    for text in ("sma", "window=50", "lstm", "lookback=20", "kalman-mle", "long_flat", "dead_band_bps=1.0", "cap=1.0"):
        assert text in printed


def test_data_list_shows_every_bundled_symbol():
    printed = good("data", "list")
    assert "SPY           7191  1993-01-29  2021-08-18  daily" in printed
    assert "AAPL.1h       3477  2024-08-06  2026-08-05  hourly" in printed
    assert len(printed.splitlines()) == 1 + 1 + 5 + 1 + 1 + 20


def test_a_backtest_prints_its_scores_beside_buy_and_hold_and_the_path_of_its_sheet(sma_run):
    printed, folder = sma_run
    for row in ("CAGR", "Volatility", "Sharpe ratio", "Maximum drawdown", "Round trips", "Turnover a year", "Exposure"):
        (line,) = (x for x in printed.splitlines() if x.startswith(row))
        assert len(line.replace(row, "").replace(" %", "%").replace(" ×", "×").split()) == 2
    assert "Costs: commission 1 bp, slippage 1 bp" in printed
    assert printed.splitlines()[-1] == f"Tear sheet: {folder / 'tearsheet.html'}"


def test_a_run_leaves_one_whole_folder(sma_run):
    _, folder = sma_run
    assert folder.name.endswith("Z-sma-SPY")
    assert sorted(p.name for p in folder.iterdir()) == [
        "SHA256SUMS",
        "bars.parquet",
        "equity.parquet",
        "forecasts.parquet",
        "metrics.json",
        "orders.csv",
        "positions.parquet",
        "recipe.json",
        "tearsheet.html",
        "trades.csv",
    ]


def test_the_files_of_a_run_agree_with_each_other(sma_run):
    printed, folder = sma_run
    metrics, recipe = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "recipe"))
    equity, forecasts = (pd.read_parquet(folder / f"{name}.parquet") for name in ("equity", "forecasts"))
    assert equity.index.equals(forecasts.index)
    assert equity.index[0].isoformat() == recipe["evaluation"]["first"]
    assert equity["equity"].iloc[0] == recipe["account"]["cash"] == 100_000
    assert equity["equity"].iloc[-1] / 100_000 - 1 == pytest.approx(metrics["strategy"]["total_return"], abs=1e-12)
    assert len(pd.read_csv(folder / "trades.csv")) == metrics["strategy"]["trades"]
    assert len(pd.read_csv(folder / "orders.csv")) == metrics["strategy"]["orders"]
    assert f"{metrics['strategy']['sharpe']:.2f}" in printed
    assert recipe["predictor"] == {"class": "SMA", "window": 20}
    assert recipe["command"] == "rollcast backtest --predictor sma -p window=20"
    assert len(recipe["bars"]["sha256"]) == 64


def test_the_same_command_gives_the_same_bytes_but_for_the_time_stamp(tmp_path):
    arguments = ["backtest", "--predictor", "lstm", "--seed", "3", "-p", "epochs=3", *FAST, "--out", str(tmp_path)]
    good(*arguments, run=fresh)
    good(*arguments, run=fresh)
    first, second = runs_in(tmp_path)
    names = {path.name for path in first.iterdir()}
    assert names == {path.name for path in second.iterdir()}
    for name in names - {"recipe.json", "tearsheet.html", "SHA256SUMS"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    sheets = [re.subn('<p id="stamp">.*?</p>', "", (run / "tearsheet.html").read_text()) for run in (first, second)]
    assert sheets[0] == sheets[1]
    assert sheets[0][1] == 1
    recipes = [json.loads((run / "recipe.json").read_text()) for run in (first, second)]
    assert {key for key in recipes[0] if recipes[0][key] != recipes[1][key]} <= {"created", "seconds", "look_ahead"}


def test_verify_makes_a_run_again_and_finds_what_was_changed(sma_run, tmp_path):
    _, folder = sma_run
    printed = good("verify", str(folder))
    assert [line.split()[:2] for line in printed.splitlines()] == [
        ["identical", "forecasts"],
        ["identical", "orders"],
        ["identical", "equity"],
    ]
    forged = tmp_path / "forged"
    shutil.copytree(folder, forged)
    (forged / "SHA256SUMS").unlink()  # or it would be refused before it is run
    orders = pd.read_csv(forged / "orders.csv")
    orders.loc[1, "price"] *= 1.01
    orders.to_csv(forged / "orders.csv", index=False)
    done = cli("verify", str(forged))
    assert done.returncode == 1
    assert "row 2, " in done.stdout
    assert done.stderr == f"Error: {forged} could not be made again as it was\n"


def test_report_writes_the_sheet_again_with_the_trials_counted_by_now(tmp_path):
    arguments = ["--start", "2012", "--end", "2014", "--out", str(tmp_path)]
    good("backtest", "-P", "sma", *arguments)
    (folder,) = runs_in(tmp_path)
    before = json.loads((folder / "metrics.json").read_text())
    sheet = (folder / "tearsheet.html").read_bytes()
    good("report", str(folder))
    assert (folder / "tearsheet.html").read_bytes() == sheet
    assert json.loads((folder / "metrics.json").read_text()) == before
    good("backtest", "-P", "sma", "-p", "window=200", *arguments)
    good("report", str(folder))
    after = json.loads((folder / "metrics.json").read_text())
    assert (before["luck"]["trials"], after["luck"]["trials"]) == (1, 2)
    assert after["luck"]["dsr_all"] < before["luck"]["dsr_all"]
    assert after["strategy"] == before["strategy"]


def test_the_ledger_and_the_index_hold_every_run_of_a_workspace(tmp_path):
    assert good("ledger", "list", "--out", str(tmp_path)).startswith("No run is recorded")
    for window in ("20", "50"):
        good("backtest", "-P", "sma", "-p", f"window={window}", "--start", "2015", "--out", str(tmp_path))
    listed = json.loads(good("ledger", "list", "--json", "--out", str(tmp_path)))
    assert [run["predictor_parameters"] for run in listed["runs"]] == ["window=50", "window=20"]
    assert listed["trials"]["count"] == 2
    assert "dates of run 2: 2 (`ledger trials 2`)" in good("ledger", "list", "--out", str(tmp_path))
    index = (tmp_path / "index.html").read_text()
    for run in runs_in(tmp_path):
        assert f'href="{run.name}/tearsheet.html"' in index
    assert "window=20" in good("ledger", "show", "1", "--out", str(tmp_path))
    good("ledger", "export", str(tmp_path / "all.csv"), "--out", str(tmp_path))
    assert len(pd.read_csv(tmp_path / "all.csv")) == 2
    missing = cli("ledger", "show", "9", "--out", str(tmp_path))
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)


def test_compare_trades_all_on_the_same_bars_and_links_to_each_sheet(tmp_path):
    models = ["sma", "ols-features", "rnn,hidden=4,epochs=1,seeds=1"]
    printed = good("compare", *models, "--seeds", "2", *FAST, "--out", str(tmp_path))
    page = Path(printed.splitlines()[-1].removeprefix("Comparison: "))
    found = json.loads((page.parent / "comparison.json").read_text())
    assert [entrant["name"] for entrant in found["entrants"]] == models
    assert [len(entrant["runs"]) for entrant in found["entrants"]] == [1, 1, 2]
    runs = [run for entrant in found["entrants"] for run in entrant["runs"]]
    windows, trials = set(), set()
    for run in runs:
        assert f'href="../{run}/tearsheet.html"' in page.read_text()
        windows.add(json.loads((tmp_path / run / "recipe.json").read_text())["evaluation"]["first"])
        trials.add(json.loads((tmp_path / run / "metrics.json").read_text())["luck"]["trials"])
    assert len(windows) == 1
    assert trials == {4}
    assert len(found["pairs"]) == 6
    assert f'href="{page.parent.name}/comparison.html"' in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sma"], "a comparison needs at least two predictors"),
        (["sma", "sma"], "sma is given twice"),
        (["sma", "ema,spn=3"], "ema has no parameter 'spn'. Did you mean 'span'?"),
        (["sma", "ema,span"], "expected NAME or NAME,PARAMETER=VALUE"),
        (["sma", "ema", "--seeds", "0"], "seeds must be at least 1"),
        (["sma", "ols-features", "--end", "1995"], "at least train=1000 bars"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_one_clear_line_and_leaves_nothing(arguments, message, tmp_path):
    done = cli("compare", *arguments, "--out", str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("strategy", ["long_flat", "long_short", "proportional", "buy_and_hold"])
def test_every_strategy_backtests(strategy, tmp_path):
    good("backtest", "--predictor", "ema", "--strategy", strategy, "--start", "2017-01-01", "--out", str(tmp_path))


@pytest.mark.parametrize(
    ("predictor", "extra"),
    [
        ("examples/momentum.py", ["-p", "window=20"]),
        ("examples/ridge.py:Ridge", [*FAST, "--strategy", "examples/patient.py", "-s", "bars=2"]),
    ],
)
def test_the_examples_backtest(predictor, extra, tmp_path):
    good("backtest", "--predictor", predictor, *extra, "--start", "2017-01-01", "--out", str(tmp_path))


BAD = {
    "unknown predictor": (["-P", "lsmt"], 1, "unknown predictor 'lsmt'. Did you mean 'lstm'? Known: attention-lstm,"),
    "unknown strategy": (["-P", "sma", "-S", "long_flt"], 1, "unknown strategy 'long_flt'. Did you mean 'long_flat'?"),
    "unknown parameter": (["-P", "sma", "-p", "windw=3"], 1, "sma has no parameter 'windw'. Did you mean 'window'?"),
    "unknown strategy parameter": (["-P", "sma", "-s", "cap=1"], 1, "long_flat has no parameter 'cap'"),
    "unknown symbol": (["-P", "sma", "--symbol", "SPX"], 1, "unknown symbol 'SPX'. Did you mean 'SPY'?"),
    "wrong type": (["-P", "sma", "-p", "window=ten"], 1, "sma: window must be a whole number; got 'ten'"),
    "out of range": (["-P", "sma", "-p", "window=1"], 1, "window must be at least 2; got 1"),
    "strategy parameter out of range": (
        ["-P", "sma", "-s", "exposure=2"],
        1,
        "exposure must be at least 0 and at most 1",
    ),
    "not a pair": (["-P", "sma", "-p", "window"], 2, "expected NAME=VALUE, got 'window'"),
    "given twice": (["-P", "sma", "-p", "window=3", "-p", "window=4"], 2, "window is given twice"),
    "no bars": (["-P", "sma", "--start", "2030-01-01"], 1, "SPY has no bars from 2030-01-01 to its end; it has 7191"),
    "too few to train on": (["-P", "lstm", "--start", "2021-01-01"], 1, "at least train=1000 bars"),
    "still warming up": (["-P", "sma", "--start", "2021-08-01"], 1, "still warming up after all 13 bars"),
    "start after end": (["-P", "sma", "--start", "2020-01-02", "--end", "2020-01-01"], 2, "is after --end"),
    "not a date": (
        ["-P", "sma", "--start", "yesterday"],
        2,
        "expected a date such as 2010, 2010-12 or 2010-12-31, got 'yesterday'",
    ),
    "no cash": (["-P", "sma", "--cash", "0"], 1, "cash must be above 0; got 0"),
    "negative cost": (["-P", "sma", "--commission-bps", "-1"], 1, "commission_bps must be at least 0"),
    "nothing to refit": (["-P", "sma", "--train", "10"], 1, "sma is never refitted, so --train does not apply"),
    "no seed": (["-P", "sma", "--seed", "1"], 1, "sma has no parameter 'seed'"),
    "raw panel": (["-P", "sma", "--symbol", "KO.sp20", "--adjust", "none"], 1, "adjusted closes only"),
    "as of then": (["-P", "sma", "--symbol", "IBM", "--adjust", "asof"], 1, "no record of dividends and splits"),
    "no predictor": ([], 2, "Missing option '--predictor'"),
    "missing file": (["-P", "nowhere.py"], 1, "no such predictor file: nowhere.py"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_gets_one_clear_line_and_writes_nothing(arguments, code, message, tmp_path):
    out = tmp_path / "runs"
    done = cli("backtest", *arguments, "--out", str(out))
    assert done.returncode == code
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists() or not list(out.iterdir())


def test_cuda_where_there_is_none_is_one_clear_line(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    done = cli("backtest", "-P", "lstm", "--device", "cuda", *FAST, "--out", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: device cuda was asked for")
    assert not list(tmp_path.iterdir())


def test_an_output_folder_that_cannot_be_written_is_found_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    done = cli("backtest", "-P", "lstm", "--out", str(tmp_path / "file" / "runs"))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cannot write to ")


def test_a_plugin_that_fails_to_import_shows_its_own_traceback(tmp_path):
    (tmp_path / "broken.py").write_text("def f():\n    return 1 / 0\nf()\n")
    done = fresh("backtest", "-P", str(tmp_path / "broken.py"), "--out", str(tmp_path / "runs"))
    assert done.returncode == 1
    assert 'broken.py", line 2, in f' in done.stderr
    assert done.stderr.splitlines()[-1].endswith("broken.py could not be imported: ZeroDivisionError: division by zero")


def stopped(tmp_path: Path) -> float:
    """Presses Ctrl-C in a training without an end; returns the seconds until the process had ended."""
    command = [
        sys.executable,
        str(ROOT / "cli.py"),
        "backtest",
        "-P",
        "lstm",
        "-p",
        "epochs=100000",
        "--out",
        str(tmp_path),
    ]
    # A shell's background job ignores Ctrl-C, and so would all that it starts.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, heard)
    while not list(tmp_path.iterdir()):
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.1)
    time.sleep(4)  # into the training, where the machine is not slow; what follows holds in any case
    pressed = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, printed = run.communicate(timeout=1200)
    seconds = time.monotonic() - pressed
    assert run.returncode == 1
    assert "Aborted!" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())
    return seconds


def test_ctrl_c_stops_a_training_and_leaves_nothing(tmp_path):
    stopped(tmp_path)


@pytest.mark.timed
def test_ctrl_c_stops_within_two_seconds(tmp_path):
    assert stopped(tmp_path) < 2


@pytest.mark.slow
def test_placebo_puts_its_markets_on_the_sheet_and_report_keeps_them(tmp_path):
    arguments = ["placebo", "-P", "sma", "--markets", "12", "--start", "2014", "--end", "2016", "--out", str(tmp_path)]
    printed = good(*arguments)
    assert "On 12 flipped markets and the real one" in printed
    (folder,) = runs_in(tmp_path)
    found = json.loads((folder / "metrics.json").read_text())["placebo"]
    as_good = sum(value >= found["sharpe"]["real"] for value in found["sharpe"]["null"])
    assert found["sharpe"]["p"] == pytest.approx((1 + as_good) / 13)
    sheet = (folder / "tearsheet.html").read_bytes()
    assert b"on 12 placebo markets" in sheet
    good("report", str(folder))
    assert (folder / "tearsheet.html").read_bytes() == sheet


def test_the_nulls_of_the_command_are_those_there_are():
    from rollcast.backtests.commands.placebo import NULLS
    from rollcast.backtests.placebo import SURROGATES

    assert tuple(SURROGATES) == NULLS


def test_a_folder_is_called_after_the_symbol_and_a_file_after_its_name(tmp_path):
    bars = load_bars("SPY", "2015", "2016")
    bars.rename_axis("Date").to_csv(tmp_path / "my prices.csv")
    for symbol in ("AAPL.1h", str(tmp_path / "my prices.csv")):
        good("backtest", "-P", "sma", "--symbol", symbol, "--out", str(tmp_path / "runs"))
    assert sorted(run.name.split("-", 1)[1] for run in runs_in(tmp_path / "runs")) == ["sma-AAPL.1h", "sma-my prices"]
    recipe = json.loads((runs_in(tmp_path / "runs")[-1] / "recipe.json").read_text())
    assert recipe["data"]["origin"].startswith("file my prices.csv, sha256 ")
