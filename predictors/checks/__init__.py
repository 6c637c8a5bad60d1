"""The checks that every predictor and learner must pass."""
