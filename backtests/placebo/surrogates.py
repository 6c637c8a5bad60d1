"""Surrogate markets: price histories made from the symbol's own bars, in most of which no bar forecasts the next.

Notation: T bars; x the moves (T-1, 4) of the bars from the second on, log of open, high, low and close over the close
before; r their last column, the log returns; μ the mean of r; n = T-1. docs/placebo.md says what each preserves.

Every surrogate has the dates, the first bar and the last close of the real market, so that its drift is not random. A
bar's volume, range and gap move with its return.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from ..data.sessions import nights, over_nights, spliced
from ..evidence.bootstrap import drawn, joint_block_length
from .garch import fit

Surrogate = Callable[[pd.DataFrame, int], pd.DataFrame]

DEFAULT = "flipped"
FEWEST = 30  # bars; fewer have too few rearrangements
ROUNDS = 100  # of IAAFT, which has mostly converged by then


def flipped(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Every bar with a random sign about the drift: x' = μ + s (x - μ) - mean of s (r - μ), s = ±1 equally probable.

    With s = -1 a bar's high becomes its low. Range and volume of every bar are preserved at their dates, and so is
    |r - μ| except for the last term, a constant of about sd(r)/√n. Signs chosen to make that term 0 would be negatively
    correlated among the largest moves, which a strategy could exploit.

    Reference: Fisher (1935), The Design of Experiments, section 21; Wu (1986), Annals of Statistics 14(4).
    """
    x, volume = _moves(bars)
    drift = x[:, 3].mean()
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), len(x))
    return _bars(bars, _with_drift(drift + signs[:, None] * (x - drift), drift), volume)


def permuted(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The bars in random order. Raises ValueError as `flipped` does."""
    return _rearranged(bars, np.random.default_rng(seed).permutation(len(bars) - 1))


def blocks(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The stationary bootstrap: blocks of bars of random length and start, of the mean length `joint_block_length`.

    A constant is added to every move, so that the last close is that of the market.

    Reference: Politis & Romano (1994), Journal of the American Statistical Association 89(428).
    """
    x, volume = _moves(bars)
    length = joint_block_length(x[:, 3])
    (index,) = next(drawn(len(x), length, 1, np.random.default_rng(seed)))
    return _bars(bars, _with_drift(x[index], x[:, 3].mean()), volume[index])


def phases(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The bars in an order that preserves the power spectrum of the returns and randomises the phases: IAAFT.

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
        target = np.fft.irfft(spectrum, len(x))
        before, ranks = ranks, np.empty_like(ranks)
        ranks[target.argsort(kind="stable")] = np.arange(len(x))
        if (ranks == before).all():
            break
    return _rearranged(bars, by_size[ranks])


def garch(bars: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Bars drawn with replacement, each scaled to the volatility of a simulated GARCH(1,1) fitted to the returns.

    x' = μ + (σ'/σ) (x - μ) - z̄ σ': σ is the fitted volatility of the bar drawn, σ' the simulated one, and z̄ the mean of
    the standardised residuals, without which the drift would depend on volatility. Then a constant as in `blocks`.

    Reference: Bollerslev (1986), Journal of Econometrics 31(3); drawing residuals: Barone-Adesi, Giannopoulos & Vosper
    (1999), Journal of Futures Markets 19(5).
    """
    x, volume, rng = *_moves(bars), np.random.default_rng(seed)
    drift = x[:, 3].mean()
    model, sigma = fit(x[:, 3])
    z = (x[:, 3] - drift) / sigma
    index = rng.integers(len(x), size=len(x))
    path = model.path((z - z.mean())[index], sigma[rng.integers(len(x))])
    moves = drift + (path / sigma[index])[:, None] * (x[index] - drift) - z.mean() * path[:, None]
    return _bars(bars, _with_drift(moves, drift), volume[index])


SURROGATES: dict[str, Surrogate] = {
    "flipped": flipped,
    "permuted": permuted,
    "blocks": blocks,
    "phases": phases,
    "garch": garch,
}


def surrogate(bars: pd.DataFrame, null: str, seed: int, overnight: bool = False) -> pd.DataFrame:
    """A surrogate market of the kind `null`, a name of `SURROGATES`.

    Bars with sessions are rearranged without their overnight moves, which are then put back in a random order between
    the sessions, so that their sum is that of the market. With `overnight` they are treated as other moves.

    Raises ValueError for fewer than 30 bars and for closes that all move by the same.
    """
    after = nights(bars)
    if overnight or not len(after):
        return SURROGATES[null](bars, seed)
    gaps = bars["open"].to_numpy(float)[after] / bars["close"].to_numpy(float)[after - 1]
    order = np.random.default_rng([seed, len(after)]).permutation(len(after))
    return over_nights(SURROGATES[null](spliced(bars), seed), gaps[order])


def _moves(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The moves (n, 4) and volumes (n,) of the bars from the second on. Raises ValueError as `surrogate` says."""
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
    """The moves plus a constant, so that the mean of the closes' moves is `drift`."""
    return moves + (drift - moves[:, 3].mean())


def _bars(bars: pd.DataFrame, moves: np.ndarray, volume: np.ndarray) -> pd.DataFrame:
    """Bars on the dates of `bars`: its first bar, then these moves (n, 4) with these volumes (n,)."""
    first = bars[list(COLUMNS)].iloc[0].to_numpy(float)
    log_close = np.log(first[3]) + np.r_[0.0, np.cumsum(moves[:, 3])]
    close = np.exp(log_close)
    close[0] = first[3]
    prices = np.exp(log_close[:-1, None] + moves)  # (n, 4)
    prices[:, 3] = close[1:]
    highest, lowest = prices.max(axis=1), prices.min(axis=1)
    others = np.column_stack([prices[:, 0], highest, lowest, prices[:, 3], volume])
    return pd.DataFrame(np.vstack([first, others]), index=bars.index, columns=list(COLUMNS))
