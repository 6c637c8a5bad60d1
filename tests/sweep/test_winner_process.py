"""A run of the second process is the run of this one, and nothing is left of one that is interrupted."""

from __future__ import annotations

import signal
import time

import pandas as pd
import pytest

from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.index import SHEET
from rollcast.backtests.workspace.winner_process import run_in_this_process, second_process

REQUEST = Request("sma", start="2019", params={"window": "20"})


def test_a_run_of_the_second_process_is_the_run_of_this_one_and_its_error_is_raised(tmp_path):
    ours = Result.load(run_in_this_process(REQUEST, tmp_path / "this")())
    with second_process() as start:
        folder = start(REQUEST, tmp_path / "second")()
        refused = start(Request("sma", start="2019", params={"window": "1"}), tmp_path / "second")
        with pytest.raises(ValueError, match="window must be at least 2"):
            refused()
    theirs = Result.load(folder)
    pd.testing.assert_frame_equal(theirs.history, ours.history, check_exact=True)
    assert theirs.metrics == ours.metrics
    assert (folder / SHEET).stat().st_size > 100_000
    assert [path for path in (tmp_path / "second").iterdir() if path.is_dir()] == [folder]


# A shell's background job ignores Ctrl-C, and so does all that it starts.
@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_nothing_is_left_of_a_run_in_the_second_process_that_is_interrupted(tmp_path, handler):
    def interrupted() -> None:
        before = signal.signal(signal.SIGINT, handler)
        with second_process() as start:
            signal.signal(signal.SIGINT, before)
            start(Request("ols-features"), tmp_path)
            until = time.monotonic() + 600
            while not list(tmp_path.glob(".unfinished-*")) and time.monotonic() < until:
                time.sleep(0.001)
            assert list(tmp_path.glob(".unfinished-*")), "it had begun"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
