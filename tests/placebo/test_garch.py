"""The likelihood, its maximum and its paths, against arch and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.placebo.garch import PERSISTENCE, Garch, _loss, fit
from rollcast.predictors.bars import log_returns


def returns_of(symbol: str) -> np.ndarray:
    return log_returns(load_bars(symbol)).to_numpy()[1:]


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL"])
def test_the_fit_is_archs(symbol):
    from arch import arch_model

    returns = returns_of(symbol)
    e = returns - returns.mean()
    scale = e.std()
    oracle = arch_model(e / scale, mean="Zero", vol="GARCH", p=1, q=1, rescale=False).fit(disp="off", backcast=1.0)
    law, sigma = fit(returns)
    np.testing.assert_allclose([law.omega / scale**2, law.alpha, law.beta], oracle.params, rtol=2e-3)
    np.testing.assert_allclose(sigma / scale, oracle.conditional_volatility, rtol=1e-3)
    ours = -0.5 * np.sum(np.log(2 * np.pi * (sigma / scale) ** 2) + (e / sigma) ** 2)
    assert ours > oracle.loglikelihood - 1e-4


@settings(max_examples=50, deadline=None)
@given(omega=st.floats(0.001, 1), alpha=st.floats(0.001, 0.5), beta=st.floats(0.0, 0.499))
def test_the_gradient_is_that_of_the_loss(omega, alpha, beta):
    from scipy.optimize import check_grad

    squares = returns_of("SPY")[:500] ** 2 / 1e-4
    point = np.array([omega, alpha, beta])
    size = np.linalg.norm(_loss(point, squares)[1])
    assert check_grad(lambda p: _loss(p, squares)[0], lambda p: _loss(p, squares)[1], point) < 1e-4 * (1 + size)


def test_the_path_of_the_standardised_residuals_is_the_fitted_volatility():
    returns = returns_of("SPY")
    law, sigma = fit(returns)
    path = law.path((returns - returns.mean()) / sigma, sigma[0])
    np.testing.assert_allclose(path, sigma, rtol=1e-9)


def test_a_law_that_made_the_returns_is_found_again():
    law = Garch(omega=2e-6, alpha=0.1, beta=0.85)
    z = np.random.default_rng(0).normal(size=20_000)
    estimate, _ = fit(law.path(z, 0.006) * z)
    np.testing.assert_allclose([estimate.alpha, estimate.beta], [0.1, 0.85], atol=0.03)


def test_persistence_stays_below_one_where_volatility_has_no_level():
    returns = np.random.default_rng(0).normal(size=2000) * np.exp(np.linspace(-9, -3, 2000))
    law, sigma = fit(returns)
    assert law.alpha + law.beta <= PERSISTENCE + 1e-9
    assert np.isfinite(sigma).all()


def test_returns_that_do_not_vary_are_refused():
    with pytest.raises(ValueError, match="do not vary"):
        fit(np.full(100, 0.01))
