"""Times the page of a workspace of 10,000 runs: written at first, written after one more run, and its size."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.ledger_speed import multiply
from rollcast import Request
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.sheet.index import write_index
from rollcast.backtests.workspace.workspace import backtest


def fill(out: Path, runs: int) -> None:
    """A workspace with so many runs in its ledger, each with a folder that holds what the page reads."""
    _, folder = backtest(Request("sma", start="2010"), out)
    files = [folder / name for name in ("metrics.json", "equity.parquet", "tearsheet.html")]
    multiply(out / NAME, runs, lambda copy: f"{folder.name}-{copy}")
    for copy in range(1, runs):
        other = out / f"{folder.name}-{copy}"
        other.mkdir()
        for file in files:
            (other / file.name).hardlink_to(file)


def main() -> None:
    """Prints one JSON object: seconds and bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        fill(out, runs)
        seconds = {}
        for name in ("first", "again"):
            start = time.perf_counter()
            page = write_index(out)
            seconds[name] = round(time.perf_counter() - start, 3)
        print(json.dumps({"runs": Ledger(out / NAME).size(), "seconds": seconds, "bytes": page.stat().st_size}))


if __name__ == "__main__":
    main()
