"""Damage is noticed: a flipped bit anywhere is one line with the file's name, or what it hit is made again and said."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rollcast import Result, WalkForward, load, load_bars
from rollcast.backtests.cluster import journal
from rollcast.backtests.cluster.task import ChunkResult
from rollcast.backtests.data import bundled as bundle
from rollcast.backtests.data import store as prices
from rollcast.backtests.digests import MANIFEST, replace_sealed, seal
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sweep.forecast_cache import CachedForecast, ForecastCache
from rollcast.backtests.sweep.store import Store
from rollcast.backtests.workspace.workspace import backtest
from tests.command import cli

PLAIN = Request("sma", start="2019", end="2020")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return backtest(PLAIN, tmp_path_factory.mktemp("workspace"))[1]


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / run.name))


def flip(path: Path, number: random.Random) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    content[number.randrange(len(content))] ^= 1 << number.randrange(8)
    path.write_bytes(content)


def test_every_file_of_a_run_is_in_its_manifest(run):
    listed = [line.split("  ")[1] for line in (run / MANIFEST).read_text().splitlines()]
    assert listed == sorted({path.name for path in run.iterdir()} - {MANIFEST})


def edit(name: str) -> Callable[[Path], None]:
    """An edit by hand that leaves a file readable."""

    def metrics(folder: Path) -> None:
        text = (folder / "metrics.json").read_text()
        (folder / "metrics.json").write_text(text.replace('"sharpe": ', '"sharpe": 1', 1))

    def trades(folder: Path) -> None:
        lines = (folder / "trades.csv").read_text().splitlines(keepends=True)
        (folder / "trades.csv").write_text("".join(lines[: len(lines) // 2]))

    def table(folder: Path) -> None:
        frame = pd.read_parquet(folder / name)
        frame.iloc[len(frame) // 2, 0] *= 1.01
        frame.to_parquet(folder / name)

    return {"metrics.json": metrics, "trades.csv": trades}.get(name, table)


@pytest.mark.parametrize("command", ["report", "verify"])
@pytest.mark.parametrize("name", ["bars.parquet", "equity.parquet", "metrics.json", "trades.csv"])
def test_report_and_verify_refuse_a_run_with_a_changed_file_in_one_line(command, name, copy):
    edit(name)(copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    done = cli(command, str(copy))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"Error: {copy / name} is not what was written, as {MANIFEST} has it. "
        "Take it from a copy, or make the run again"
    ]
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_a_file_that_is_gone_or_was_put_there_or_is_a_link_is_named(copy, tmp_path):
    orders = (copy / "orders.csv").read_bytes()
    (copy / "orders.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"orders\.csv is gone, and SHA256SUMS has it"):
        Result.load(copy)
    (tmp_path / "elsewhere.csv").write_bytes(orders)
    (copy / "orders.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(ValueError, match=r"orders\.csv is a link, and nothing outside the folder is read through it"):
        Result.load(copy)
    (copy / "orders.csv").unlink()
    (copy / "orders.csv").write_bytes(orders)
    shutil.copy(copy / "bars.parquet", copy / "training.parquet")
    with pytest.raises(ValueError, match=r"training\.parquet was not written with the others"):
        Result.load(copy)
    (copy / "training.parquet").unlink()
    (copy / "notes.md").write_text("mine")
    assert Result.load(copy).recipe["symbol"] == "SPY"


def test_a_manifest_that_points_elsewhere_is_damaged(copy):
    lines = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(lines + "0" * 64 + "  ../secret\n")
    with pytest.raises(ValueError, match="SHA256SUMS is damaged"):
        Result.load(copy)


def test_a_damaged_page_is_said_and_written_again(copy, caplog):
    flip(copy / "tearsheet.html", random.Random(1))
    assert cli("report", str(copy)).returncode == 0
    assert caplog.messages == [
        f"{copy / 'tearsheet.html'} is not what was written, as {MANIFEST} has it; "
        f"`rollcast report {copy}` writes it again"
    ]
    caplog.clear()
    assert cli("verify", str(copy)).returncode == 0
    assert caplog.messages == []


def test_a_run_without_a_manifest_is_read_and_that_is_said(copy, caplog):
    (copy / MANIFEST).unlink()
    done = cli("verify", str(copy))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("identical") == 3
    assert caplog.messages == [
        f"{copy} has no SHA256SUMS, as runs before 0.2: nothing tells whether its files are as written"
    ]


@pytest.mark.parametrize("at", range(4))
def test_a_report_killed_between_two_files_leaves_a_run_that_is_read(at, copy, monkeypatch):
    """Files are replaced one after another; the manifest holds before, between and after."""
    from rollcast.backtests import digests

    calls, write = [], digests.write_whole

    def killed(path: Path, content: bytes) -> None:
        if len(calls) == at:
            raise KeyboardInterrupt
        calls.append(path)
        write(path, content)

    monkeypatch.setattr(digests, "write_whole", killed)
    metrics = json.loads((copy / "metrics.json").read_text()) | {"note": 1}
    with pytest.raises(KeyboardInterrupt):
        replace_sealed(copy, {"tearsheet.html": b"new", "metrics.json": json.dumps(metrics).encode()})
    monkeypatch.undo()
    assert Result.load(copy).metrics.get("note", 0) == (at == 3)


def used_in_silence_run(folder: Path, said: Callable[[], list[str]]) -> bool:
    try:
        Result.load(folder)
    except (ValueError, FileNotFoundError) as error:
        return str(folder) not in str(error)
    return not any("tearsheet.html" in line for line in said())


def sweep_folder(folder: Path) -> Store:
    kept, number = Store(folder), np.random.default_rng(0)
    kept.write("sweep.json", {"since": "2019-01-02", "quick": True, "sweep": {"axes": ["p.window"]}})
    kept.write("winner.json", {"run": "2026-sma-SPY", "point": {"p.window": "5"}, "same": True, "difference": 0.0})
    for part in range(3):
        rows = pd.DataFrame({"key": [f"{part}-{k}" for k in range(4)], "sharpe": number.normal(size=4)})
        kept.add(rows, number.normal(size=(60, 4)))
    return kept


def used_in_silence_sweep(folder: Path, said: Callable[[], list[str]]) -> bool:
    kept = Store(folder)
    values = [kept.read("sweep.json"), kept.read("winner.json")]
    kept.discard_damaged()
    whole = len(kept.rows()) == 12 and kept.returns().shape == (60, 12) and None not in values
    return whole or len(said()) != 1


def cache_folder(folder: Path) -> None:
    for key in ("a", "b"):
        ForecastCache(folder).put(key, CachedForecast(np.random.default_rng(1).normal(size=50), 12, 0.5, 1.5))


def used_in_silence_cache(folder: Path, said: Callable[[], list[str]]) -> bool:
    entries = [ForecastCache(folder).get(path.name) for path in folder.iterdir()]
    return None not in entries or len(said()) != 1


def journal_folder(folder: Path) -> None:
    learner = load("ols-features")
    entry = journal.Entry(journal.Journal(folder), learner, [], False, "key")
    for _ in range(2):
        values = pd.Series(np.random.default_rng(2).normal(size=21))
        entry._write(journal._serialised(["w"], ChunkResult([(0, values)])))


def used_in_silence_journal(folder: Path, said: Callable[[], list[str]]) -> bool:
    entries = [journal._read(path, "key") for path in (folder / "key").iterdir()]
    return None not in entries or len(said()) != 1


def store_folder(folder: Path) -> None:
    days = pd.bdate_range("2020", periods=40)
    rows = pd.DataFrame({name: np.arange(40.0) + 9 for name in prices.STORED}, index=days)
    prices.append("ABC", rows, {"source": "Yahoo", "symbol": "ABC", "exchange": "XNYS"}, "2026-01-02 03:04:05 UTC")


def used_in_silence_store(folder: Path, said: Callable[[], list[str]]) -> bool:
    """A bit that no reader looks at, of which Parquet has some, changes nothing."""
    try:
        stored = prices.read("ABC")
    except prices.CorruptStore as error:
        return "ABC is damaged" not in str(error)
    expected = pd.DataFrame({name: np.arange(40.0) + 9 for name in prices.STORED}, index=stored.rows.index)
    about = {"source": "Yahoo", "symbol": "ABC", "exchange": "XNYS"}
    return not (stored.rows.equals(expected) and stored.about == about and stored.snapshots[-1].rows == 40)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["run", "sweep", "cache", "journal", "store"])
def test_of_five_hundred_flipped_bits_none_is_used_in_silence(kind, run, tmp_path, caplog, monkeypatch):
    """Five kinds of folder, a flip in each of 500 copies, chosen by file and then by bit, so that small files count."""
    whole, damaged, number = tmp_path / "whole", tmp_path / "damaged", random.Random(15)
    monkeypatch.setenv(prices.HOME, str(whole))
    if kind == "run":
        shutil.copytree(run, whole)
    else:
        {"sweep": sweep_folder, "cache": cache_folder, "journal": journal_folder, "store": store_folder}[kind](whole)
    monkeypatch.setenv(prices.HOME, str(damaged))
    used = []
    for attempt in range(500):
        shutil.copytree(whole, damaged)
        path = number.choice(sorted(path for path in damaged.rglob("*") if path.is_file() and path.stat().st_size))
        flip(path, number)
        caplog.clear()
        if globals()[f"used_in_silence_{kind}"](damaged, lambda: caplog.messages):
            used.append((attempt, path.name))
        shutil.rmtree(damaged)
    assert used == []


def test_a_disk_that_is_full_ends_no_run_and_is_said_once(tmp_path, caplog, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "SECONDS", 0.0)
    monkeypatch.setattr(journal, "code_of", lambda learner: "code")
    monkeypatch.setattr(journal, "write_whole", full)
    learner, kept = load("ols-features"), journal.Journal(tmp_path / "unfinished")
    windows = WalkForward(learner, 200, 21).windows(load_bars("SPY", "2019", "2020"))
    entry = journal.Entry(kept, learner, windows, False)
    for k in range(3):
        entry.add([k], ChunkResult([(0, pd.Series([0.1]))]))
    assert [line for line in caplog.messages if "unfinished" in line] == [
        f"{tmp_path / 'unfinished'} cannot keep finished windows, which a killed run would train again: "
        "[Errno 28] No space left on device"
    ]
    monkeypatch.setattr("rollcast.backtests.sweep.forecast_cache.write_whole", full)
    ForecastCache(tmp_path / "cache").put("key", CachedForecast(np.zeros(3)))
    assert "cannot keep a forecast" in caplog.messages[-1]


def test_a_manifest_says_nothing_of_files_it_was_not_given(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    seal(tmp_path, ["a.csv"])
    (tmp_path / "b.csv").write_text("2")
    seal(tmp_path, ["b.csv"])
    assert [line.split("  ")[1] for line in (tmp_path / MANIFEST).read_text().splitlines()] == ["a.csv", "b.csv"]


def test_bundled_prices_that_were_changed_are_named(tmp_path, monkeypatch):
    file = tmp_path / "spy.parquet"
    content = bytearray((bundle.FOLDER / file.name).read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr(bundle, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"spy.parquet is not what rollcast was distributed with; install rollcast"):
        bundle.bundled.__wrapped__()
