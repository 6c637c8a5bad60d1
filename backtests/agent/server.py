"""The tools as a server of the Model Context Protocol, by its official SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from ... import __version__
from ..json_values import Values
from .desk import RUNS, Desk, Refused

INSTRUCTIONS = """Backtests of price predictors. Write a predictor or a trading rule as a file in the workspace, `check`
it, then `backtest` it. Every run is examined for look-ahead and recorded: the verdict is of the best of all that were
tried on these prices, so each variant that you try makes the next one harder to believe. Start with `list_plugins`."""
SCORES = ("total_return", "cagr", "volatility", "sharpe", "max_drawdown", "trades", "turnover")


def server(desk: Desk) -> MCPServer:
    """The server, with a tool for each of list, check, backtest, compare, placebo and verdict."""
    app = MCPServer("rollcast", instructions=INSTRUCTIONS, version=__version__)
    for tool in Tools(desk).all():
        app.tool(structured_output=False)(tool)
    return app


class Tools:
    """The tools; each returns JSON text. Their docstrings are what a client reads."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def all(self) -> list:
        """Every tool."""
        return [self.list_plugins, self.check, self.backtest, self.compare, self.placebo, self.verdict]

    def list_plugins(self) -> str:
        """The predictors and strategies there are, with their parameters, and the symbols with prices."""
        plugins = self._command("list")["plugins"]
        symbols = self._command("data", "list")["symbols"]
        return json.dumps({"plugins": plugins, "symbols": symbols})

    def check(self, plugin: str) -> str:
        """Whether a predictor or strategy looks ahead or breaks its contract, a sentence for each check.

        plugin: a name from list_plugins, or a file in the workspace such as idea.py or idea.py:Class.
        """
        try:
            self.desk.inside(plugin.partition(":")[0])
        except Refused as error:
            raise ToolError(str(error)) from None
        return json.dumps(self._command("check", plugin))

    def backtest(
        self,
        predictor: str,
        symbol: str = "SPY",
        strategy: str = "long_flat",
        params: dict[str, str] | None = None,
        strategy_params: dict[str, str] | None = None,
        start: str | None = None,
        end: str | None = None,
        train: int | None = None,
        every: int | None = None,
    ) -> str:
        """One backtest: the verdict in words, its answers, the scores beside buying and holding, and the folder.

        predictor, strategy: a name, or a file in the workspace. symbol: one, several with commas for a portfolio, or a
        file of prices in the workspace. start, end: dates. train, every: bars of a learner's training window, and
        between two refits.
        """
        options = _options(symbol, strategy, params, strategy_params, start, end, train, every)
        return json.dumps(self._run("backtest", predictor, options))

    def compare(
        self, predictors: list[str], symbol: str = "SPY", start: str | None = None, end: str | None = None
    ) -> str:
        """Several predictors on the same bars and dates, each as NAME or NAME,PARAMETER=VALUE: scores and tests."""
        options = _options(symbol, "long_flat", None, None, start, end, None, None)
        words = ["compare", *predictors, *_words(options), "--out", RUNS]
        try:
            return json.dumps(self.desk.run(predictors, options, words))
        except Refused as error:
            raise ToolError(str(error)) from None

    def placebo(
        self,
        predictor: str,
        symbol: str = "SPY",
        params: dict[str, str] | None = None,
        start: str | None = None,
        end: str | None = None,
        markets: int = 19,
    ) -> str:
        """As backtest, and on so many rearrangements of the prices in which there is nothing to find."""
        options = _options(symbol, "long_flat", params, None, start, end, None, None)
        return json.dumps(self._run("placebo", predictor, options, markets))

    def verdict(self, run: str) -> str:
        """The verdict of a run that was made before: its folder, as backtest returned it."""
        try:
            path = self.desk.workspace / self.desk.inside(f"{run}/metrics.json")
            metrics = json.loads(path.read_text(encoding="utf-8"))
            return json.dumps({"folder": run, **_summary(metrics)})
        except Refused as error:
            raise ToolError(str(error)) from None
        except (OSError, ValueError, KeyError, TypeError):
            raise ToolError(f"{run} is not the folder of a run in the workspace") from None

    def _command(self, *words: str) -> Values:
        try:
            return self.desk.command(words)
        except Refused as error:
            raise ToolError(str(error)) from None

    def _run(self, command: str, predictor: str, options: Values, markets: int = 0) -> Values:
        """A run by one predictor, as the summary of what the command prints."""
        words = [command, "--predictor", predictor, *_words(options), "--out", RUNS]
        try:
            if command == "placebo" and markets < 1:
                raise Refused(f"markets must be at least 1; got {markets}")
            done = self.desk.run(
                [predictor], options, [*words, *(["--markets", str(markets)] if markets else [])], markets
            )
        except Refused as error:
            raise ToolError(str(error)) from None
        metrics = done["metrics"]
        more = {"placebo": _short(metrics["placebo"])} if "placebo" in metrics else {}
        return {"folder": Path(done["folder"]).as_posix(), **_summary(metrics), **more}


def _options(
    symbol: str,
    strategy: str,
    params: Mapping[str, str] | None,
    strategy_params: Mapping[str, str] | None,
    start: str | None,
    end: str | None,
    train: int | None,
    every: int | None,
) -> Values:
    """The fields of a `Request`, without those that were left out."""
    given: Values = {"params": params, "strategy_params": strategy_params, "start": start, "end": end}
    given |= {"train": train, "every": every}
    return {"symbol": symbol, "strategy": strategy} | {
        name: value for name, value in given.items() if value is not None
    }


def _words(options: Values) -> list[str]:
    """The same as options of a command; as one word each, so that no value is read as an option."""
    words = []
    for name, value in options.items():
        if isinstance(value, dict):
            flag = {"params": "--param", "strategy_params": "--strategy-param"}[name]
            words += [f"{flag}={key}={text}" for key, text in value.items()]
        else:
            words.append(f"--{name}={value}")
    return words


def _short(placebo: Values) -> Values:
    """The scores with their p-values, without those of every market."""
    return {
        name: {k: v for k, v in one.items() if k != "null"} if isinstance(one, dict) else one
        for name, one in placebo.items()
    }


def _summary(metrics: Values) -> Values:
    """What a judge says first: the sentence, the answers, a few scores, and how many trials were counted."""
    return {
        "conclusion": metrics["conclusion"],
        "verdict": [{key: entry[key] for key in ("question", "answer", "sentence")} for entry in metrics["verdict"]],
        "scores": {who: {name: metrics[who].get(name) for name in SCORES} for who in ("strategy", "benchmark")},
        "trials": metrics["luck"]["trials"],
    }
