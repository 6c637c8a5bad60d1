"""Many variants of a backtest: drawn, traded at once, kept safe from kills, and judged as the many tries they are."""
