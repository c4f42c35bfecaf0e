"""Pixels and samples to arrays: pure functions and clock-free meters."""
