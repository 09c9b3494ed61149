"""Scheduled jobs: load Jolpica, build the marts with dbt, publish them; each run is recorded."""
