"""Times the store and the file reader: one symbol from the store, its parts, and a CSV of the same bars.

Run as `python benchmarks/store_speed.py`; writes nothing but to a temporary folder.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rollcast.backtests.data import doctor, store
from rollcast.backtests.data.adjust import as_bars
from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions


def milliseconds(work: Callable[[], object], repeats: int = 21) -> float:
    """The median time of a call."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    """Prints one line a measurement."""
    rows = bundled()["SPY"].drop(columns="adj_close").assign(split=0.0).astype(float)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[store.HOME] = folder
        about = {"source": "bundle", "symbol": "SPY", "exchange": "XNYS"}
        with store.locked("SPY"):
            store.append("SPY", rows, about, "2021-08-19 00:00:00 UTC")
        path = Path(folder) / "spy.csv"
        rows.to_csv(path, index_label="date")
        table = store.stored_table("SPY")
        for name, work in (
            ("load from the store", lambda: load("SPY")),
            ("  read and checksum", lambda: store.read("SPY")),
            ("  the doctor", lambda: doctor.examine(table)),
            ("  adjusting", lambda: as_bars(table.rows, "full", "SPY")),
            ("load what is bundled", lambda: load("SPY", DataOptions(source="bundled"))),
            ("load a CSV, with the calendar", lambda: load(str(path))),
        ):
            print(f"{name:<30} {milliseconds(work):7.2f} ms   {len(rows)} bars")


if __name__ == "__main__":
    main()
