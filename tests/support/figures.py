"""Figures that tests measured, printed at the end of the run."""

from statistics import median, quantiles

figures: list[str] = []


def median_and_p95(errors: list[float]) -> tuple[float, float]:
    return median(errors), quantiles(errors, n=20)[-1]
