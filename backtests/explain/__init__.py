"""What a predictor does with the past: the page that `explain` writes."""
