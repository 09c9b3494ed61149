"""The local broker and the local warehouse, each started and stopped as a child process."""
