"""Times the whole tear sheet of a run against a script that only calls quantstats.reports.html on the same returns.

The run and its evidence are made once and kept; each sheet is written in a fresh process, imports included.
"""

from __future__ import annotations

import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BARE = """
import quantstats
quantstats.reports.html(result.returns, benchmark=result.benchmark_returns, output=path)
"""
OURS = """
from rollcast import write_report
write_report(result, path)
"""


def kept_run(folder: Path) -> Path:
    """A run of sma on all of SPY with its evidence, pickled."""
    sys.path.insert(0, str(ROOT))
    from rollcast import load, load_bars, run
    from rollcast.backtests.evidence.evidence import with_evidence
    from rollcast.strategies.long_flat import LongFlat

    result = with_evidence(run(load_bars("SPY"), load("sma"), LongFlat, symbol="SPY"), LongFlat)
    path = folder / "result.pickle"
    path.write_bytes(pickle.dumps(result))
    return path


def seconds(script: str, result: Path, page: Path) -> float:
    """Wall-clock seconds of a fresh interpreter that loads the run and runs `script`."""
    load = f"import pickle, sys\nsys.path.insert(0, '.')\npath = {str(page)!r}\n"
    load += f"result = pickle.load(open({str(result)!r}, 'rb'))\n"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", load + script], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def main(rounds: int = 5) -> None:
    """Alternates the two, so that a slow minute of the machine falls on both, and prints medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        result, page = kept_run(Path(folder)), Path(folder, "sheet.html")
        pairs, sizes = [], [0, 0]
        for _ in range(rounds):
            pair = []
            for which, script in enumerate((BARE, OURS)):
                pair.append(seconds(script, result, page))
                sizes[which] = page.stat().st_size
            pairs.append(pair)
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(after / before for before, after in pairs)
    print(f"quantstats alone {bare:.1f} s, {sizes[0] / 1e6:.1f} MB; rollcast {ours:.1f} s, {sizes[1] / 1e6:.1f} MB")
    print(f"ratio {ratio:.2f} (median of {rounds} alternating cold pairs)")


if __name__ == "__main__":
    main()
