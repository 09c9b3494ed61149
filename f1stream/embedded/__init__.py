"""The embedded broker and the embedded warehouse, each run as a child process on loopback."""
