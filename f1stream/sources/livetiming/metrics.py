"""The live client's metrics, for the ``/metrics`` of the process that runs it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

MESSAGES = Counter("f1stream_live_messages", "Messages of the feed, by topic; snapshots included.", ["topic"])
DAMAGED = Counter("f1stream_live_damaged", "Records of the feed that are not messages, by reason.", ["reason"])
RECONNECTS = Counter("f1stream_live_reconnects", "Connections made after one was lost.")
RENEWALS = Counter("f1stream_live_renewals", "Connections made to replace one before the feed closes it.")
FAILURES = Counter("f1stream_live_failures", "Attempts to connect that failed.")
CONNECTED = Gauge("f1stream_live_connected", "1 while subscribed to the feed.")
SILENT = Gauge("f1stream_live_silent", "1 while a topic that should be sent is not.", ["topic"])
TOKEN_ENDS = Gauge("f1stream_live_token_ends_seconds", "When the F1TV token in use ends (Unix s); 0 without one.")
