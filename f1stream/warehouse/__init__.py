"""The warehouse: connection, tables, and the loader that loads each record exactly once."""
