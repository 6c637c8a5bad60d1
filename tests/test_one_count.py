"""The number of trials is one number: on the terminal, the sheet, the page of a sweep, that of a comparison."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollcast.backtests.commands.main import main
from rollcast.backtests.ledger.book import HOME

BARS = ("--start", "2015", "--end", "2017")


def printed(*words: str) -> str:
    outcome = CliRunner().invoke(main, words, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return re.sub(r"\x1b\[[0-9;]*m", "", outcome.output)


def numbers(pattern: str, text: str) -> set[int]:
    return {int(found.replace(",", "")) for found in re.findall(pattern, text)}


def counts_of(run: Path) -> set[int]:
    """Every count of trials in the files of a run."""
    sheet = re.sub(r"\s+", " ", (run / "tearsheet.html").read_text(encoding="utf-8"))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    said = numbers(r"the best of ([\d,]+) variants without skill", sheet)
    tile = numbers(r"<dt>Trials counted</dt><dd>([\d,]+)</dd>", sheet)
    title = numbers(r"The ([\d,]+) trials that were counted", sheet)
    rows = len(re.findall(r"<tr>", sheet[sheet.index('<details id="trials">') :].partition("</details>")[0])) - 1
    assert said
    assert tile
    assert title
    return said | tile | title | {metrics["luck"]["trials"], len(metrics["trials"]["listed"]), rows}


@pytest.mark.slow
def test_terminal_sheet_sweep_comparison_and_ledger_say_the_same_number(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    first, second = (("--out", str(tmp_path / name)) for name in "ab")
    terminal = r"Trials on this market and these dates: ([\d,]+), this one included"

    printed("backtest", "-P", "ema", *BARS, *first)
    swept = printed("sweep", "-P", "sma", "-p", "window=10:50:10", "--no-nested", *BARS, *second)
    winner = Path(re.search(r"Winner in backtrader: .*: (.+)", swept)[1].strip())
    page = next((tmp_path / "b").glob("sweep-*/sweep.html")).read_text(encoding="utf-8")
    assert numbers(terminal, swept) == numbers(r"the best of ([\d,]+) shows as much", page) == counts_of(winner) == {6}
    (deflated,) = re.findall(r"deflated Sharpe ([\d.]+)%", swept)
    (shown,) = re.findall(r"deflated Sharpe ([\d.]+)", page)
    assert float(shown) == pytest.approx(float(deflated) / 100, abs=0.00051)

    compared = printed("compare", "sma,window=15", "kalman", *BARS, *second)
    page = next((tmp_path / "b").glob("*compare*/comparison.html")).read_text(encoding="utf-8")
    assert numbers(terminal, compared) == numbers(r"the best of ([\d,]+) trials", page) == {8}
    runs = [run for run in (tmp_path / "b").glob("*-SPY") if (run / "tearsheet.html").exists()]
    assert [counts_of(run) for run in runs if run != winner and "compare" not in run.name] == [{8}, {8}]

    run = printed("backtest", "-P", "ols", *BARS, *first)
    (ols,) = (tmp_path / "a").glob("*-ols-SPY")
    assert numbers(terminal, run) == counts_of(ols) == {9}
    listed = printed("ledger", "list", *first)
    assert numbers(r"Trials on the market and dates of run 2: ([\d,]+)", listed) == {9}
    trials = printed("ledger", "trials", "2", *first)
    assert numbers(r"Trials: ([\d,]+),", trials) == {9}
    assert len(re.findall(rf"{re.escape(str(tmp_path))}/[ab]$", trials, re.MULTILINE)) == 9
