"""Sources of sessions, and publishing a session to the topics. See docs/sources.md."""
