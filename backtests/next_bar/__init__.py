"""The forecast of the bar after the last one."""
