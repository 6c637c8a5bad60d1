"""A sweep that was stopped in its middle and then finished, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sheet.sweep import write_sweep
from rollcast.backtests.sweep import worklist
from rollcast.backtests.sweep.live import Progress
from rollcast.backtests.sweep.points import sweep_of
from rollcast.backtests.sweep.result import SweepResult
from rollcast.backtests.workspace.sweep import run_sweep

REQUEST = Request("sma", start="2008")
WORDS, RULE_WORDS = ["window=10:200:10"], ["dead_band_bps=0|1|2"]


@dataclass(frozen=True)
class Story:
    """out: the workspace.   stopped: the rows when it was stopped.   reports: of the process that finished it."""

    out: Path
    stopped: pd.DataFrame
    reports: list[Progress]
    swept: SweepResult
    page: Path


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Sixty moving averages, in chunks of seven, interrupted when 21 were done."""
    out, reports = tmp_path_factory.mktemp("workspace"), []
    sweep = sweep_of(REQUEST, WORDS, RULE_WORDS)

    def stop(progress: Progress) -> None:
        if progress.stage == "points" and progress.done == 21:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worklist, "CHUNK", 7)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(sweep, out, stop)
        (folder,) = out.glob("sweep-*")
        stopped = worklist.Store(folder).rows()
        swept = run_sweep(sweep, out, reports.append)
    return Story(out, stopped, reports, swept, write_sweep(swept))
