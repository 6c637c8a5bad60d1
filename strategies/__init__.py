"""Trading rules: backtrader strategies that turn a forecast into a position."""

from rollcast import former_names

if __name__ in former_names.NAMES:  # imported from a checkout on sys.path, under its former name
    former_names.adopt(__name__)

# Lazy addresses, so that listing the names imports nothing.
BUILT_IN = {
    "buy_and_hold": "rollcast.strategies.buy_and_hold:BuyAndHold",
    "long_flat": "rollcast.strategies.long_flat:LongFlat",
    "long_short": "rollcast.strategies.long_short:LongShort",
    "proportional": "rollcast.strategies.proportional:Proportional",
}
