"""The local broker, started and stopped as a child process."""
