"""`rollcast mcp`: an assistant's calls are anybody's runs, within limits of cost and inside one folder."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from rollcast import OLSFeatures, WalkForward
from rollcast.backtests.agent.cost import cost
from rollcast.backtests.agent.desk import Desk, Limits, Refused
from rollcast.backtests.ledger.book import Book
from tests.command import cli

ROOT = Path(__file__).parent.parent
LEAK = """
from dataclasses import dataclass
from rollcast import Predictor

@dataclass(frozen=True)
class Tomorrow(Predictor):
    "The next return itself."
    def predict(self, bars):
        return bars["close"].pct_change().shift(-1).fillna(0.0)
"""
SLEEPER = LEAK.replace("Tomorrow", "Sleeper").replace(
    "return bars", "import time; time.sleep(600)\n        return bars"
)
SHORT = {"symbol": "SPY", "start": "2018"}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "workspace"
    folder.mkdir()
    (tmp_path / "secret.py").write_text(LEAK, encoding="utf-8")
    (folder / "idea.py").write_text(LEAK, encoding="utf-8")
    (folder / "link.py").symlink_to(tmp_path / "secret.py")
    return folder


@pytest.mark.parametrize(
    "name", ["../secret.py", "link.py", "{outside}/secret.py", "~/secret.py", "/etc/passwd", "--out=x", "a/../../b"]
)
def test_a_name_outside_the_workspace_is_refused(workspace, name):
    with pytest.raises(Refused, match="outside the workspace"):
        Desk(workspace).inside(name.format(outside=workspace.parent))


@pytest.mark.parametrize("symbol", ["../prices.csv", "SPY,/etc/passwd", "@../names.txt", "@/etc/passwd"])
def test_a_file_of_prices_or_of_symbols_outside_the_workspace_is_refused(workspace, symbol):
    with pytest.raises(Refused, match="outside the workspace"):
        Desk(workspace).symbol(symbol)


def test_names_inside_it_are_taken(workspace):
    desk = Desk(workspace)
    assert [desk.inside(name) for name in ("idea.py", "sma", "runs/../idea.py")] == [
        "idea.py",
        "sma",
        "runs/../idea.py",
    ]
    assert desk.symbol("AAPL,MSFT") == "AAPL,MSFT"


def test_the_cost_is_the_bars_and_the_refits_that_a_run_makes(spy):
    bars = spy["2010":]
    windows = len(WalkForward(OLSFeatures(), train=500, every=5).windows(bars))
    options = {"symbol": "SPY", "start": "2010", "train": 500, "every": 5}
    assert cost(["ols-features"], options, 3) == {"bars": 3 * len(bars), "windows": 3 * windows}
    both = cost(["ols-features", "sma"], options, 1)
    assert both == {"bars": 2 * len(bars), "windows": windows}


def test_without_the_sdk_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "rollcast.backtests.agent.server", raising=False)
    done = cli("mcp")
    assert done.returncode == 1
    assert done.stderr == "Error: the package mcp is not installed; pip install 'rollcast[mcp]'\n"


def call(target, name: str, **arguments: object):
    """What a tool answers to the SDK's own client: its JSON, or the text of its error."""
    from mcp import Client

    async def talk():
        async with Client(target) as client:
            done = await client.call_tool(name, arguments)
            text = done.content[0].text
            return text if done.is_error else json.loads(text)

    return asyncio.run(talk())


@pytest.fixture
def tools(workspace):
    pytest.importorskip("mcp")
    from rollcast.backtests.agent.server import server

    return lambda name, limits=None, **arguments: call(server(Desk(workspace, limits or Limits())), name, **arguments)


@pytest.mark.slow
def test_a_backtest_is_judged_and_counted_as_that_of_a_person(tools, workspace, monkeypatch):
    monkeypatch.setenv("ROLLCAST_LEDGER", str(workspace / "index.sqlite"))
    first = tools("backtest", predictor="sma", params={"window": "20"}, **SHORT)
    second = tools("backtest", predictor="sma", params={"window": "30"}, **SHORT)
    assert (first["trials"], second["trials"]) == (1, 2)
    done = cli(
        "backtest", "-P", "sma", "-p", "window=40", "--start", "2018", "--json", "--out", str(workspace / "runs")
    )
    assert json.loads(done.stdout)["metrics"]["luck"]["trials"] == 3
    again = tools("verdict", run=second["folder"])
    assert again == second
    assert {"question", "answer", "sentence"} == set(again["verdict"][0])
    assert Book.of(workspace / "runs")


