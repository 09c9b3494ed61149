"""Scheduled work: Jolpica, then dbt, then a signal for readers; each run on record."""
