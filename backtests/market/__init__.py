"""The market of a run: the bars of one name, or of all names of a portfolio."""
