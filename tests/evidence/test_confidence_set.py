"""The model confidence set against arch, and pairs of models against their definition."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence import bootstrap
from rollcast.backtests.evidence.confidence_set import confidence_set, pairwise
from rollcast.backtests.evidence.skill import diebold_mariano


def errors(symbol: str = "SPY") -> pd.DataFrame:
    """Errors of several averages on real bars, and of the naive forecast."""
    bars = load_bars(symbol).iloc[-1500:]
    outcome = np.log(bars["close"]).diff().shift(-1)
    forecasts = {f"ema{span}": load("ema", span=span).predict(bars) for span in (2, 5, 20, 50)}
    forecasts |= {"sma20": load("sma", window=20).predict(bars), "naive": 0 * bars["close"]}
    return (outcome.rename("y").to_frame().to_numpy() - pd.DataFrame(forecasts)).dropna()


def made_up(seed: int, *means: float, n: int = 300) -> pd.DataFrame:
    """Losses with these means, a shared part and some autocorrelation."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n + 2, len(means)))
    own = (noise[2:] + noise[1:-1] + noise[:-2]) / math.sqrt(3)
    return pd.DataFrame(own + rng.normal(size=(n, 1)) + means, columns=list("abcdefgh"[: len(means)]))


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h"])
def test_on_the_same_draws_the_p_values_are_archs(symbol, monkeypatch):
    from arch.bootstrap import MCS

    losses = errors(symbol) ** 2
    theirs = MCS(losses, 0.1, reps=500, block_size=10, method="max", seed=1)
    theirs.compute()
    index = np.array(theirs._bootstrap_indices)
    monkeypatch.setattr(bootstrap, "drawn", lambda *_: iter([index[:200], index[200:]]))
    ours = confidence_set(losses, draws=500, block=10)
    assert ours["p"].to_dict() == pytest.approx(theirs.pvalues["Pvalue"].to_dict(), abs=1e-12)
    assert sorted(ours.index[ours["included"]]) == theirs.included


@pytest.mark.parametrize("seed", [0, 2, 4, 6, 9])  # those whose p-values lie clear of the level
def test_on_other_draws_the_set_is_archs_and_the_p_values_are_near(seed):
    from arch.bootstrap import MCS

    losses = made_up(seed, 0, 0.02, 0.04, 0.5, 1)
    theirs = MCS(losses, 0.1, reps=1000, block_size=6, method="max", seed=seed)
    theirs.compute()
    ours = confidence_set(losses, block=6, seed=seed)
    assert ours["p"].to_dict() == pytest.approx(theirs.pvalues["Pvalue"].to_dict(), abs=0.06)
    assert sorted(ours.index[ours["included"]]) == theirs.included


def test_the_set_of_averages_on_spy_holds_the_naive_forecast_and_not_the_fastest_average():
    losses = errors() ** 2
    found = confidence_set(losses)
    assert found["loss"].to_dict() == pytest.approx(losses.mean().to_dict())
    assert found.loc["naive", "p"] == 1
    assert not found.loc["ema2", "included"]


def test_the_best_of_equals_is_in_the_set_as_often_as_promised():
    included = [confidence_set(made_up(seed, 0, 0, 0), draws=200, block=6)["included"]["a"] for seed in range(200)]
    assert 0.84 <= np.mean(included) <= 0.99


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_the_set_is_never_empty_grows_with_the_level_and_ignores_order_and_unit(seed, k):
    losses = made_up(seed, *np.linspace(0, 0.6, k), n=120)
    found = confidence_set(losses, draws=100)
    assert found["p"].max() == 1
    assert found.loc[found["loss"].idxmin(), "p"] == 1
    assert found["p"].between(0, 1).all()
    wide = confidence_set(losses, draws=100, level=0.99)
    assert (wide["included"] >= found["included"]).all()
    turned = confidence_set(1e-4 * losses[losses.columns[::-1]], draws=100)
    assert turned["p"][found.index].to_dict() == pytest.approx(found["p"].to_dict(), abs=0.02)


def test_a_model_twice_is_twice_in_the_set_and_one_always_worse_is_out():
    losses = made_up(1, 0, 2)
    found = confidence_set(losses.assign(again=losses["a"], worse=losses["a"] + 0.1))
    assert found["included"].to_dict() == {"a": True, "b": False, "again": True, "worse": False}
    alone = confidence_set(pd.DataFrame({"a": losses["a"], "again": losses["a"]}))
    assert alone["p"].tolist() == [1, 1]
    constant = confidence_set(pd.DataFrame({"a": losses["a"], "worse": losses["a"] + 0.1}))
    assert constant["p"].tolist() == [1, 0]


def test_the_same_seed_is_the_same_set():
    losses = made_up(2, 0, 0.05, 0.1)
    pd.testing.assert_frame_equal(confidence_set(losses), confidence_set(losses))
    assert confidence_set(losses, seed=1)["p"].tolist() != confidence_set(losses)["p"].tolist()


def test_pairs_are_diebold_and_marianos_and_adjusted_by_holm():
    from statsmodels.stats.multitest import multipletests

    of = errors()
    table = pairwise(of**2)
    assert len(table) == 15
    for row in table.itertuples():
        assert (row.statistic, row.p) == pytest.approx(diebold_mariano(of[row.worse], of[row.better]))
        assert (of[row.better] ** 2).mean() <= (of[row.worse] ** 2).mean()
    assert table["p_holm"].to_numpy() == pytest.approx(multipletests(table["p"], method="holm")[1])
    assert table["p"].is_monotonic_increasing


def test_a_pair_that_always_loses_the_same_has_no_statistic_and_counts_for_nothing():
    losses = made_up(3, 0, 0.3)
    table = pairwise(losses.assign(again=losses["a"]))
    assert table[["p", "p_holm"]].iloc[-1].isna().all()
    assert table["p_holm"].iloc[0] == pytest.approx(2 * table["p"].iloc[0])


@pytest.mark.parametrize("use", [confidence_set, pairwise])
def test_losses_that_cannot_be_compared_are_refused(use):
    losses = made_up(4, 0, 1)
    with pytest.raises(ValueError, match="two bars and two models or more, got 300 bars and 1 models"):
        use(losses[["a"]])
    with pytest.raises(ValueError, match="two bars and two models or more, got 1 bars and 2 models"):
        use(losses.iloc[:1])
    losses.iloc[3, 1] = math.nan
    with pytest.raises(ValueError, match="expected a finite loss at every bar, got 1 others, as in 'b'"):
        use(losses)
