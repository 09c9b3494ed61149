"""Tests of the marts, which are built once from a recorded race and recorded seasons."""
