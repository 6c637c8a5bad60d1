"""The command line, as `python -m rollcast`."""

from rollcast.backtests.commands.main import main

if __name__ == "__main__":
    main()
