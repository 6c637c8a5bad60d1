"""The sheet of a run: one for every built-in predictor, headed by what was run, with a section for all there is."""

import ast
import importlib
import inspect
import itertools
import re
from dataclasses import fields, replace

import pytest

from rollcast import Learner, WalkForward, load, load_bars, run, write_report
from rollcast.backtests.evidence.evidence import with_evidence
from rollcast.backtests.sheet.page import HERE
from rollcast.backtests.sheet.performance import FIGURES
from rollcast.backtests.sheet.recipe import facts
from rollcast.backtests.sheet.report import SECTIONS, context
from rollcast.predictors import BUILT_IN
from rollcast.strategies.long_flat import LongFlat

QUICK = ("kalman-mle",)


def small(name):
    """The predictor of this name; a learner refitted rarely, a net for few epochs."""
    model = load(name)
    if not isinstance(model, Learner):
        return model
    quick = {"epochs": 2, "seeds": 2, "hidden": 4}
    names = {f.name for f in fields(model)}
    return WalkForward(load(name, **{k: v for k, v in quick.items() if k in names}), train=300, every=63)


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in sorted(BUILT_IN)]
)
def test_every_built_in_predictor_gets_a_whole_sheet(name, tmp_path):
    result = with_evidence(run(load_bars("SPY", "2019-06-01"), small(name), LongFlat, symbol="SPY"), LongFlat)
    write_report(result, tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    learner = isinstance(load(name), Learner)
    left_out = {"across", "own"} | ({"training"} if not learner else set())
    assert re.findall(r'<section id="([^"]+)"', page) == [s for s in SECTIONS if s not in left_out]
    assert page.count('<div role="img"') == len(FIGURES)
    assert result.recipe["look_ahead"]["passed"]


@pytest.mark.parametrize("kind", ["ten bars", "hostile"])
def test_the_same_result_writes_the_same_page_but_for_the_stamp(result_of, sheet, kind, tmp_path):
    result = result_of(kind)
    again = result.with_recipe(created="2001-01-01T00:00:00+00:00", seconds=12345.0)
    write_report(again, tmp_path / "again.html")
    stamp = r'<p id="stamp">.*?</p>'
    first, second = sheet(kind).read_text(encoding="utf-8"), (tmp_path / "again.html").read_text(encoding="utf-8")
    assert re.findall(stamp, second) == ['<p id="stamp">Made 2001-01-01T00:00:00+00:00, forecasts in 12,345.0 s</p>']
    assert re.sub(stamp, "", first) == re.sub(stamp, "", second)


def test_sections_without_evidence_are_left_out_and_the_rest_stands(bare, tmp_path):
    write_report(bare, tmp_path / "bare.html")
    page = (tmp_path / "bare.html").read_text(encoding="utf-8")
    left = ["performance", "price", "skill", "costs", "quantstats", "recipe"]
    assert re.findall(r'<section id="([^"]+)"', page) == left
    assert re.findall(r'<li><a href="#([^"]+)"', page) == left
    assert "copies the last close" not in page


def test_the_verdict_heads_the_page_and_each_line_leads_to_its_numbers(sheet, result_of):
    page = sheet("winning").read_text(encoding="utf-8")
    entries = result_of("winning").metrics["verdict"]
    lines = re.findall(r'<b class="(\w+)">(\w+)\.</b></h3></summary>\s*<p>.*? <a href="#(\w+)"', page)
    assert [(e["answer"], e["answer"].capitalize(), e["section"]) for e in entries] == lines
    assert page.index('id="verdict"') < page.index('class="tiles"') < page.index('id="performance"')


def test_fewer_than_60_bars_are_said_to_be_noise(result_of, sheet):
    page = sheet("ten bars").read_text(encoding="utf-8")
    assert "Fewer than 60 bars: annualised figures are noise" in page
    assert [tile.name for tile in context(result_of("ten bars"))["tiles"]] == [
        "Total return",
        "Maximum drawdown",
        "Cost a year",
    ]
    assert "annualised figures are noise" not in sheet("winning").read_text(encoding="utf-8")


def test_a_leak_is_named_in_red_above_everything(result_of, tmp_path):
    leak = {"passed": False, "probes": 9, "finding": "the forecast at 2018-01-02 looked <1> bar ahead"}
    result = result_of("ten bars")
    write_report(replace(result, recipe={**result.recipe, "look_ahead": leak}), tmp_path / "leak.html")
    page = (tmp_path / "leak.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    alarm = (
        '<p class="alarm" role="alert" dir="auto">This predictor looks ahead: the forecast at 2018-01-02 looked &lt;1'
    )
    assert body.index(alarm) < body.index("<h1")
    assert ".alarm{background:#b00020;color:#fff" in page


def test_the_recipe_says_what_was_run_its_costs_and_its_trades(result_of):
    result = result_of("lstm")
    rows = facts(result)
    scores, window = result.metrics["strategy"], result.recipe["evaluation"]
    assert rows["Predictor"].startswith("LSTM(lookback=20, ")
    assert rows["Predictor"].endswith("refitted every 63 bars on the last 500")
    evaluated = f"{window['bars']:,} bars from {window['first']:%Y-%m-%d}, the first forecast"
    assert rows["Evaluated"] == f"{evaluated}; the 499 before it are not counted"
    assert rows["Trades"] == f"{scores['trades']:,} round trips, {scores['orders']:,} orders filled, none refused"
    assert "commission 1 bp and slippage 1 bp each way" in rows["Costs"]
    assert rows["Look-ahead"].startswith("none found")
    data = {"origin": "file x.csv", "statements": ("decimal comma", "UTC"), "findings": ("idle bars",), "repairs": ()}
    sentences = {"Data": "file x.csv", "Read as": "decimal comma; UTC", "Doubtful": "idle bars"}
    assert facts(result.with_recipe(data=data)) == {**rows, **sentences}
    data = {"origin": "given", "missing": ["open"], "cautions": ["there are no opens"], "adjusted": "for splits"}
    said = facts(result.with_recipe(data=data))
    assert said["Fills"] == "decided at the close, sized and filled at the next close"
    assert (said["Mind"], said["Prices adjusted"]) == ("there are no opens", "for splits")


def test_the_page_can_be_read_by_its_structure(sheet):
    page = sheet("lstm").read_text(encoding="utf-8")
    body = re.sub(r"<script.*?</script>", "", page[page.index("<body") :], flags=re.DOTALL)
    levels = [int(level) for level in re.findall(r"<h(\d)\b", body)]
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    ids = re.findall(r'\sid="([^"]+)"', body)
    assert len(ids) == len(set(ids))
    named = {i for value in re.findall(r'aria-labelledby="([^"]+)"', body) for i in value.split()}
    assert named <= set(ids)
    for region in re.findall(r"<div[^>]*tabindex[^>]*>", body):
        assert "aria-label=" in region


def test_the_evaluation_window_starts_at_the_first_forecast_with_all_of_the_cash():
    bars = load_bars("SPY", "2018-01-01")
    result = run(bars, small("ols-features"), LongFlat, symbol="SPY")
    assert result.equity.index[0] == bars.index[299]
    assert result.equity.iloc[0] == 100_000
    assert result.returns.iloc[0] == result.benchmark_returns.iloc[0] == 0.0
    assert result.returns.index.equals(result.benchmark_returns.index)


@pytest.mark.parametrize("file", sorted(HERE.glob("*.py")), ids=lambda file: file.stem)
def test_a_page_imports_of_what_runs_nothing_but_the_types_of_its_results(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and re.match(
            r"rollcast\.backtests\.(sweep|placebo|comparison)", node.module
        ):
            module = importlib.import_module(node.module)
            assert all(inspect.isclass(getattr(module, alias.name)) for alias in node.names)
