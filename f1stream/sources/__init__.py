"""Where a session comes from, and how it gets into the topics."""
