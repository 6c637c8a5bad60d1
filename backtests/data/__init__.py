"""Prices: where they come from, how they are kept, and what is wrong with them."""
