"""Times a backtest without the gate and the gate alone, on all of SPY, and prints the gate's share of the run."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from rollcast import Learner, LongFlat, WalkForward, load, load_bars, run
from rollcast.backtests.gate.gate import examine
from rollcast.backtests.gate.verdict import Verdict


def seconds(name: str) -> tuple[float, float, int]:
    """Seconds of a run without its gate, seconds of the gate, and the gate's probes."""
    bars, model = load_bars("SPY"), load(name)
    predictor = WalkForward(model) if isinstance(model, Learner) else model
    began = time.perf_counter()
    with patch("rollcast.backtests.pipeline.forecasts.examine", lambda *_: Verdict(0, None)):
        result = run(bars, predictor, LongFlat)
    ran = time.perf_counter() - began
    forecast = result.forecast.reindex(bars.index)  # NaN while warming up
    began = time.perf_counter()
    verdict = examine(predictor, bars, forecast)
    took = time.perf_counter() - began
    assert verdict.leak is None, verdict
    return ran, took, verdict.probes


def main(names: list[str], rounds: int = 3) -> None:
    """Prints medians."""
    for name in names:
        pairs = [seconds(name) for _ in range(rounds)]
        ran, took = (statistics.median(column) for column in list(zip(*pairs, strict=True))[:2])
        share = statistics.median(gate / run_ for run_, gate, _ in pairs)
        print(f"{name:<14} run {ran:7.2f} s, gate {took:6.2f} s, {share:7.1%} of the run, {pairs[0][2]} probes")


if __name__ == "__main__":
    main(sys.argv[1:] or ["sma", "ols-features", "lstm"])
