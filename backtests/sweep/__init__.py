"""Parameter sweeps: many variants of a backtest on the same bars, and what choosing the best of them is worth."""
