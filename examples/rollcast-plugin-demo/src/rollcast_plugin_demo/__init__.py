"""A predictor and a strategy for rollcast, as a distribution of their own."""
