"""Surrogate markets: other price histories that the symbol's own bars could have made if nothing in them told the next.

Notation: T bars; x the moves (T-1, 4) of the bars from the second on, log of open, high, low and close over the close
before; r their last column, the log returns; μ the mean of r; n = T-1. docs/placebo.md says what each keeps.

Every surrogate keeps the dates and the first bar, and ends where the market ended: what it drifted by is not a matter
of chance. A bar's volume, range and gap go where its return goes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from rollcast.backtests.data.sessions import nights, over_nights, spliced
from rollcast.backtests.evidence.bootstrap import drawn, joint_block_length
from rollcast.backtests.placebo.garch import fitted
from rollcast.predictors.bars import COLUMNS

Surrogate = Callable[[pd.DataFrame, int], pd.DataFrame]

DEFAULT = "flipped"
FEWEST = 30  # bars; of fewer, a rearrangement is hardly another market
ROUNDS = 100  # of IAAFT, which has most often settled by then


def flipped(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Every bar mirrored about the drift or not, by a coin of its own: x' = μ + s (x - μ) - mean of s (r - μ), s = ±1.

    Mirrored, a bar's high is its low. Range and volume of every bar stay as they are and where they are, and but for
    the last term, a constant of about sd(r)/√n, so does |r - μ|. To choose signs that need no such term would draw the
    wild bars, which move the sum most, against each other, and calm ones not: an edge for who bets on turns.

    Reference: Fisher (1935), The Design of Experiments, section 21; Wu (1986), Annals of Statistics 14(4).
    """
    x, volume = _moves(bars)
    drift = x[:, 3].mean()
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), len(x))
    return _bars(bars, _with_drift(drift + signs[:, None] * (x - drift), drift), volume)


def permuted(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The bars in random order."""
    return _rearranged(bars, np.random.default_rng(seed).permutation(len(bars) - 1))


def blocks(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Runs of bars of random length and start, the mean length that of `joint_block_length`: the stationary bootstrap.

    Moved by one constant a bar, so that it ends where the market ended.

    Reference: Politis & Romano (1994), Journal of the American Statistical Association 89(428).
    """
    x, volume = _moves(bars)
    length = joint_block_length(x[:, 3])
    (index,) = next(drawn(len(x), length, 1, np.random.default_rng(seed)))
    return _bars(bars, _with_drift(x[index], x[:, 3].mean()), volume[index])


def phases(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The bars in an order in which the returns have the power spectrum they had, and random phases: IAAFT.

    Reference: Theiler et al. (1992), Physica D 58; Schreiber & Schmitz (1996), Physical Review Letters 77(4).
    """
    x, _ = _moves(bars)
    returns = x[:, 3]
    by_size = returns.argsort(kind="stable")
    amplitudes = np.abs(np.fft.rfft(returns))
    ranks = np.random.default_rng(seed).permutation(len(x))
    for _ in range(ROUNDS):
        spectrum = np.fft.rfft(returns[by_size[ranks]])
        size = np.abs(spectrum)
        spectrum *= amplitudes / np.where(size > 0, size, 1.0)
        shaped = np.fft.irfft(spectrum, len(x))
        before, ranks = ranks, np.empty_like(ranks)
        ranks[shaped.argsort(kind="stable")] = np.arange(len(x))
        if (ranks == before).all():
            break
    return _rearranged(bars, by_size[ranks])


def garch(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Bars drawn one by one, each scaled to a volatility that follows a GARCH(1,1) fitted to the returns.

    x' = μ + (σ'/σ) (x - μ) - z̄ σ', σ the fitted volatility of the bar drawn, σ' that of the bar made, z̄ the mean of the
    standardised residuals, without which calm and wild times would drift apart. Then as `blocks`.

    Reference: Bollerslev (1986), Journal of Econometrics 31(3); drawing residuals: Barone-Adesi, Giannopoulos & Vosper
    (1999), Journal of Futures Markets 19(5).
    """
    x, volume, rng = *_moves(bars), np.random.default_rng(seed)
    drift = x[:, 3].mean()
    law, sigma = fitted(x[:, 3])
    z = (x[:, 3] - drift) / sigma
    index = rng.integers(len(x), size=len(x))
    made = law.path((z - z.mean())[index], sigma[rng.integers(len(x))])
    moves = drift + (made / sigma[index])[:, None] * (x[index] - drift) - z.mean() * made[:, None]
    return _bars(bars, _with_drift(moves, drift), volume[index])


SURROGATES: dict[str, Surrogate] = {
    "flipped": flipped,
    "permuted": permuted,
    "blocks": blocks,
    "phases": phases,
    "garch": garch,
}


def surrogate(bars: pd.DataFrame, null: str, seed: int, overnight: bool = False) -> pd.DataFrame:
    """A surrogate market of this kind.

    Bars with sessions are rearranged without their nights, which are then put back in a random order: a night stays
    between two sessions, and all of them together move as far as they did. `overnight`: as other returns.
    """
    after = nights(bars)
    if overnight or not len(after):
        return SURROGATES[null](bars, seed)
    gaps = bars["open"].to_numpy(float)[after] / bars["close"].to_numpy(float)[after - 1]
    order = np.random.default_rng([seed, len(after)]).permutation(len(after))
    return over_nights(SURROGATES[null](spliced(bars), seed), gaps[order])


def _moves(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The moves (n, 4) and volumes (n,) of the bars from the second on."""
    if len(bars) < FEWEST:
        raise ValueError(f"a surrogate market needs at least {FEWEST} bars; got {len(bars)}")
    prices = np.log(bars[list(COLUMNS[:4])].to_numpy(float))
    moves = prices[1:] - prices[:-1, 3:]
    if np.ptp(moves[:, 3]) <= 1e-12:
        raise ValueError("the closes move by the same at every bar, so there is nothing to make another market of")
    return moves, bars["volume"].to_numpy(float)[1:]


def _rearranged(bars: pd.DataFrame, order: np.ndarray) -> pd.DataFrame:
    moves, volume = _moves(bars)
    return _bars(bars, moves[order], volume[order])


def _with_drift(moves: np.ndarray, drift: float) -> np.ndarray:
    """The moves plus a constant that gives their closes this mean."""
    return moves + (drift - moves[:, 3].mean())


def _bars(bars: pd.DataFrame, moves: np.ndarray, volume: np.ndarray) -> pd.DataFrame:
    """Bars on the same dates with the same first bar, and then these moves."""
    first = bars[list(COLUMNS)].iloc[0].to_numpy(float)
    log_close = np.log(first[3]) + np.r_[0.0, np.cumsum(moves[:, 3])]
    # exp(0) = 1 keeps a bar that opened or closed where the last one closed.
    close = np.exp(log_close)
    close[0] = first[3]
    prices = np.exp(log_close[:-1, None] + moves)  # (n, 4)
    prices[:, 3] = close[1:]
    highest, lowest = prices.max(axis=1), prices.min(axis=1)
    made = np.column_stack([prices[:, 0], highest, lowest, prices[:, 3], volume])
    return pd.DataFrame(np.vstack([first, made]), index=bars.index, columns=list(COLUMNS))
