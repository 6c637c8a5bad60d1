"""A figure that stands in two places is the same number: on terminal and page, in JSON and in CSV."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from rollcast.backtests.commands.output import print_result
from rollcast.backtests.json_values import plain
from rollcast.backtests.sheet.headline import FIGURES, headline

KINDS = ("winning", "losing", "flat", "hourly", "lstm", "ten bars")
NUMBER = r"([−∞–]?[\d,]*\.?\d*)"
# What stands before a number on the page → the value that it must be, in the unit that is printed.
PLACES = {
    rf"Total return {NUMBER} % holding": lambda m: 100 * m["strategy"]["total_return"],
    rf"(?:deepest|Maximum) drawdown {NUMBER} %": lambda m: 100 * m["strategy"]["max_drawdown"],
    rf"a position at {NUMBER} % of the closes": lambda m: 100 * m["strategy"]["time_in_market"],
    rf"Exposure {NUMBER} % closes with": lambda m: 100 * m["strategy"]["time_in_market"],
    rf"CAGR {NUMBER} % (?:holding|−|\d)": lambda m: 100 * m["strategy"]["cagr"],
    rf"Volatility {NUMBER} % holding": lambda m: 100 * m["strategy"]["volatility"],
    rf"Sharpe ratio {NUMBER}(?: holding: |, with its| against)": lambda m: m["strategy"]["sharpe"],
    rf"Sharpe ratio [−\d.]+ holding: {NUMBER}": lambda m: m["benchmark"]["sharpe"],
    rf"After costs {NUMBER} %": lambda m: 100 * m["strategy"]["cagr"],
    rf"After costs [−\d.]+ % {NUMBER}": lambda m: m["strategy"]["sharpe"],
    rf"turnover {NUMBER} × a year": lambda m: m["strategy"]["turnover"],
    rf"Turnover a year {NUMBER} ×": lambda m: m["strategy"]["turnover"],
    rf"{NUMBER} round trip": lambda m: m["strategy"]["trades"],
    rf"Round trips {NUMBER} ": lambda m: m["strategy"]["trades"],
    rf"Correlation with the next return {NUMBER},": lambda m: m["forecast"]["ic"],
    rf"R² {NUMBER} %, sign": lambda m: 100 * m["forecast"]["r2"],
    rf"sign right in {NUMBER} %": lambda m: 100 * m["forecast"]["hit_rate"],
    rf"Equity at the last close {NUMBER}": lambda m: m["account"]["end"],
    rf"Cash at the start {NUMBER}": lambda m: m["account"]["start"],
}


def words_of(page: Path) -> str:
    """The text of a page, in one line, without its scripts and drawings."""
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"[\s\u202f]+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def equal(text: str, value: float | None) -> bool:
    """Whether a printed number is this one, rounded."""
    if value is None or value != value:
        return text == "–"
    digits = len(text.partition(".")[2])
    return abs(float(text.replace(",", "").replace("−", "-")) - value) <= 0.5000001 * 10.0**-digits


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_on_the_page_has_the_number_of_the_metrics(sheet, result_of, kind: str) -> None:
    words, metrics = words_of(sheet(kind)), result_of(kind).metrics
    found = 0
    for place, value in PLACES.items():
        for text in re.findall(place, words):
            if text:
                assert equal(text, value(metrics)), (place, text, value(metrics))
                found += 1
    assert found >= (10 if kind == "ten bars" else 20)


@pytest.mark.parametrize("kind", KINDS)
def test_terminal_and_tiles_say_the_same(sheet, result_of, kind: str, capsys) -> None:
    result = result_of(kind)
    counted = {"trials": {"notes": []}, "luck": {"trials": 1} | result.metrics["luck"]}
    print_result(type(result)(**{**vars_of(result), "metrics": {**result.metrics, **counted}}))
    lines, words = capsys.readouterr().out.splitlines(), words_of(sheet(kind))
    for figure, ours, held in headline(result.metrics, len(result.returns)):
        (line,) = (line for line in lines if line.startswith(f"{figure.name:<18}"))
        plain_ours, plain_held = (text.replace("\u202f", " ") for text in (ours, held))
        assert re.split(r"  +", line.strip()) == [figure.name, plain_ours, plain_held]
        assert f"{figure.name} {plain_ours}" in words
    assert len(FIGURES) == 9


def vars_of(result) -> dict:
    return {name: getattr(result, name) for name in result.__dataclass_fields__}


@pytest.mark.parametrize("kind", KINDS)
def test_files_say_what_the_page_is_drawn_from(result_of, kind: str, tmp_path: Path) -> None:
    result = result_of(kind)
    result.save(tmp_path)
    saved = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert saved == json.loads(json.dumps(plain(result.metrics)))
    trades, equity = pd.read_csv(tmp_path / "trades.csv"), pd.read_parquet(tmp_path / "equity.parquet")["equity"]
    scores, account = saved["strategy"], saved["account"]
    assert len(trades) == scores["trades"]
    assert scores["total_return"] == pytest.approx(equity.iloc[-1] / equity.iloc[0] - 1)
    assert scores["max_drawdown"] == pytest.approx((equity / equity.cummax() - 1).min())
    carry = account["interest"] - account["borrow"] - account.get("loan", 0.0)
    assert account["start"] + trades["pnl"].sum() + carry == pytest.approx(account["end"], abs=0.01)
    assert account["end"] == pytest.approx(equity.iloc[-1], abs=0.01)
