"""Real bars with dividends and splits, and the same prices as each source would write them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.table import PRICES

SYMBOLS = ("SPY", "AAPL", "MSFT", "IBM", "GOOG")


def as_traded(
    symbol: str, seed: int, ratios: tuple[float, ...] = (), share: float = 0.005, every: int = 63, last: int = 1500
) -> pd.DataFrame:
    """The last bars of a symbol in whole cents, with a dividend of this share of the price every so many bars.

    Splits of these ratios stand at random bars, and so many times more shares are worth so many times less each.
    """
    rng = np.random.default_rng(seed)
    rows = bundled()[symbol].iloc[-last:]
    prices = rows[PRICES].to_numpy(float) * (rows["adj_close"] / rows["close"]).to_numpy()[:, None]
    split, part = np.zeros(len(rows)), np.zeros(len(rows))
    part[rng.integers(5, every) :: every] = share
    split[rng.choice(np.arange(100, len(rows) - 100), len(ratios), replace=False)] = ratios
    worth = 1.0  # of one share of the last bar, in shares of this one
    for place in range(len(rows) - 1, -1, -1):
        prices[place] = np.round(prices[place] * worth, 2)
        worth *= max(split[place], 1.0 if split[place] == 0 else 0.0) / (1 - part[place])
    before = np.append(np.nan, prices[:-1, 3])
    paid = np.nan_to_num(np.round(before * part, 6))
    table = pd.DataFrame(prices, rows.index, columns=PRICES)
    return table.assign(volume=rows["volume"], dividend=paid, split=split)


def split_adjusted(raw: pd.DataFrame) -> pd.DataFrame:
    """As Yahoo serves them: prices and dividends divided by every later split."""
    rows = raw.copy()
    for date, ratio in raw["split"][raw["split"] > 0].items():
        before = rows.index < date
        rows.loc[before, [*PRICES, "dividend"]] /= ratio
        rows.loc[date, "dividend"] /= ratio
    return rows


def adjusted(raw: pd.DataFrame) -> pd.DataFrame:
    """As yfinance writes them by default: adjusted for splits, then for every later dividend."""
    rows = split_adjusted(raw)
    close = rows["close"].copy()
    for date, paid in rows["dividend"][rows["dividend"] > 0].items():
        place = rows.index.get_loc(date)
        rows.iloc[:place, :4] *= 1 - paid / close.iloc[place - 1]
    return rows


def inverted(raw: pd.DataFrame) -> pd.DataFrame:
    """As traded, with ratios of old shares per new."""
    return raw.assign(split=[1 / ratio if ratio else 0.0 for ratio in raw["split"]])


def one_not_applied(raw: pd.DataFrame) -> pd.DataFrame:
    """Adjusted for every split but the last, as Yahoo serves them on its date."""
    last = raw.index[raw["split"] > 0][-1]
    rows = split_adjusted(raw.assign(split=raw["split"].where(raw.index != last, 0.0)))
    return rows.assign(split=raw["split"])


def written_on(raw: pd.DataFrame, place: int) -> pd.DataFrame:
    """Adjusted to a bar, with the later bars as traded: a file to which later downloads were appended."""
    return pd.concat([adjusted(raw.iloc[:place]), raw.iloc[place:]])
