"""The tear sheet: one self-contained page that says how a backtest went and how far to believe it."""
