"""Metrics of the Faust workers, served on ``/metrics`` of each worker's web server."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SAMPLES = Counter("f1stream_race_samples", "Telemetry samples that are in frames.")
FRAMES = Counter("f1stream_race_frames", "Frames published.")
LATENESS = Histogram(
    "f1stream_race_frame_lateness_seconds",
    "Time from the publication of the newest input record to the delivery of the frames made from it.",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
UPDATES = Counter("f1stream_race_updates", "Records published by the driver stage for the session stage.")
DEAD_LETTERS = Counter(
    "f1stream_dead_letters", "Records that could not be used, by consumer and topic.", ["by", "topic"]
)
LOST_DEAD_LETTERS = Counter("f1stream_lost_dead_letters", "Dead letters that the broker refused; each is in the log.")
IGNORED_RECORDS = Counter(
    "f1stream_ignored_records",
    "Records ignored because their run is older, damaged or refused, by consumer and reason.",
    ["by", "reason"],
)
DAMAGED_RUNS = Counter("f1stream_damaged_runs", "Runs that could not be continued and must be republished.", ["by"])
PENDING_EVENTS = Gauge("f1stream_race_held_events", "Events received and not yet acknowledged, by stage.", ["stage"])
SESSION_TIME = Gauge("f1stream_race_session_time_seconds", "Session time of the last checkpoint.", ["session"])
MEASURED = Histogram(
    "f1stream_race_measured_error_seconds",
    "Difference between measured and official times at the finish and sector lines.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
)
GAP_ERROR = Histogram(
    "f1stream_race_gap_error_seconds",
    "Difference between our gap to the leader and the feed's own, when the feed publishes it.",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)

ROWS = Counter("f1stream_archive_rows", "Rows loaded, by table.", ["table"])
FLUSH_ROWS = Gauge("f1stream_archive_flush_rows", "Rows of the latest flush, finished or running.")
FLUSH = Histogram(
    "f1stream_archive_flush_seconds", "Duration of a flush, including retries while the warehouse is unavailable.",
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)  # fmt: skip
PHASES = Gauge("f1stream_archive_phase_seconds", "Time spent in each phase since the worker started.", ["phase"])
FENCED = Counter("f1stream_archive_fenced", "Flushes aborted because another worker had changed the offsets.")
REWINDS = Counter(
    "f1stream_archive_rewinds", "Partitions rewound because Kafka's acknowledged offset was ahead of the loaded one."
)
WAREHOUSE_UP = Gauge("f1stream_archive_warehouse_up", "1 if the latest request to the warehouse succeeded, else 0.")