@pytest.mark.slow
def test_what_looks_ahead_is_found_by_check_and_refused_by_backtest(tools):
    assert tools("check", plugin="idea.py")["passed"] is False
    assert "look" in tools("backtest", predictor="idea.py", **SHORT)


@pytest.mark.slow
def test_compare_and_placebo_answer(tools):
    found = tools("compare", predictors=["sma,window=20", "ema"], **SHORT)
    assert [entrant["name"] for entrant in found["entrants"]] == ["sma,window=20", "ema"]
    found = tools("placebo", predictor="sma", markets=3, **SHORT)
    assert found["placebo"]["markets"] == 3


@pytest.mark.slow
def test_what_costs_too_much_is_refused_before_it_is_run(tools, workspace):
    text = tools("backtest", Limits(windows=10), predictor="ols-features", **SHORT, train=200)
    assert "windows, and the limit is 10; ask for a larger `every`" in text
    text = tools("placebo", Limits(bars=10_000), predictor="sma", markets=19, **SHORT)
    assert "bars, and the limit is 10,000" in text
    assert not (workspace / "runs").exists()


@pytest.mark.slow
def test_a_call_that_takes_too_long_is_ended(tools, workspace):
    (workspace / "sleeper.py").write_text(SLEEPER, encoding="utf-8")
    text = tools("backtest", Limits(seconds=8), predictor="sleeper.py", **SHORT)
    assert "longer than 8 seconds and was ended" in text
    assert not list(workspace.glob("runs/2*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("backtest", {"predictor": "../secret.py"}),
        ("backtest", {"predictor": "sma", "strategy": "../secret.py"}),
        ("backtest", {"predictor": "sma", "symbol": "../prices.csv"}),
        ("compare", {"predictors": ["sma", "../secret.py"]}),
        ("check", {"plugin": "../secret.py:Tomorrow"}),
        ("verdict", {"run": ".."}),
    ],
)
def test_no_tool_reads_outside_the_workspace(tools, name, arguments):
    assert "outside the workspace" in tools(name, **arguments)


def agrees(shown: object, answer: object) -> bool:
    """Whether an answer holds what the page shows of it."""
    if isinstance(shown, dict):
        return isinstance(answer, dict) and all(agrees(value, answer.get(name)) for name, value in shown.items())
    return shown == answer


@pytest.mark.slow
def test_the_transcript_of_the_page_is_what_the_tools_answer(tools, workspace, monkeypatch):
    monkeypatch.setenv("ROLLCAST_LEDGER", str(workspace / "index.sqlite"))
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page, re.DOTALL):
        (workspace / name).write_text(text, encoding="utf-8")
    calls = re.findall(r"^→ (\w+) (.*)\n← (.*)$", page, re.MULTILINE)
    assert len(calls) == 7
    for name, arguments, shown in calls:
        answer = tools(name, **json.loads(arguments))
        assert agrees(json.loads(shown), answer) if shown.startswith("{") else shown in answer, answer


@pytest.mark.slow
def test_over_standard_input_and_output_the_command_lists_its_tools(workspace):
    pytest.importorskip("mcp")
    from mcp import Client, StdioServerParameters

    async def talk():
        command = ["-m", "rollcast", "mcp", "--workspace", str(workspace)]
        async with Client(StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))) as client:
            return [tool.name for tool in (await client.list_tools()).tools], await client.call_tool("list_plugins", {})

    names, plugins = asyncio.run(talk())
    assert names == ["list_plugins", "check", "backtest", "compare", "placebo", "verdict"]
    listed = {plugin["name"] for plugin in json.loads(plugins.content[0].text)["plugins"]}
    assert {"sma", "lstm", "long_flat", "top_k"} <= listed
