"""The command line, from a checkout: `python cli.py backtest --predictor lstm`; `rollcast` where it is installed."""

from rollcast.backtests.commands.main import main

if __name__ == "__main__":
    main()
