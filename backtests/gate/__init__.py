"""The look-ahead gate: no clean sheet before a predictor was examined on its own bars."""
