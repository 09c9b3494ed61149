"""Figures that tests measured, printed at the end of the run."""

figures: list[str] = []
