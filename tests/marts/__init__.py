"""The marts on a recorded race and recorded seasons: built once for all of these tests."""
