"""A run made by the second process is the run of this one, and nothing is left of one that is given up."""

from __future__ import annotations

import signal
import time

import pandas as pd
import pytest

from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.index import SHEET
from rollcast.backtests.workspace.winner_process import aside, here

REQUEST = Request("sma", start="2019", params={"window": "20"})


def test_a_run_made_aside_is_the_run_made_here_and_what_it_raises_is_raised(tmp_path):
    ours = Result.load(here(REQUEST, tmp_path / "here")())
    with aside() as begin:
        waiting = begin(REQUEST, tmp_path / "aside")
        folder = waiting()
        refused = begin(Request("sma", start="2019", params={"window": "1"}), tmp_path / "aside")
        with pytest.raises(ValueError, match="window must be at least 2"):
            refused()
    theirs = Result.load(folder)
    pd.testing.assert_frame_equal(theirs.history, ours.history, check_exact=True)
    assert theirs.metrics == ours.metrics
    assert (folder / SHEET).stat().st_size > 100_000
    assert [path for path in (tmp_path / "aside").iterdir() if path.is_dir()] == [folder]


# A shell's background job ignores Ctrl-C, and so does all that it starts.
@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_nothing_is_left_of_a_run_aside_that_is_given_up(tmp_path, handler):
    def given_up() -> None:
        before = signal.signal(signal.SIGINT, handler)
        with aside() as begin:
            signal.signal(signal.SIGINT, before)
            begin(Request("ols-features"), tmp_path)
            until = time.monotonic() + 600
            while not list(tmp_path.glob(".unfinished-*")) and time.monotonic() < until:
                time.sleep(0.001)
            assert list(tmp_path.glob(".unfinished-*")), "it had begun"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        given_up()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
