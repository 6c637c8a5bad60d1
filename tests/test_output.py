"""What commands print: the verdict first for people, one object with --json, a path with --quiet, colour on demand."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rollcast import LongFlat, Request, run
from rollcast.backtests.sheet.report import draw_performance
from rollcast.backtests.sheet.second_process import second_process
from rollcast.backtests.workspace.workspace import backtest
from tests.command import ROOT, cli

SHORT = ("backtest", "-P", "sma", "-p", "window=20", "--start", "2018-01-01")


def printed(*arguments: str) -> str:
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_verdict_stands_before_the_table_and_the_table_before_the_page(tmp_path):
    lines = printed(*SHORT, "--out", str(tmp_path)).splitlines()
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    metrics = json.loads((folder / "metrics.json").read_text())
    text = " ".join(" ".join(lines).split())
    order = [text.index(typeset(metrics["conclusion"]))]
    for entry in metrics["verdict"]:
        order.append(text.index(f"{entry['answer']} {entry['question']}"))
        reason = typeset(entry["sentence"].split(". ")[0])
        assert (reason in text) == (entry["answer"] != "yes"), "why, where the answer is not yes"
    order += [text.index("buy & hold"), text.index("Tear sheet:")]
    assert order == sorted(order)
    assert max(map(len, lines[:-1])) <= 80
    assert "nan" not in text
    assert not re.search(r"\d%", text), "one form of a percentage in table and verdict"


def typeset(sentence: str) -> str:
    """A sentence as the terminal has it: 10.4% is 10.4 %, and a minus is a minus."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", re.sub(r"(?<=\d)%", " %", sentence))


def test_an_account_that_never_traded_has_dashes_where_nothing_is_defined(tmp_path):
    text = printed("backtest", "-P", "naive", "--start", "2019", "--out", str(tmp_path))
    assert "nan" not in text
    (sharpe,) = (line.removeprefix("Sharpe ratio").split() for line in text.splitlines() if line.startswith("Sharpe"))
    assert sharpe[0] == "–"


def test_json_is_one_object_with_the_files_of_the_run(tmp_path):
    values = json.loads(printed(*SHORT, "--out", str(tmp_path), "--json"))
    folder = Path(values["folder"])
    assert values["metrics"] == json.loads((folder / "metrics.json").read_text())
    assert values["recipe"] == json.loads((folder / "recipe.json").read_text())
    assert Path(values["page"]).is_file()
    again = json.loads(printed("verify", values["folder"], "--json"))
    assert again["identical"]
    assert {part["name"] for part in again["parts"]} >= {"forecasts", "orders", "equity"}
    assert json.loads(printed("report", values["folder"], "--json"))["page"] == values["page"]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("list",), "plugins"),
        (("data", "list"), "symbols"),
        (("data", "show", "SPY"), "bars"),
        (("data", "check", "SPY"), "doubts"),
    ],
)
def test_every_listing_is_one_object_too(arguments, key):
    assert key in json.loads(printed(*arguments, "--json"))


def test_comparisons_and_sweeps_are_one_object_too(tmp_path):
    years = ("--start", "2018-01-01", "--out", str(tmp_path), "--json")
    compared = json.loads(printed("compare", "sma,window=20", "ema", *years))
    assert [entrant["name"] for entrant in compared["entrants"]] == ["sma,window=20", "ema"]
    assert Path(compared["page"]).is_file()
    (swept,) = json.loads(printed("sweep", "-P", "sma", "-p", "window=10|20", *years))["sweeps"]
    assert [point["p.window"] for point in swept["points"]] == ["10", "20"]
    assert Path(swept["page"]).is_file()


def test_quiet_prints_the_page_and_nothing_else(tmp_path):
    done = cli(*SHORT, "--out", str(tmp_path), "--quiet")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert done.stdout == f"{folder / 'tearsheet.html'}\n"
    assert done.stderr == ""


def test_a_bare_backtest_says_what_to_type():
    done = cli("backtest")
    assert done.returncode == 2
    assert "backtest --predictor sma" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(tmp_path, no_color, coloured):
    """In a terminal of its own, which the standard library's `script`-like module `pty` makes."""
    code = (
        f"import pty, sys; sys.exit(pty.spawn([sys.executable, 'cli.py', *{[*SHORT, '--out', str(tmp_path)]!r}]) >> 8)"
    )
    environment = {**os.environ, "NO_COLOR": no_color}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, timeout=600)
    assert done.returncode == 0
    assert (b"\x1b[3" in done.stdout) == coloured


# --- the second process that draws ---


def test_the_second_process_draws_the_same_page_to_the_last_byte(tmp_path):
    request = Request("sma", start="2018")
    result = request.run()
    here = draw_performance(result)()
    with second_process() as draw:
        there = draw_performance(result, draw)()
    assert pickle.dumps(here) == pickle.dumps(there)


def test_what_the_drawing_raises_is_raised_and_a_second_process_that_ended_is_no_loss(spy):
    result = run(spy.loc["2020":], Request("sma").model(), LongFlat)
    broken = result.returns.copy()
    broken.iloc[5] = -1.0
    words = {"strategy_name": "a", "benchmark_name": "b", "periods_per_year": 252}
    with second_process() as draw:
        with pytest.raises(ValueError, match="leaves no equity"):
            draw(broken, result.benchmark_returns, **words)()
        draw.args[0].kill()
        draw.args[0].wait()
        assert draw(result.returns, result.benchmark_returns, **words)().strategy == "a"


def test_the_verdict_is_told_before_the_page_is_there(tmp_path):
    pages = []
    backtest(Request("sma", start="2018"), tmp_path, tell=lambda result: pages.append(list(tmp_path.glob("*/*.html"))))
    assert pages == [[]]
    assert len(list(tmp_path.glob("*/*.html"))) == 1
