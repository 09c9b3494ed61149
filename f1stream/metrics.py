"""The workers' metrics, on ``/metrics`` of their own web servers (Prometheus text format)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SAMPLES = Counter("f1stream_race_samples", "Telemetry samples that are in frames.")
FRAMES = Counter("f1stream_race_frames", "Frames published.")
LATENESS = Histogram(
    "f1stream_race_frame_lateness_seconds",
    "From a record's publication by the source to the delivery of the frames that it made possible.",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
UPDATES = Counter("f1stream_race_updates", "Records published from the drivers' to the sessions' stage.")
DEAD_LETTERS = Counter(
    "f1stream_dead_letters", "Records that could not be used, by consumer and topic.", ["by", "topic"]
)
LOST_DEAD_LETTERS = Counter("f1stream_lost_dead_letters", "Dead letters that the broker refused; the log names them.")
IGNORED_RECORDS = Counter(
    "f1stream_ignored_records",
    "Records of runs that do not count: older, damaged or refused ones, by who ignored them.",
    ["by", "reason"],
)
DAMAGED_RUNS = Counter("f1stream_damaged_runs", "Runs that could not be continued and must be republished.", ["by"])
PENDING_EVENTS = Gauge("f1stream_race_held_events", "Events taken and not acknowledged yet, by stage.", ["stage"])
SESSION_TIME = Gauge("f1stream_race_session_time_seconds", "Session time of the last checkpoint.", ["session"])
MEASURED = Histogram(
    "f1stream_race_measured_error_seconds",
    "Difference between measured and official times at the finish and sector lines.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
)
GAP_ERROR = Histogram(
    "f1stream_race_gap_error_seconds",
    "Difference between our gap to the leader and the feed's own, at the moment when the feed tells it.",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)

ROWS = Counter("f1stream_archive_rows", "Rows loaded, by table.", ["table"])
FLUSH_ROWS = Gauge("f1stream_archive_flush_rows", "Rows of the last flush, or of the one that is on.")
FLUSH = Histogram(
    "f1stream_archive_flush_seconds", "Time of a flush, waiting for the warehouse included.",
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)  # fmt: skip
PHASES = Gauge("f1stream_archive_phase_seconds", "Time spent in each phase since the start.", ["phase"])
FENCED = Counter("f1stream_archive_fenced", "Flushes that found the offsets moved by another worker.")
REWINDS = Counter(
    "f1stream_archive_rewinds", "Partitions read again, because Kafka had more acknowledged than is loaded."
)
WAREHOUSE_UP = Gauge("f1stream_archive_warehouse_up", "1 when the warehouse answered last.")
