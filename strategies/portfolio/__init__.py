"""Trading rules for many names: from the forecasts of all of them to the weight of each."""

# Lazy addresses, so that listing the names imports nothing.
BUILT_IN = {
    "equal_weight": "rollcast.strategies.portfolio.equal_weight:EqualWeight",
    "min_variance_tilt": "rollcast.strategies.portfolio.min_variance_tilt:MinVarianceTilt",
    "top_k": "rollcast.strategies.portfolio.top_k:TopK",
}
