"""The application around the streams."""
