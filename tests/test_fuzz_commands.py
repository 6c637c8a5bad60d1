"""Recipes, config files and command lines changed at random: a message or a run, no traceback, nothing left."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.command import cli

ODD: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        2**63,
        10**400,
        0.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
        "",
        " ",
        "\0",
        "x",
        "ü" * 300,
    ),
    *("2020", "9999", "2019-06", "=1+1", "../..", "/", "-", "--help", "1e999", "nan", "SPY", "no.csv", "@no.txt"),
    *([], [1], {}, {"a": {}}, [[[[]]]], "%s%n", "'", '"', "\n"),
]
odd = st.sampled_from(ODD)
OPTIONS = [
    *("--symbol", "--start", "--end", "--cash", "--leverage", "--commission-bps", "--slippage-bps", "--interest-bps"),
    *(
        "-p",
        "-s",
        "-S",
        "-P",
        "--train",
        "--every",
        "--adjust",
        "--bar",
        "--column",
        "--only",
        "--time-zone",
        "--stamps",
    ),
    *(
        "--snapshot",
        "--universe",
        "--source",
        "--decimal",
        "--prices",
        "--config",
        "--nonsense",
        "--pooled",
        "--overnight",
    ),
]
COMMANDS = ["backtest", "predict", "explain", "data show", "ledger list", "ledger trials", "verify", "report", "list"]
TABLE: dict[str, Any] = {"symbol": "SPY", "start": "2021", "cash": 1e5, "param": {"window": 20}, "adjust": "full"}


@cache
def recipe() -> str:
    """The recipe of a run of half a year."""
    with tempfile.TemporaryDirectory() as folder:
        assert cli("backtest", "-P", "sma", "--start", "2021", "--out", folder).returncode == 0
        (path,) = Path(folder).glob("*/recipe.json")
        return path.read_text()


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with a few of its parts, at any depth, put for odd ones, removed, or put twice."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        part = value
        while isinstance(part, dict) and part:
            key = draw(st.sampled_from(sorted(part)))
            if not isinstance(part[key], dict) or draw(st.booleans()):
                how = draw(st.sampled_from(["put", "put", "remove", "add"]))
                if how == "remove":
                    del part[key]
                else:
                    part[key if how == "put" else f"{key}_"] = draw(odd)
                break
            part = part[key]
    return value


@st.composite
def flipped(draw: st.DrawFn, text: str) -> bytes:
    """The text with some bytes changed, or cut off."""
    content = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(1, len(content)))] if draw(st.booleans()) else content)


def toml(table: dict[str, Any]) -> bytes:
    """A config file of the table; JSON's values are TOML's, but for null and what is within tables."""
    lines = [f"{json.dumps(key)} = {_in_toml(value)}" for key, value in table.items()]
    return "\n".join(lines).encode("utf-8", "replace")


def _in_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_in_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float):
        return repr(value)
    return "''" if value is None else json.dumps(value)


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else str(value)[:5000]


arguments = st.lists(
    st.one_of(odd.map(text_of), st.tuples(st.sampled_from(OPTIONS), odd.map(text_of))), min_size=0, max_size=4
).map(lambda parts: [word for part in parts for word in ([part] if isinstance(part, str) else part)])


def hold(line: list[str], files: dict[str, bytes]) -> int:
    """Runs a command in a folder of these files; its status.

    Asserts that it left a whole run or nothing, and showed no traceback.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, content in files.items():
            (place / name).write_bytes(content)
        done = cli(*line, cwd=place)
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        left = {path.relative_to(place).as_posix() for path in place.rglob("*")} - {*files, "runs"}
        assert not [path for path in left if "unfinished" in path or path.endswith((".part", ".lock"))], left
        if done.returncode:
            assert done.stderr.strip(), line
            assert not list(place.glob("runs/*/")), (line, left)
        return done.returncode


@pytest.mark.slow
@settings(max_examples=5)  # a whole backtest each, where the change is harmless
@given(st.data())
def test_no_changed_recipe_has_a_traceback(data):
    original = recipe()
    content = data.draw(
        st.one_of(changed(json.loads(original)).map(lambda v: json.dumps(v).encode()), flipped(original))
    )
    hold(["backtest", "--config", "recipe.json"], {"recipe.json": content})


@pytest.mark.slow
@settings(max_examples=10)
@given(st.one_of(changed(TABLE).map(toml), flipped(toml(TABLE).decode())))
def test_no_changed_config_has_a_traceback(content):
    hold(["backtest", "-P", "sma", "--config", "config.toml"], {"config.toml": content})


@pytest.mark.slow
@settings(max_examples=40)
@given(st.sampled_from(COMMANDS), arguments)
@example("backtest", ["-P", "sma", "--start", "2020", "--cash", "1e308"])
def test_no_command_line_has_a_traceback(command, more):
    lead = ["-P", "sma", "--start", "2021"] if command in ("backtest", "explain") else []
    hold([*command.split(), *lead, *more], {})
