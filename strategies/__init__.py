"""Trading rules: backtrader strategies that turn a forecast into a position."""

# Lazy addresses, so that listing the names imports nothing.
BUILT_IN = {
    "buy_and_hold": "strategies.buy_and_hold:BuyAndHold",
    "long_flat": "strategies.long_flat:LongFlat",
    "long_short": "strategies.long_short:LongShort",
    "proportional": "strategies.proportional:Proportional",
}
