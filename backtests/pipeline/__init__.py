"""One backtest: forecasts that passed the gate, traded and scored."""
