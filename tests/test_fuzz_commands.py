"""Recipes, config files and command lines changed at random: a message or a run, no traceback, nothing left."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import load_bars
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
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        runs = set(place.glob("runs/*/"))
        done = cli(*line, cwd=place)
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        left = {path.relative_to(place).as_posix() for path in place.rglob("*")} - {*files, "runs"}
        assert not [path for path in left if "unfinished" in path or path.endswith((".part", ".lock"))], left
        if done.returncode:
            assert done.stderr.strip() or line[:2] == ["data", "check"], line
            assert set(place.glob("runs/*/")) == runs, (line, left)
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


# Command lines that are right, on a file of prices and a run that lie in their folder.
RIGHT = [
    *("predict -P sma --symbol FILE", "predict -P ema -p alpha=0.1 --symbol FILE", "predict -P kalman --symbol FILE"),
    "predict -P ols-features --train 60 --every 30 --symbol FILE -S long_short",
    "backtest -P sma --symbol FILE --commission-bps 2 --cash 5000",
    "backtest -P naive -S long_short --symbol FILE --leverage 2 --fractional --slippage-bps 3",
    "backtest -P sma -p window=10 -S proportional --symbol FILE --start 2021-03-01 --end 2021-07",
    *("data show FILE", "data show FILE --bar 1wk", "data show FILE --adjust none", "data show FILE --repair --json"),
    *("data check FILE", "data check FILE --json", "data list", "data show SPY --adjust asof", "ledger list --json"),
    *("verify RUN", "report RUN", "ledger list", "ledger trials 1", "ledger export all.csv", "list", "list --json"),
    *("ledger show 1", "explain -P sma --symbol FILE", "predict --config config.toml", "predict --config recipe.json"),
]
NUMBERS = ["0", "-1", "1", "2", "0.5", "1e-300", "1e15", "1e308", "-0.0", "nan", "999999999999", "10", "9999", "1e400"]
MORE = [
    *("--decimal .", "--decimal ,", "--stamps start", "--stamps close", "--prices adjusted", "--prices as-traded"),
    *("--time-zone UTC", "--time-zone Asia/Tokyo", "--only SPY", "--column close=open", "--column close=Volume"),
    *(
        "--column volume=1",
        "--date-format %Y-%m-%d",
        "--date-format %d",
        "--fractions 32nds",
        "--repair",
        "--overnight",
    ),
    *("--bar 1wk", "--bar 1mo", "--bar 2h", "--start 2021-06-02", "--end 2021-01-05", "--start 1677", "--json"),
    *("--source bundled", "--source file", "--adjust asof", "-S equal_weight", "-S buy_and_hold", "-p window=2"),
    *("--cash 0.01", "--leverage 1e308", "--leverage 1.5", "--interest-bps 9999", "--loan-bps 9999", "--out other"),
    *("-s exposure=2", "-s exposure=0", "-s exposure=-1", "--train 5", "--every 1", "--since 2021-07", "--pooled"),
]
INSIDE = [b"", b"0", b"-", b"nan", b"1e308", b"-5", b"\xff", b"\0", b"9" * 400, b"\n", b",", b";", b'"', b"2021-13-45"]


def bars() -> str:
    rows = load_bars("SPY", "2021", adjusted=False)
    return rows.to_csv(index_label="Date")


@cache
def run_folder() -> dict[str, bytes]:
    """The files of a run on those bars, and of its ledger, by their path."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("prices.csv").write_text(bars())
        assert cli("backtest", "-P", "sma", "--symbol", "prices.csv", cwd=Path(folder)).returncode == 0
        return {path.as_posix(): path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with one of its cells or bytes changed."""
    cells = re.split(rb"([,\n])", content)
    cells[2 * draw(st.integers(0, (len(cells) - 1) // 2))] = draw(st.sampled_from(INSIDE))
    return b"".join(cells)


@st.composite
def almost_right(draw: st.DrawFn) -> tuple[list[str], dict[str, bytes]]:
    """A right command line with one or two changes: a value, one more option, a byte of a file, a field or a key."""
    line = draw(st.sampled_from(RIGHT)).split()
    files = {"prices.csv": bars().encode(), "config.toml": toml(TABLE | {"predictor": "sma"})}
    run = next(path for path in run_folder() if path.endswith("recipe.json")).rpartition("/")[0]
    if any(word in line for word in ("RUN", "ledger", "recipe.json")):
        files |= run_folder() | {"recipe.json": run_folder()[f"{run}/recipe.json"]}
    line = [{"FILE": "prices.csv", "RUN": run}.get(word, word) for word in line]
    for _ in range(draw(st.integers(1, 2))):
        numbers = [place for place, word in enumerate(line) if re.search(r"(^|=)\d[\d.]*$", word)]
        how = draw(st.sampled_from(["file", "option"] + ["value"] * bool(numbers)))
        if how == "value":
            place = draw(st.sampled_from(numbers))
            line[place] = re.sub(r"\d[\d.]*$", lambda _: draw(st.sampled_from(NUMBERS)), line[place])
        elif how == "option" and line[0] in ("predict", "backtest", "explain"):
            line += draw(st.sampled_from(MORE)).split()
        else:
            name = draw(st.sampled_from(sorted(name for name in files if not name.endswith((".html", ".lock")))))
            if name in ("config.toml", "recipe.json"):
                table = TABLE if name == "config.toml" else json.loads(files[name])
                new = draw(changed(table))
                files[name] = toml(new) if name == "config.toml" else json.dumps(new).encode()
            else:
                files[name] = draw(changed_bytes(files[name]))
    return line, files


@pytest.mark.slow
@settings(max_examples=40)
@given(almost_right())
def test_no_line_that_is_almost_right_has_a_traceback(case):
    line, files = case
    event("a usage error" if hold(line, files) == 2 else "past the parsing of options")
