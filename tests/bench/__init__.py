"""Measurements: programs that print ratios and figures measured side by side in one run. Nothing asserts on them."""
