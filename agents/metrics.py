"""The race worker's metrics, on ``/metrics`` of its own web server (Prometheus text format)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SAMPLES = Counter("f1stream_race_samples", "Telemetry samples that are in frames.")
FRAMES = Counter("f1stream_race_frames", "Frames published.")
UPDATES = Counter("f1stream_race_updates", "Records published from the drivers' to the sessions' stage.")
DEAD = Counter("f1stream_race_dead_letters", "Records that could not be used, by topic.", ["topic"])
HELD = Gauge("f1stream_race_held_events", "Events taken and not acknowledged yet, by stage.", ["stage"])
SESSION_TIME = Gauge("f1stream_race_session_time_seconds", "Session time of the last checkpoint.", ["session"])
MEASURED = Histogram(
    "f1stream_race_measured_error_seconds",
    "Difference between measured and official times at the finish and sector lines.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
)
