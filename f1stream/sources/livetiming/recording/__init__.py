"""Recordings in every known form, as the feed's messages by time: ``reader.open_recording``."""
