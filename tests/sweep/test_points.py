"""What a sweep tries is read from words, drawn the same every time, and refused before anything is run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.strategies import STRATEGIES
from rollcast.backtests.sweep.axes import Axis, _expanded, axes_of
from rollcast.backtests.sweep.factory import Factory
from rollcast.backtests.sweep.points import sweep_of
from rollcast.predictors.registry import PREDICTORS

SMA, LSTM, OLS = (PREDICTORS.find(name) for name in ("sma", "lstm", "ols-features"))


def axis(word: str, cls: type = SMA) -> Axis:
    (result,) = axes_of("p", [word], cls, PREDICTORS, "predictor")
    return result


@given(st.integers(-1000, 1000), st.integers(1, 60), st.integers(0, 80), st.integers(0, 3))
def test_a_range_holds_every_step_up_to_its_end_exactly(start, step, count, places):
    scale = 10**places
    text = f"{start / scale:.{places}f}:{(start + step * count) / scale:.{places}f}:{step / scale:.{places}f}"
    values = _expanded(text, "x")
    assert [round(float(v) * scale) for v in values] == [start + step * k for k in range(count + 1)]
    assert len(set(values)) == count + 1


def test_the_words_of_the_command_line_are_ranges_lists_intervals_and_values():
    assert axis("window=10:40:10").values == ("10", "20", "30", "40")
    assert axis("window=40:10:-15").values == ("40", "25", "10")
    assert axis("window=10|20|50").values == ("10", "20", "50")
    assert axis("lags=3|5", OLS).values == ("3", "5")
    assert axis("features=return,range|return", OLS).values == ("return,range", "return")
    (repeated,) = axes_of("p", ["window=10", "window=20|30"], SMA, PREDICTORS, "sma")
    assert repeated.values == ("10", "20", "30")
    drawn = axis("lr=1e-4..1e-1:log", LSTM)
    assert (drawn.is_interval, drawn.log, drawn.whole, drawn.low, drawn.high) == (True, True, False, 1e-4, 1e-1)
    assert axis("window=10..500").whole


@pytest.mark.parametrize(
    ("word", "cls", "message"),
    [
        ("window", SMA, "expected NAME=VALUES, got 'window'"),
        ("windw=1|2", SMA, "no parameter 'windw'. Did you mean 'window'"),
        ("window=10|x", SMA, "window must be a whole number; got 'x'"),
        ("window=0.5:2:0.5", SMA, "window must be a whole number; got '0.5'"),
        ("window=10|20|10", SMA, "10 is given twice"),
        ("window=10:20:-5", SMA, "never gets from 10 to 20"),
        ("window=10:20:0", SMA, "never gets from 10 to 20"),
        ("window=1:1000000:1", SMA, "has 1,000,000 values"),
        ("lr=0..1:log", LSTM, "must start above 0"),
        ("lr=2..1", LSTM, "the lower end comes first"),
        ("window=2.5..9", SMA, "must be a whole number"),
        ("features=1..2", OLS, "an interval needs a number"),
    ],
)
def test_words_that_cannot_be_read_are_one_clear_line(word, cls, message):
    with pytest.raises((ValueError, LookupError), match=message):
        axes_of("p", [word], cls, PREDICTORS, "predictor")


@given(st.floats(0, 1, exclude_max=True))
def test_every_draw_is_inside_its_axis(u):
    whole, log = axis("window=2..9"), axis("lr=1e-4..1e-1:log", LSTM)
    assert 2 <= int(whole.at(u)) <= 9
    assert 1e-4 <= float(log.at(u)) <= 1e-1
    assert math.log10(float(log.at(u))) == pytest.approx(-4 + 3 * u, abs=1e-5)
    assert axis("window=10|20|50").at(u) in ("10", "20", "50")


def test_whole_numbers_are_drawn_equally_often_at_the_ends_and_between():
    drawn = axis("window=2..9")
    counts = np.unique([drawn.at((k + 0.5) / 8000) for k in range(8000)], return_counts=True)[1]
    assert counts.tolist() == [1000] * 8


def test_a_grid_is_every_combination_once_and_single_values_are_not_varied():
    sweep = sweep_of(Request("sma"), ["window=10:30:10"], ["dead_band_bps=0|2", "exposure=0.5"])
    points = sweep.points()
    assert len(points) == len({point.key for point in points}) == 6
    assert {dict(point.values)["p.window"] for point in points} == {"10", "20", "30"}
    request = sweep.request(points[1])
    assert (request.params, request.strategy_params) == (
        {"window": "10"},
        {"exposure": "0.5", "dead_band_bps": "2"},
    )


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_draws_are_the_same_every_time_and_no_point_comes_twice(method):
    words = ["window=2..200"]
    sweep = sweep_of(Request("sma"), words, ["dead_band_bps=0..5"], method=method, draws=100)
    points = sweep.points()
    assert points == sweep_of(Request("sma"), words, ["dead_band_bps=0..5"], method=method, draws=100).points()
    assert len(points) == len({point.key for point in points}) == 100
    few = sweep_of(Request("sma"), ["window=2..5"], [], method=method, draws=100).points()
    assert sorted(dict(point.values)["p.window"] for point in few) == ["2", "3", "4", "5"]


def test_sobol_points_fill_the_box_more_evenly_than_chance():
    """The star discrepancy of one axis: the largest gap between the share of points below u, and u."""

    def gap(method: str) -> float:
        sweep = sweep_of(Request("lstm"), ["lr=0.1..1", "dropout=0..0.5"], [], method=method, draws=128)
        u = np.sort([(float(dict(point.values)["p.lr"]) - 0.1) / 0.9 for point in sweep.points()])
        return float(np.abs(u - (np.arange(128) + 0.5) / 128).max())

    assert gap("sobol") < 0.01 < gap("random")


def test_seeds_repeat_every_point_of_a_random_predictor_only():
    base = Request("lstm", seed=7)
    points = sweep_of(base, ["hidden=8|16"], [], seeds=3).points()
    assert [(dict(p.values)["p.hidden"], p.seed) for p in points] == [(h, s) for h in ("8", "16") for s in (7, 8, 9)]
    with pytest.raises(ValueError, match="sma is not random"):
        sweep_of(Request("sma"), ["window=2|3"], [], seeds=2)


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (["window=2..9"], {}, "an interval is drawn from, with --draws"),
        (["window=2|3"], {"method": "grid", "draws": 5}, "a grid takes all combinations"),
        (["window=2|3"], {"method": "sobol"}, "--method sobol needs --draws"),
        (["window=2|3"], {"method": "genetic", "draws": 5}, "unknown method 'genetic'"),
        (["window=2|3"], {"seeds": 0}, "seeds must be at least 1"),
        (["window=2..900"], {"draws": 300_000}, "that is 300,000 points"),
        (["window=20"], {}, "there is nothing to sweep"),
    ],
)
def test_settings_that_do_not_fit_are_refused(words, options, message):
    with pytest.raises(ValueError, match=message):
        sweep_of(Request("sma"), words, [], **options)
    with pytest.raises(ValueError, match="does not allow look-ahead"):
        sweep_of(Request("sma", allow_lookahead=True), ["window=2|3"], [])


def test_a_point_is_made_as_its_backtest_would_make_it_and_a_refused_one_is_named():
    sweep = sweep_of(Request("ols-features", train=500), ["lags=3|5"], ["dead_band_bps=1|2"])
    factory = Factory.of(sweep)
    for point in sweep.points():
        assert factory.predictor(point) == sweep.request(point).model()
        assert factory.parameters(point) == sweep.request(point).rule()[1]
    refused = sweep_of(Request("sma"), ["window=20|1"], [])
    with pytest.raises(ValueError, match="window=1: window must be at least 2"):
        Factory.of(refused)
    between = sweep_of(Request("ols-features"), ["features=return|nonsense|range"], [])
    with pytest.raises(ValueError, match=r"features=nonsense: .*nonsense"):
        Factory.of(between).predictor(between.points()[1])
    narrow = sweep_of(Request("sma"), ["window=20"], ["exposure=0.05|1"])
    with pytest.raises(ValueError, match=r"exposure=0.05: exposure 0.05 is within tolerance"):
        Factory.of(narrow).parameters(narrow.points()[0])


def test_the_walk_forward_of_a_learner_has_axes_of_its_own():
    sweep = sweep_of(Request("ols-features"), ["lags=5"], ["dead_band_bps=0|1"], ["train=250:750:250", "every=21"])
    assert [(axis.column, axis.values) for axis in sweep.axes] == [
        ("w.train", ("250", "500", "750")),
        ("s.dead_band_bps", ("0", "1")),
    ]
    assert sweep.base.every == 21
    factory = Factory.of(sweep)
    for point in sweep.points():
        model = factory.predictor(point)
        assert model == sweep.request(point).model()
        assert (str(model.train), model.every, model.learner.lags) == (dict(point.values)["w.train"], 21, 5)
    assert len({point.model for point in sweep.points()}) == 3, "a forecast each schedule, shared by the strategies"
    assert {dict(point.values)["w.train"] for point in sweep.corners()} == {"250", "750"}
    assert sweep.command() == (
        "rollcast sweep --predictor ols-features -p lags=5 -s 'dead_band_bps=0|1' --train 250:750:250 --every 21"
    )
    short = sweep_of(Request("ols-features"), [], [], ["train=500|0"])
    with pytest.raises(ValueError, match="train=0: train must be at least"):
        Factory.of(short).predictor(short.points()[1])
    with pytest.raises(ValueError, match="sma is never refitted, so --train does not apply to it"):
        sweep_of(Request("sma"), ["window=2|3"], [], ["train=250|500"])
    with pytest.raises(ValueError, match="train must be a whole number; got 'x'"):
        sweep_of(Request("ols-features"), [], [], ["train=250|x"])


def test_the_command_of_a_sweep_is_what_asked_for_it():
    base = Request("sma", strategy="long_short", start="2005")
    sweep = sweep_of(base, ["window=10..500:log"], ["tolerance=0.1|0.2"], method="random", draws=50)
    assert sweep.command() == (
        "rollcast sweep --predictor sma --strategy long_short --start 2005 "
        "-p window=10..500:log -s 'tolerance=0.1|0.2' --method random --draws 50"
    )


def test_strategy_words_are_typed_by_the_strategy():
    (tolerance,) = axes_of("s", ["tolerance=0.1:0.3:0.1"], STRATEGIES.find("long_flat"), STRATEGIES, "long_flat")
    assert (tolerance.column, tolerance.values) == ("s.tolerance", ("0.1", "0.2", "0.3"))
